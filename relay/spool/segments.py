"""The segments of one spool, as seen by their only writer. Blocking; one call at a time.

A write that found the disk full is undone, and the segment continues. Any other failure ends the segment: the next
write begins a new one, and its header says how far the old one counts.

Count-only records may use a reserve that was created while there was room: files of written zeros, each of which
becomes a segment by a new header and a new name. Once one is in use, larger mails are refused until all of the reserve
is restored.

Under load, zeros are written ahead of the records. A sync of blocks that were written before need not wait for the file
system's journal, and so takes half the time. For a reader they look like a torn write: no mail, no damage.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
from pathlib import Path
from typing import Self

from relay.errors import SpoolError, SpoolFull
from relay.failpoint import reach
from relay.spool import record
from relay.spool.disk import is_full, make_folder, opened, sync, sync_folder, write_all
from relay.spool.scan import Found, SegmentFile, walk
from relay.spool.segment import (
    HEADER_SIZE,
    NEW_FILE,
    RESERVES,
    Header,
    SyncMark,
    newest_header,
    position,
    read_header,
    read_sync_mark,
    segment_numbers,
    segment_path,
    split,
)

RESERVE_SIZE = 1 << 20
"""Bytes of all reserve files together: about 8,000 count-only records."""
MAX_COUNT_GROUP = 16 << 10
"""Limit in bytes of one append of count-only records: they have to fit into what is left of a reserve file."""
ZEROS_AHEAD = 512 << 10
"""Bytes of zeros written at once ahead of the records."""
ZEROS_AFTER = 64 << 10
"""Bytes in a segment before zeros are written ahead: a segment with few mails stays small."""
MAX_SEGMENTS = 10
"""From this number on, a new segment is begun only when the last one is full: the worker is stopped or slower than the
mails."""

_log = logging.getLogger(__name__)


class Segment:
    """The segment that is being written."""

    def __init__(self, folder: Path, source: str, header: Header, size: int) -> None:
        """Durably make segment `header.number` from the file `source` (NEW_FILE or one of RESERVES). Raises OSError.

        `size` is its intended size in bytes if it is made from NEW_FILE.
        """
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT | os.O_TRUNC if source == NEW_FILE else 0)
        self._fd = os.open(folder / source, flags, 0o600)
        try:
            write_all(self._fd, header.encode(), 0)
            sync(self._fd)
            reach("spool.rename")
            (folder / source).rename(segment_path(folder, header.number))
            reach("spool.folder")
            sync_folder(folder)
        except OSError:
            os.close(self._fd)
            (folder / NEW_FILE).unlink(missing_ok=True)
            raise
        self.number = header.number
        self.reserved = source in RESERVES
        self.end = HEADER_SIZE
        self.broken = False
        self._size = os.fstat(self._fd).st_size if self.reserved else size
        self._written = self._size if self.reserved else HEADER_SIZE
        """The offset up to which the file has been written, with records or with zeros."""
        self._zeros_ahead = ZEROS_AHEAD

    def fits(self, length: int) -> bool:
        """True if `length` more bytes may be written here. A record larger than a segment gets a segment of its own."""
        if self.broken:
            return False
        return self.end + length <= self._size or (self.end == HEADER_SIZE and not self.reserved)

    def append(self, data: bytes) -> int:
        """Write and sync `data`; return the offset where it begins. Raises OSError."""
        reach("spool.write")
        try:
            self._write(data)
        except OSError as error:
            self.broken = not (is_full(error) and self._undo_write())
            raise
        reach("spool.sync")
        try:
            sync(self._fd)
        except OSError:
            self.broken = True
            raise
        start, self.end = self.end, self.end + len(data)
        return start

    def _write(self, data: bytes) -> None:
        """Write `data`, and zeros after it if it goes beyond what was written and there is room for both."""
        end = self.end + len(data)
        zeros = min(self._zeros_ahead, self._size - end) if self.end >= ZEROS_AFTER and end > self._written else 0
        if zeros > 0:
            try:
                write_all(self._fd, data + bytes(zeros), self.end)
                self._written = end + zeros
                return
            except OSError as error:
                if not (is_full(error) and self._undo_write()):
                    raise
                self._zeros_ahead = 0
        write_all(self._fd, data, self.end)
        self._written = max(self._written, end)

    def _undo_write(self) -> bool:
        """Free the room that a failed write took. None of it was synced, so no sync is in doubt."""
        if not self.reserved:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.end)
                self._written = self.end
                return True
        return False

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class SegmentLog:
    """The segments of a spool: appends records, begins new segments, falls back to the reserve."""

    def __init__(self, folder: Path, mark: SyncMark, *, spool_id: bytes, synced: int, segment_size: int) -> None:
        self._folder = folder
        self._mark = mark
        self._segment_size = segment_size
        self._segment: Segment | None = None
        self._exact = False
        self.spool_id = spool_id
        self.seed = record.seed(spool_id)
        self.synced = synced
        """The position up to which everything is on the disk."""

    @classmethod
    def open(cls, folder: Path, segment_size: int) -> Self:
        """Open the spool in `folder`, or create it, and begin a new segment.

        Raises InUse if another writer has it, SpoolError if the folder cannot be used. On a full disk it opens all the
        same, and begins its segment as soon as there is room.
        """
        try:
            make_folder(folder)
            mark = SyncMark(folder)
        except OSError as error:
            raise spool_error(folder, error) from error
        try:
            spool_id, synced = _recover(folder)
        except OSError as error:
            mark.close()
            raise spool_error(folder, error) from error
        log = cls(folder, mark, spool_id=spool_id, synced=synced, segment_size=segment_size)
        log._begin()
        return log

    def _begin(self) -> None:
        try:
            self._mark.set(self.spool_id, self.synced)
            self._segment = self._roll(may_use_reserve=False)
        except OSError as error:
            if not is_full(error):
                raise spool_error(self._folder, error) from error
            _log.error("the disk of the spool in %s is full: free some space", self._folder)

    def append(self, data: bytes, *, may_use_reserve: bool) -> int:
        """Write and sync complete records; return the position of the first one.

        `may_use_reserve`: all of them are count-only records. Raises SpoolFull or SpoolError; then none of them is in
        the spool.
        """
        try:
            segment = self._segment_for(len(data), may_use_reserve=may_use_reserve)
            start = segment.append(data)
        except OSError as error:
            if not (may_use_reserve and is_full(error)):
                raise spool_error(self._folder, error) from error
            segment, start = self._append_to_reserve(data, error)
        self._advance_mark(segment)
        return position(segment.number, start)

    def _segment_for(self, length: int, *, may_use_reserve: bool) -> Segment:
        segment = self._segment
        if segment is not None and segment.reserved and not may_use_reserve:
            return self._leave_reserve(length)
        if segment is None or not segment.fits(length):
            return self._roll(may_use_reserve=may_use_reserve)
        return segment

    def _append_to_reserve(self, data: bytes, cause: OSError) -> tuple[Segment, int]:
        try:
            if self._segment is None or not (self._segment.reserved and self._segment.fits(len(data))):
                self._segment = self._new_segment(self._next_reserve_file(cause))
                _log.error("the disk of the spool in %s is full: mails are only counted", self._folder)
            if not self._segment.fits(len(data)):
                raise cause
            return self._segment, self._segment.append(data)
        except OSError as error:
            raise spool_error(self._folder, cause) from error

    def _next_reserve_file(self, cause: OSError) -> str:
        """Return the name of the next reserve file; raise `cause` if there is none."""
        for name in RESERVES:
            if (self._folder / name).exists():
                return name
        raise cause

    def _advance_mark(self, segment: Segment) -> None:
        synced = position(segment.number, segment.end)
        reach("spool.mark")
        try:
            self._mark.set(self.spool_id, synced)
        except OSError as error:
            segment.broken = True  # no reader would see records after it
            raise spool_error(self._folder, error) from error
        self.synced = synced
        reach("spool.answer")

    def _roll(self, *, may_use_reserve: bool) -> Segment:
        """Begin the next segment, and fill the reserve unless this one is for a count-only record."""
        self._segment = self._new_segment(NEW_FILE)
        if not may_use_reserve:
            with contextlib.suppress(OSError):
                self._fill_reserve()
        return self._segment

    def renew(self) -> None:
        """Begin another segment, so that the one before can be removed once it is ingested.

        Segments hold mails that are not redacted, so they must not stay on the disk. Does nothing on the reserve, if
        nothing was written, while MAX_SEGMENTS are not ingested yet, or on a full disk.
        """
        segment = self._segment
        if segment is None or segment.reserved or segment.end == HEADER_SIZE:
            return
        with contextlib.suppress(OSError):
            if len(segment_numbers(self._folder)) < MAX_SEGMENTS:
                self._roll(may_use_reserve=False)

    def _new_segment(self, source: str) -> Segment:
        reach("spool.roll")
        # Count a segment that somebody deleted, too: the ledger may have ingested it.
        number = max([split(self.synced)[0], *segment_numbers(self._folder)]) + 1
        header = Header(spool_id=self.spool_id, number=number, synced=self.synced, exact=self._exact)
        segment = Segment(self._folder, source, header, self._segment_size)
        self._exact = True
        if self._segment is not None:
            self._segment.close()
        return segment

    def _leave_reserve(self, length: int) -> Segment:
        """Begin an ordinary segment once there is room for another reserve and more. Raises OSError until then."""
        free = os.statvfs(self._folder)
        if free.f_bavail * free.f_frsize < 2 * RESERVE_SIZE + length:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._fill_reserve()
        segment = self._roll(may_use_reserve=False)
        _log.warning("the disk of the spool in %s has room again: mails are stored whole", self._folder)
        return segment

    def _fill_reserve(self) -> None:
        for name in RESERVES:
            if not (self._folder / name).exists():
                self._make_reserve_file(self._folder / name)

    def _make_reserve_file(self, path: Path) -> None:
        reach("spool.reserve")
        try:
            with opened(self._folder / NEW_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
                # Write the zeros, do not only allocate: overwriting them needs no room later.
                write_all(fd, bytes(RESERVE_SIZE // len(RESERVES)), 0)
                sync(fd)
            (self._folder / NEW_FILE).rename(path)
            sync_folder(self._folder)
        except OSError:
            (self._folder / NEW_FILE).unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Close the files; records stay."""
        if self._segment is not None:
            self._segment.close()
        self._mark.close()


def spool_error(folder: Path, error: OSError) -> SpoolError:
    """Return `error` as a SpoolFull or SpoolError."""
    if is_full(error):
        return SpoolFull(f"no room for another mail in the spool: free some space on the disk of {folder}")
    return SpoolError(f"cannot write to the spool in {folder}: {error.strerror}")


def _recover(folder: Path) -> tuple[bytes, int]:
    """Return the id of the spool in `folder` (a new one if there is no spool) and how far it is known to be synced."""
    numbers = segment_numbers(folder)
    header = newest_header(folder, numbers)
    if header is None:
        _rename_damaged(folder, numbers)
        return secrets.token_bytes(16), 0
    return header.spool_id, _known_synced(folder, numbers[-1], header)


def _known_synced(folder: Path, newest: int, header: Header) -> int:
    """Return the furthest synced position in the mark, the headers and the records; each alone may be missing."""
    file = SegmentFile(segment_path(folder, newest))
    try:
        items = walk(file, HEADER_SIZE, record.seed(header.spool_id))
        synced_positions = [item.head.synced for item in items if isinstance(item, Found)]
    finally:
        file.close()
    last = read_header(folder, newest)
    owner, marked = read_sync_mark(folder) or (b"", 0)
    return max(marked if owner == header.spool_id else 0, last.synced if last else 0, *synced_positions)


def _rename_damaged(folder: Path, numbers: list[int]) -> None:
    """Rename segments if none has a valid header. They are not removed, and no cursor fits them."""
    for number in numbers:
        path = segment_path(folder, number)
        path.rename(path.with_suffix(".damaged"))
        _log.error("%s has no valid header and was renamed: its mails are not ingested", path.with_suffix(".damaged"))
