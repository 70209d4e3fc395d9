"""The segments of one spool as their only writer sees them. Blocking; one call at a time.

A write that found the disk full is taken back, and the segment goes on. Any other failure
ends the segment: the next write begins a new one, whose header says how far the old one
counts. Mails of the last resort (counters) may use a reserve that was put by while there was
room: files of written zeros, each of which becomes a segment by a new header and a new name.
Once one is in use, larger mails wait until all of them have been put by again.

Where much comes, zeros are written ahead of it: a sync of what goes into blocks that were
written before need not wait for the file system's journal, and so takes half the time. To a
reader they are what a torn write leaves: no mail, no damage.
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
"""Bytes of the reserve, all files of it together: some 8,000 counters."""
MAX_COUNT_GROUP = 16 << 10
"""Bytes of counters that are to be appended at once, at most: they have to fit into what is left of a file of it."""
ZEROS_AHEAD = 512 << 10
"""Bytes of zeros that are written at once ahead of the records."""
ZEROS_AFTER = 64 << 10
"""Bytes that a segment holds before that is worth while: one into which little comes stays small."""
MAX_SEGMENTS = 10
"""Segments from which on none is begun before the last one is full: nobody sorts, or not as fast as mails come."""

_log = logging.getLogger(__name__)


class Segment:
    """A segment that is being written."""

    def __init__(self, folder: Path, source: str, header: Header, size: int) -> None:
        """Make segment `header.number` out of the file `source` (FRESH or one of RESERVES), durably. Raises OSError.

        It is to have about `size` bytes, if it is made of FRESH.
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
        """How far the file was written, with records or with zeros."""
        self._zeros_ahead = ZEROS_AHEAD

    def fits(self, length: int) -> bool:
        """True where `length` more bytes may be written here; a record larger than a segment has one for itself."""
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
        """Write `data`, with zeros behind it where it goes beyond what was written and there is room for both."""
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
        """Give back the room a failed write took; nothing of it was synced, so no sync is in doubt."""
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
    """A spool's segments: appends, rolls, falls back on the reserve."""

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
        """Take over the spool in `folder`, or make one, and begin a new segment.

        Raises InUse where another writer has it, SpoolError where the folder cannot be used. On a full disk it opens
        all the same and begins its segment as soon as there is room.
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
        """Write and sync whole records; return the position of the first.

        `may_use_reserve`: they are counters, and may use the reserve. Raises SpoolFull or SpoolError: then none of them is
        in the spool.
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
        """The next file of the reserve; raises `cause` where there is none any more."""
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
            segment.broken = True  # no reader would see what follows here
            raise spool_error(self._folder, error) from error
        self.synced = synced
        reach("spool.answer")

    def _roll(self, *, may_use_reserve: bool) -> Segment:
        """Begin the next segment, and put a reserve by where there is none and it is not the last room we take."""
        self._segment = self._new_segment(NEW_FILE)
        if not may_use_reserve:
            with contextlib.suppress(OSError):
                self._fill_reserve()
        return self._segment

    def renew(self) -> None:
        """Begin another segment, so that the one before can go once it is sorted: what stands in it is as it came.

        Not on the reserve, not where nothing was written, nor while MOST_SEGMENTS wait to be sorted. On a full disk it
        stays as it is.
        """
        segment = self._segment
        if segment is None or segment.reserved or segment.end == HEADER_SIZE:
            return
        with contextlib.suppress(OSError):
            if len(segment_numbers(self._folder)) < MAX_SEGMENTS:
                self._roll(may_use_reserve=False)

    def _new_segment(self, source: str) -> Segment:
        reach("spool.roll")
        # a segment that somebody deleted counts, too: the ledger may have sorted into it
        number = max([split(self.synced)[0], *segment_numbers(self._folder)]) + 1
        header = Header(spool_id=self.spool_id, number=number, synced=self.synced, exact=self._exact)
        segment = Segment(self._folder, source, header, self._segment_size)
        self._exact = True
        if self._segment is not None:
            self._segment.close()
        return segment

    def _leave_reserve(self, length: int) -> Segment:
        """Begin a common segment once there is room for another reserve and more. Raises OSError until then."""
        free = os.statvfs(self._folder)
        if free.f_bavail * free.f_frsize < 2 * RESERVE_SIZE + length:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._fill_reserve()
        segment = self._roll(may_use_reserve=False)
        _log.warning("the disk of the spool in %s has room again: mails are kept whole", self._folder)
        return segment

    def _fill_reserve(self) -> None:
        for name in RESERVES:
            if not (self._folder / name).exists():
                self._make_reserve_file(self._folder / name)

    def _make_reserve_file(self, path: Path) -> None:
        reach("spool.reserve")
        try:
            with opened(self._folder / NEW_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as fd:
                # written, not only allocated: overwriting then needs no room
                write_all(fd, bytes(RESERVE_SIZE // len(RESERVES)), 0)
                sync(fd)
            (self._folder / NEW_FILE).rename(path)
            sync_folder(self._folder)
        except OSError:
            (self._folder / NEW_FILE).unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Close the files; what was appended stays."""
        if self._segment is not None:
            self._segment.close()
        self._mark.close()


def spool_error(folder: Path, error: OSError) -> SpoolError:
    """Return the error of ours that `error` amounts to."""
    if is_full(error):
        return SpoolFull(f"no room for another mail in the spool: free some space on the disk of {folder}")
    return SpoolError(f"cannot write to the spool in {folder}: {error.strerror}")


def _recover(folder: Path) -> tuple[bytes, int]:
    """Return the id of the spool in `folder` (a new one where there is none) and how far it is known to be synced."""
    numbers = segment_numbers(folder)
    header = newest_header(folder, numbers)
    if header is None:
        _rename_damaged(folder, numbers)
        return secrets.token_bytes(16), 0
    return header.spool_id, _known_synced(folder, numbers[-1], header)


def _known_synced(folder: Path, newest: int, header: Header) -> int:
    """The furthest that mark, header or a record of the newest segment vouches for; each alone may be gone."""
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
    """Rename segments of which not one has a sound header: they are not removed, and no cursor fits them."""
    for number in numbers:
        path = segment_path(folder, number)
        path.rename(path.with_suffix(".damaged"))
        _log.error("%s has no sound header and was set aside: its mails are not sorted", path.with_suffix(".damaged"))
