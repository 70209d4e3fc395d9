"""Looks whether commits are missing from a SQLite ledger's write-ahead log (ledger's ground floor).

SQLite reads that log up to the first frame whose checksum is wrong and takes the rest for the torn end of a write.
After a power cut it is. After damage it is not: then commits that were synced would be forgotten without a word. Two
things tell them apart. Each commit is synced before the next one begins, so a torn end holds frames of one transaction
alone; and the index beside the log (`-shm`), where it has outlived the process, says how far it had been committed.

The format: https://www.sqlite.org/fileformat2.html#walformat and https://www.sqlite.org/walformat.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER, _FRAME = struct.Struct(">IIIIIIII"), struct.Struct(">IIIIII")
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""The byte order in which the checksums take the words."""
_VERSION = 3_007_000
_INDEX = struct.Struct("=IIIBBHII2I8s")
"""The head of `-shm`: version, unused, change, set up, order, page size, last frame, pages, its checksum, salts."""
_INDEX_COPY = 48
"""Bytes of that head with its own checksum; it stands there twice."""


class _Log(NamedTuple):
    order: str
    page_size: int
    salts: bytes
    sums: tuple[int, int]
    frames: memoryview


def missing_commits(database: Path) -> str:
    """What is wrong with the log of `database`, in words; "" where nothing is, or there is no log.

    To be asked while nobody writes to the ledger. Raises OSError.
    """
    path = database.with_name(f"{database.name}-wal")
    data = path.read_bytes() if path.exists() else b""
    log = _opened(data)
    if log is None:
        return "the head of its write-ahead log cannot be read" if len(data) > _HEADER.size else ""
    sound = _sound_frames(log)
    index = _indexed(database.with_name(f"{database.name}-shm"))
    if index and index[1] == log.salts and index[0] > sound:
        return f"its write-ahead log can be read up to frame {sound}, and was committed up to frame {index[0]}"
    ends = [number for number, is_end in _owned(log) if is_end and number > sound]
    last = max((number for number, _ in _owned(log)), default=0)
    synced = sum(1 for number in ends if number < last)
    return f"frame {sound + 1} of its write-ahead log is not sound, and {synced} commits follow it" if synced else ""


def _opened(data: bytes) -> _Log | None:
    if len(data) < _HEADER.size:
        return None
    magic, version, page_size, _, _, _, first, second = _HEADER.unpack_from(data)
    order = _MAGIC.get(magic)
    if order is None or version != _VERSION or page_size < 512 or page_size & (page_size - 1):
        return None
    sums = _checksum(order, data[: _HEADER.size - 8], (0, 0))
    if sums != (first, second):
        return None
    return _Log(order, page_size, data[16:24], sums, memoryview(data)[_HEADER.size :])


def _frames(log: _Log) -> Iterator[memoryview]:
    length = _FRAME.size + log.page_size
    for start in range(0, len(log.frames) - length + 1, length):
        yield log.frames[start : start + length]


def _sound_frames(log: _Log) -> int:
    """How many frames SQLite would take."""
    sums, count = log.sums, 0
    for frame in _frames(log):
        sums = _checksum(log.order, bytes(frame[:8]) + bytes(frame[_FRAME.size :]), sums)
        if frame[8:16] != log.salts or struct.unpack(">II", frame[16:24]) != sums:
            break
        count += 1
    return count


def _owned(log: _Log) -> Iterator[tuple[int, bool]]:
    """The numbers of the frames, sound or not, that were written since the log last began anew; does one end a
    transaction?
    """
    for number, frame in enumerate(_frames(log), 1):
        if frame[8:16] == log.salts:
            yield number, frame[4:8] != bytes(4)


def _checksum(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for even, odd in zip(words, words, strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _indexed(path: Path) -> tuple[int, bytes] | None:
    """The last committed frame and the salts as the index has them; None where it says nothing to be believed."""
    try:
        with path.open("rb") as file:
            data = file.read(2 * _INDEX_COPY)
    except FileNotFoundError:
        return None
    if len(data) < 2 * _INDEX_COPY or data[:_INDEX_COPY] != data[_INDEX_COPY:] or not any(data):
        return None
    found = _INDEX.unpack_from(data)
    return (found[6], found[10]) if found[3] else None
