"""The files of a spool: names, headers, and how far they are synced.

A segment's header says how far the spool had been synced when the segment was begun. The *sync mark*, a file of its own
that is overwritten after each sync, says how far it is synced now. From both, a reader knows for each byte whether it
must be there.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from relay.errors import InUse
from relay.spool.disk import opened, write_all

HEADER_SIZE = 64
"""Bytes of the header of each segment; records follow."""
NEW_FILE = "new"
"""File name of a segment that has no number yet."""
RESERVES = ("reserve", "reserve-2", "reserve-3", "reserve-4")
"""Files reserved for a full disk: each becomes a segment when there is no room for a new one. There are several because
a writer that restarts on the full disk needs a segment of its own."""

_MARK_FILE = "synced"
_SUFFIX = ".segment"
_OFFSET_BITS = 32
_MAGIC = b"EMRSPOOL"
_VERSION = 1
_HEADER = struct.Struct("<8sHH16sQQ")
_MARK = struct.Struct("<16sQ")
_CRC = struct.Struct("<I")


def position(number: int, offset: int) -> int:
    """Return the position of byte `offset` in segment `number`."""
    return number << _OFFSET_BITS | offset


def split(place: int) -> tuple[int, int]:
    """Return the segment number and the offset of the position `place`."""
    return place >> _OFFSET_BITS, place & (1 << _OFFSET_BITS) - 1


def segment_path(folder: Path, number: int) -> Path:
    """Return the path of segment `number`."""
    return folder / f"{number:010d}{_SUFFIX}"


def segment_numbers(folder: Path) -> list[int]:
    """Return the numbers of the segments in `folder`, oldest first; [] if the folder does not exist."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    stems = (name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))
    return sorted(int(stem) for stem in stems if stem.isdecimal())


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The header of a segment."""

    spool_id: bytes
    """16 random bytes, the same in all segments of a spool."""
    number: int
    synced: int
    """The position up to which the earlier segments were known to be synced."""
    exact: bool
    """True if nothing beyond `synced` in those segments counts, because their writer saw the sync of it fail. False
    after a restart: then what lies beyond may well have been synced."""

    def encode(self) -> bytes:
        """Return the HEADER_SIZE bytes at the beginning of the file."""
        head = _HEADER.pack(_MAGIC, _VERSION, self.exact, self.spool_id, self.number, self.synced)
        head = head.ljust(HEADER_SIZE - _CRC.size, b"\0")
        return head + _CRC.pack(zlib.crc32(head))

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Return the header in `data`, None if it is not valid."""
        if len(data) != HEADER_SIZE or _CRC.pack(zlib.crc32(data[: -_CRC.size])) != data[-_CRC.size :]:
            return None
        magic, version, exact, spool_id, number, synced = _HEADER.unpack_from(data)
        if (magic, version) != (_MAGIC, _VERSION):
            return None
        return cls(spool_id=spool_id, number=number, synced=synced, exact=bool(exact))


def read_header(folder: Path, number: int) -> Header | None:
    """Return the header of segment `number`, None if it is damaged or the segment is gone."""
    try:
        with opened(segment_path(folder, number), os.O_RDONLY) as fd:
            return Header.decode(os.pread(fd, HEADER_SIZE, 0))
    except FileNotFoundError:
        return None


def newest_header(folder: Path, numbers: list[int]) -> Header | None:
    """Return the newest valid header of these segments."""
    return next(filter(None, (read_header(folder, number) for number in reversed(numbers))), None)


def read_sync_mark(folder: Path) -> tuple[bytes, int] | None:
    """Return a spool's id and the position up to which it is synced.

    None if that is not known. The mark itself is never synced, so a power cut may lose it or bring back an older one;
    then a reader must rely on what it finds in the segments.
    """
    try:
        with opened(folder / _MARK_FILE, os.O_RDONLY) as fd:
            data = os.pread(fd, _MARK.size + _CRC.size, 0)
    except FileNotFoundError:
        return None
    if len(data) != _MARK.size + _CRC.size or _CRC.pack(zlib.crc32(data[: -_CRC.size])) != data[-_CRC.size :]:
        return None
    spool_id, synced = _MARK.unpack_from(data)
    return spool_id, synced


class SyncMark:
    """The sync mark, held by the only writer. It is overwritten in place, so it needs no room on a full disk."""

    def __init__(self, folder: Path) -> None:
        """Lock the mark in `folder`. Raises InUse if another writer holds it."""
        self._fd = os.open(folder / _MARK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise InUse(f"another process writes to the spool in {folder}; stop it first") from None

    def set(self, spool_id: bytes, synced: int) -> None:
        """Publish to readers that the spool is synced up to position `synced`."""
        data = _MARK.pack(spool_id, synced)
        write_all(self._fd, data + _CRC.pack(zlib.crc32(data)), 0)

    def close(self) -> None:
        """Unlock the mark; it stays readable."""
        os.close(self._fd)
