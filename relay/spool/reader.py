"""Read records in order and remove finished segments. Used by the worker; it writes nothing.

While the newest segment grows, it is read only up to the sync mark. So everything that a reader has seen is on the
disk, and a stored cursor never points beyond what a power cut leaves.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from relay.errors import SpoolError
from relay.failpoint import reach
from relay.model import Record
from relay.spool import record, segment
from relay.spool.record import HEAD_SIZE
from relay.spool.scan import Found, SegmentFile, heads, walk
from relay.spool.segment import HEADER_SIZE, read_header, segment_numbers, segment_path

GIVE_UP_AFTER = 60.0
"""Seconds for which a read error is retried before the unreadable part counts as lost."""

_log = logging.getLogger(__name__)


class _Span(NamedTuple):
    """The part of one segment that is to be read."""

    number: int
    start: int
    limit: int | None
    """Offset of its end; None: the end of the file."""
    synced: int
    """The position up to which nothing may be missing."""
    bounded: bool
    """False if the segment may still grow and it is not known how far it has."""
    seed: int


class SpoolReader:
    """Reads the spool in `folder`, which need not exist yet. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: SegmentFile | None = None
        self._file_key: tuple[int, int] | None = None
        self._failing: tuple[float, float] | None = None
        """When (monotonic seconds) the disk began to fail, and when it last failed."""
        self._counted: dict[int, tuple[int, int]] = {}
        """For segments that `waiting` counted from their beginning: the offset reached, and the number of records
        before it."""
        self.damage: dict[int, int] = {}
        """Synced parts that cannot be read back: position and length in bytes."""

    @property
    def spool_id(self) -> str:
        """32 hex digits; "" if there is no spool. Raises SpoolError, as all methods here, if it cannot be read."""
        with self._reading():
            header = segment.newest_header(self._folder, segment_numbers(self._folder))
        return header.spool_id.hex() if header else ""

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SpoolError(f"cannot read the spool in {self._folder}: {error.strerror}") from error

    def read(self, position: int, *, limit: int = 250, limit_bytes: int = 8 << 20) -> list[Record]:
        """Return the next records from `position` on, in order: at most `limit`, and about `limit_bytes` of content.

        [] means that there is nothing yet. Damaged records are left out, noted in `damage` and logged.
        """
        records: list[Record] = []
        with self._reading():
            for found in self._records(position):
                records.append(found)
                limit_bytes -= len(found.content)
                if len(records) >= limit or limit_bytes <= 0:
                    break
        return records

    def end(self) -> int:
        """Return the position after the last complete record. A cursor beyond it belongs to another spool."""
        with self._reading():
            spans = list(self._spans(0))
            if not spans:
                return 0
            newest = spans[-1]
            file = SegmentFile(segment_path(self._folder, newest.number))
            end = newest.limit or HEADER_SIZE
            for item in itertools.takewhile(lambda item: isinstance(item, Found), walk(file, end, newest.seed)):
                end = item.end
            file.close()
        return segment.position(newest.number, end)

    def waiting(self, position: int) -> int:
        """Return the number of records from `position` on, reading only their heads.

        A later call reads only new records and the segment of `position`: the other counts are remembered.
        """
        count = 0
        with self._reading():
            spans = list(self._spans(position))
            first = spans[0].number if spans else 0
            self._counted = {number: known for number, known in self._counted.items() if number >= first}
            for span in spans:
                with contextlib.suppress(FileNotFoundError):  # ingested and removed meanwhile
                    count += self._count(span)
        return count

    def _count(self, span: _Span) -> int:
        whole = span.bounded and span.start == HEADER_SIZE
        offset, count = self._counted.get(span.number, (HEADER_SIZE, 0)) if whole else (span.start, 0)
        file = SegmentFile(segment_path(self._folder, span.number), limit=span.limit, chunk=4096)
        try:
            for head in heads(file, offset, span.seed):
                offset += HEAD_SIZE + head.body_length
                count += 1
        finally:
            file.close()
        if whole:
            self._counted[span.number] = offset, count
        return count

    def release(self, position: int) -> None:
        """Remove the segments before the next record from `position` on, never the newest one. Raises SpoolError."""
        numbers = segment_numbers(self._folder)
        if len(numbers) < 2:
            return
        try:
            following = next(self._records(position), None)
            needed = numbers[-1] if following is None else segment.split(following.position)[0]
            for number in numbers[:-1]:
                if number < needed:
                    reach("spool.remove")
                    segment_path(self._folder, number).unlink(missing_ok=True)
        except OSError as error:
            raise SpoolError(f"cannot remove ingested segments from {self._folder}: {error.strerror}") from error

    def close(self) -> None:
        """Close the open file, if any."""
        if self._file is not None:
            self._file.close()
        self._file = self._file_key = None

    def _records(self, position: int) -> Iterator[Record]:
        for span in self._spans(position):
            file = self._file_of(span)
            for item in walk(file, span.start, span.seed):
                at = segment.position(span.number, item.offset)
                self._raise_if_unreadable(file, whole=isinstance(item, Found))
                if isinstance(item, Found):
                    end = segment.position(span.number, item.end)
                    yield record.decode(item.head, item.body, position=at, end=end)
                elif not span.bounded:
                    return
                elif at < span.synced:
                    end = segment.position(span.number, item.end)
                    self._note_damage(at, min(end, span.synced) - at)

    def _raise_if_unreadable(self, file: SegmentFile, *, whole: bool) -> None:
        """Raise OSError for an unreadable part, until the disk has failed for `GIVE_UP_AFTER` seconds.

        After that the part counts as lost.
        """
        if whole or not file.unreadable:
            return
        now = time.monotonic()
        began, last = self._failing or (now, now)
        self._failing = (began if now - last < GIVE_UP_AFTER else now, now)
        if now - self._failing[0] < GIVE_UP_AFTER:
            self.close()  # also drops the bytes read so far
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _spans(self, position: int) -> Iterator[_Span]:
        """Yield what is to be read from `position` on, segment by segment."""
        # Read the mark before the listing: a segment begun in between is then seen as empty.
        mark = segment.read_sync_mark(self._folder)
        numbers = segment_numbers(self._folder)
        newest = segment.newest_header(self._folder, numbers)
        if newest is None:
            return
        marked = mark[1] if mark and mark[0] == newest.spool_id else None
        first, offset = segment.split(position)
        numbers = [number for number in numbers if number >= first]
        self._note_missing(numbers)
        for number, following in itertools.zip_longest(numbers, numbers[1:]):
            start = max(offset, HEADER_SIZE) if number == first else HEADER_SIZE
            limit, synced, bounded = self._limits(number, following, marked)
            yield _Span(number, start, limit, synced, bounded, record.seed(newest.spool_id))

    def _limits(self, number: int, following: int | None, marked: int | None) -> tuple[int | None, int, bool]:
        """Return `limit`, `synced` and `bounded` of a span."""
        if following is None:
            return (None, 0, False) if marked is None else (_within(number, marked), marked, True)
        header = read_header(self._folder, following)
        if header is None:
            return None, 0, True
        return _within(number, header.synced) if header.exact else None, header.synced, True

    def _file_of(self, span: _Span) -> SegmentFile:
        path = segment_path(self._folder, span.number)
        key = (span.number, path.stat().st_ino)
        if self._file is None or self._file_key != key:
            self.close()
            self._file, self._file_key = SegmentFile(path), key
        self._file.limit = path.stat().st_size if span.limit is None else span.limit
        return self._file

    def _note_missing(self, numbers: list[int]) -> None:
        for number, following in itertools.pairwise(numbers):
            if following != number + 1:
                self._note_damage(segment.position(number + 1, 0), 0)

    def _note_damage(self, at: int, length: int) -> None:
        if at not in self.damage:
            self.damage[at] = length
            _log.error(
                "the spool in %s is damaged at position %d (%s): the mails there are lost",
                *(self._folder, at, f"{length} bytes" if length else "a whole segment is missing"),
            )


def _within(number: int, position: int) -> int | None:
    """Return the offset in segment `number` where `position` ends it; None: the end of the file."""
    other, offset = segment.split(position)
    if other == number:
        return offset
    return HEADER_SIZE if other < number else None
