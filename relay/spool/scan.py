"""Find the records of one segment, also after a torn or damaged part.

A bad part may be the torn end of a write that was never answered, or damage to synced records. The reader decides
which, since it knows how far the spool was synced.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from relay.spool.record import HEAD_SIZE, MAGIC, Head, decode_head, is_body

_CHUNK = 1 << 20
_BLOCK = 4096


class Found(NamedTuple):
    """A valid record between two offsets."""

    offset: int
    end: int
    head: Head
    body: bytes


class Gap(NamedTuple):
    """Bytes between two offsets that are not a valid record."""

    offset: int
    end: int


class SegmentFile:
    """The bytes of one segment up to the offset `limit`, read in large chunks."""

    def __init__(self, path: Path, *, limit: int | None = None, chunk: int = _CHUNK) -> None:
        """Open `path`; without a `limit` it is the present size of the file. Raises OSError."""
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.limit = os.fstat(self._fd).st_size if limit is None else limit
        self._chunk_size = chunk
        self._start = 0
        self._chunk = b""
        self.unreadable = False
        """True if the disk failed to read some of it."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, fewer at the end."""
        length = min(length, self.limit - offset)
        if length <= 0:
            return b""
        if offset < self._start or offset + length > self._start + len(self._chunk):
            self._chunk = self._read(offset, min(max(length, self._chunk_size), self.limit - offset))
            self._start = offset
        at = offset - self._start
        return self._chunk[at : at + length]

    def _read(self, offset: int, length: int) -> bytes:
        """Read from the disk. On a read error read block by block, with zeros for the unreadable blocks."""
        try:
            return os.pread(self._fd, length, offset)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self.unreadable = True
            if length <= _BLOCK:
                return bytes(length)
        edges = range(offset - offset % _BLOCK + _BLOCK, offset + length, _BLOCK)
        pairs = itertools.pairwise([offset, *edges, offset + length])
        return b"".join(self._read(start, end - start) for start, end in pairs)

    def find(self, what: bytes, offset: int) -> int:
        """Return the offset of the first `what` from `offset` on, `limit` if there is none."""
        while chunk := self.read_at(offset, self._chunk_size):
            at = chunk.find(what)
            if at >= 0:
                return offset + at
            if len(chunk) < len(what):
                break
            offset += len(chunk) - len(what) + 1
        return self.limit

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def walk(file: SegmentFile, offset: int, seed: int) -> Iterator[Found | Gap]:
    """Yield records and gaps from `offset` to the limit of `file`, in order and without holes."""
    while offset < file.limit:
        found = _record_at(file, offset, seed)
        item = found or Gap(offset, _next_record(file, offset, seed))
        yield item
        offset = item.end


def heads(file: SegmentFile, offset: int, seed: int) -> Iterator[Head]:
    """Yield the heads of the records from `offset` on, up to the first invalid one; bodies are not read."""
    while head := decode_head(file.read_at(offset, HEAD_SIZE), seed):
        offset += HEAD_SIZE + head.body_length
        if offset > file.limit:
            return
        yield head


def _record_at(file: SegmentFile, offset: int, seed: int) -> Found | None:
    head = decode_head(file.read_at(offset, HEAD_SIZE), seed)
    if head is None:
        return None
    body = file.read_at(offset + HEAD_SIZE, head.body_length)
    if not is_body(head, body, seed):
        return None
    return Found(offset, offset + HEAD_SIZE + head.body_length, head, body)


def _next_record(file: SegmentFile, offset: int, seed: int) -> int:
    """Return the offset of the next valid head after a bad record at `offset`, the limit if there is none."""
    head = decode_head(file.read_at(offset, HEAD_SIZE), seed)
    if head is not None:
        return min(offset + HEAD_SIZE + head.body_length, file.limit)
    offset = file.find(MAGIC, offset + 1)
    while offset < file.limit and decode_head(file.read_at(offset, HEAD_SIZE), seed) is None:
        offset = file.find(MAGIC, offset + 1)
    return offset
