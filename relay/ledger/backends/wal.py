"""Detect lost commits in a SQLite ledger's write-ahead log (base layer of the ledger).

SQLite reads the log up to the first frame with a wrong checksum and treats the rest as a torn write. After a power cut
that is right. After damage it is wrong: SQLite would silently drop commits that were synced. Two facts distinguish the
cases. Each commit is synced before the next one begins, so a torn end contains frames of only one transaction. And the
index beside the log (`-shm`), where it still exists, records how far the log was committed.

Format: https://www.sqlite.org/fileformat2.html#walformat and https://www.sqlite.org/walformat.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER, _FRAME = struct.Struct(">IIIIIIII"), struct.Struct(">IIIIII")
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
"""Byte order of the words in the checksums, by magic number."""
_VERSION = 3_007_000
_INDEX = struct.Struct("=IIIBBHII2I8s")
"""Header of `-shm`: version, unused, change counter, initialized, byte order, page size, last frame, pages, checksum of
the last frame, salts."""
_INDEX_COPY = 48
"""Bytes of that header with its own checksum. The file contains it twice."""


class _Log(NamedTuple):
    order: str
    page_size: int
    salts: bytes
    sums: tuple[int, int]
    frames: memoryview


def missing_commits(database: Path) -> str:
    """Describe the damage of the log of `database`; "" where the log is valid or does not exist.

    Call it only while nobody writes to the ledger. Raises OSError.
    """
    path = database.with_name(f"{database.name}-wal")
    data = path.read_bytes() if path.exists() else b""
    log = _parse_log(data)
    if log is None:
        return "the head of its write-ahead log cannot be read" if len(data) > _HEADER.size else ""
    valid = _count_valid_frames(log)
    index = _read_index(database.with_name(f"{database.name}-shm"))
    if index and index[1] == log.salts and index[0] > valid:
        return f"its write-ahead log can be read up to frame {valid}, and was committed up to frame {index[0]}"
    commits = [number for number, is_commit in _current_frames(log) if is_commit and number > valid]
    last = max((number for number, _ in _current_frames(log)), default=0)
    synced = sum(1 for number in commits if number < last)
    return f"frame {valid + 1} of its write-ahead log is not valid, and {synced} commits follow it" if synced else ""


def _parse_log(data: bytes) -> _Log | None:
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


def _count_valid_frames(log: _Log) -> int:
    """How many frames SQLite would read."""
    sums, count = log.sums, 0
    for frame in _frames(log):
        sums = _checksum(log.order, bytes(frame[:8]) + bytes(frame[_FRAME.size :]), sums)
        if frame[8:16] != log.salts or struct.unpack(">II", frame[16:24]) != sums:
            break
        count += 1
    return count


def _current_frames(log: _Log) -> Iterator[tuple[int, bool]]:
    """The numbers of all frames, valid or not, written since the log last restarted, and whether each is a commit."""
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


def _read_index(path: Path) -> tuple[int, bytes] | None:
    """The number of the last committed frame and the salts in the index; None where the index is missing or invalid."""
    try:
        with path.open("rb") as file:
            data = file.read(2 * _INDEX_COPY)
    except FileNotFoundError:
        return None
    if len(data) < 2 * _INDEX_COPY or data[:_INDEX_COPY] != data[_INDEX_COPY:] or not any(data):
        return None
    fields = _INDEX.unpack_from(data)
    return (fields[6], fields[10]) if fields[3] else None
