"""Group commit: whatever has gathered is written at once and synced once, then all of it is answered.

Belongs to the receiver. While one group is being synced in a thread of its own, the next
gathers; with one mail at a time a group is one mail. While others are about to come, a group
waits for them, a moment at most: what shares a sync shares all that goes with it, and clients
that are answered together come back together (as PostgreSQL's commit_delay and commit_siblings).
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple, Self

from relay.errors import SpoolError
from relay.model import IncomingMail, Retained
from relay.spool.record import Draft
from relay.spool.segments import MAX_COUNT_GROUP, SegmentLog

SEGMENT_SIZE = 8 << 20
GROUP_WAIT = 0.002
"""Seconds for which a group waits for more, at most."""
SWITCH_INTERVAL = 0.0001
"""Seconds after which a busy loop has to let the thread on that comes back from a sync: in Python's own 5 ms the disk
could do ten more."""
RENEW_AFTER = 10.0
"""Seconds from a mail to the next segment, however small this one is: what is sorted does not stay as it came."""
RENEW_RETRY = 0.5
"""Seconds after which that is tried again where a group was just being written."""

_log = logging.getLogger(__name__)


Outcome = int | SpoolError
"""A mail's position, or why it has none."""


class _Pending(NamedTuple):
    draft: Draft
    may_use_reserve: bool
    done: Callable[[Outcome], None]


_Group = list[_Pending]


def _expects_none(_: float) -> bool:
    return False


class SpoolWriter:
    """The writing end of a spool; one for each, in the receiver's event loop."""

    def __init__(self, log: SegmentLog, *, group_size: int) -> None:
        """See `open`; `group_size` in bytes is about the most that is synced at once."""
        self._segments = log
        self._group_size = group_size
        self._pending: deque[_Pending] = deque()
        self._groups: SimpleQueue[tuple[_Group, bytes] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """The receiver's, known from the first mail on."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._writing = False
        """A group is with the thread, or another segment is being begun."""
        self._scheduled: asyncio.Handle | None = None
        """The beginning of the next group."""
        self._renewal: asyncio.TimerHandle | None = None
        """When the next segment is begun; None while nothing was written since the last."""
        self._more: Callable[[float], bool] = _expects_none
        self._closed = False
        self.records = 0
        """Records written since the start."""
        self.syncs = 0
        """Groups they were synced in."""

    @classmethod
    def open(cls, folder: Path, *, segment_size: int = SEGMENT_SIZE) -> Self:
        """Take over the spool in `folder`, making it where there is none, and begin a segment of `segment_size` bytes.

        Blocks. Raises InUse where another process writes there, SpoolError where the folder cannot be used.
        """
        return cls(SegmentLog.open(folder, segment_size), group_size=segment_size // 2)

    @property
    def spool_id(self) -> str:
        """32 hex digits, random, the same for as long as this spool exists."""
        return self._segments.spool_id.hex()

    async def append(self, mail: IncomingMail) -> int:
        """Put a mail down and return its position once it is on the disk.

        Raises SpoolFull where there is no room (a mail of which no more than the COUNT is kept may still fit: it has a
        reserve), SpoolError where the disk fails. Then the mail is not in the spool. Cancelling the call cancels
        nothing but the wait.
        """
        position: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if position.done():
                return
            if isinstance(outcome, SpoolError):
                position.set_exception(outcome)
            else:
                position.set_result(outcome)

        self.submit(mail, done=done)
        return await position

    def submit(
        self,
        mail: IncomingMail,
        *,
        done: Callable[[Outcome], None],
        more: Callable[[float], bool] = _expects_none,
    ) -> None:
        """Put a mail down as `append` does and call `done`, later and in the loop, with its position or the error.

        For those who take thousands of mails a second: neither a task nor a future is made for one. `done` must not
        raise. `more` says at a moment of the loop whether others are about to come, for which it may wait a MOMENT.
        Raises SpoolError where the spool is closed.
        """
        if self._closed:
            raise SpoolError("the spool is closed: the receiver is stopping")
        self._pending.append(_Pending(Draft.of(mail), mail.retained is Retained.COUNT, done))
        self._more = more
        self._idle.clear()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # once: it asks the kernel for the process' id each time
        if not self._writing:
            self._schedule_group(self._loop)

    def _schedule_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the next group begun: after all that this turn of the loop brings, or a moment later for more."""
        if self._more(loop.time()):
            self._scheduled = self._scheduled or loop.call_later(GROUP_WAIT, self._begin_group, loop)
            return
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._scheduled = loop.call_soon(self._begin_group, loop)

    def _begin_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the next group over to the thread."""
        self._scheduled = None
        self._writing = True
        if self._thread is None:
            sys.setswitchinterval(min(SWITCH_INTERVAL, sys.getswitchinterval()))
            self._thread = threading.Thread(target=self._write_groups, args=(loop,), name="spool", daemon=True)
            self._thread.start()
        self._groups.put(self._next_group())

    def _next_group(self) -> tuple[_Group, bytes]:
        """Take the next group, with its bytes: in order, all counters or none, not much larger than a group may be.

        Only where no other group is under way, whether in the loop or in the thread.
        """
        group = [self._pending.popleft()]
        size, most = len(group[0].draft), MAX_COUNT_GROUP if group[0].may_use_reserve else self._group_size
        while self._pending and self._pending[0].may_use_reserve == group[0].may_use_reserve:
            size += len(self._pending[0].draft)
            if size > most:
                break
            group.append(self._pending.popleft())
        segments = self._segments
        return group, b"".join([pending.draft.encode(synced=segments.synced, seed=segments.seed) for pending in group])

    def _write_groups(self, loop: asyncio.AbstractEventLoop) -> None:
        """What the thread does: nothing but write and sync, one group at a time.

        Where that took more than a moment, what has gathered meanwhile has waited long enough: it is next, at once.
        """
        while (job := self._groups.get()) is not None:
            while job is not None:
                group, data = job
                began = time.monotonic()
                outcome = self._write(group, data)
                slow = time.monotonic() - began > GROUP_WAIT
                job = self._next_group() if slow and self._pending else None
                loop.call_soon_threadsafe(self._end_group, loop, group, outcome, job is None)

    def _write(self, group: _Group, data: bytes) -> int | SpoolError:
        """Return the position of the group's first record, or why there is none."""
        try:
            return self._segments.append(data, may_use_reserve=group[0].may_use_reserve)
        except SpoolError as error:
            return error
        except Exception:  # noqa: BLE001 -- whatever it is, nobody may be left waiting for an answer
            _log.exception("writing to the spool failed in an unforeseen way")
            return SpoolError("cannot write to the spool; the receiver's log says more")

    def _end_group(
        self,
        loop: asyncio.AbstractEventLoop,
        group: _Group,
        outcome: int | SpoolError,
        last: bool,  # noqa: FBT001 -- call_soon knows no names
    ) -> None:
        """Answer a group; after the `last` one the thread waits for another."""
        if last:
            self._writing = False
            self._start_next(loop)  # first: the disk works while the answers go out
        if isinstance(outcome, SpoolError):
            _report_error(group, outcome)
        else:
            self.records += len(group)
            self.syncs += 1
            _report_success(group, outcome)
            if self._renewal is None:
                self._renewal = loop.call_later(RENEW_AFTER, self._renew, loop)

    def _renew(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have a thread begin another segment, while no group is under way."""
        self._renewal = None
        if self._closed:
            return
        if self._writing or self._pending:
            self._renewal = loop.call_later(RENEW_RETRY, self._renew, loop)
            return
        self._writing = True
        self._idle.clear()
        loop.run_in_executor(None, self._segments.renew).add_done_callback(lambda _: self._end_renewal(loop))

    def _end_renewal(self, loop: asyncio.AbstractEventLoop) -> None:
        self._writing = False
        self._start_next(loop)

    def _start_next(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._pending:
            self._idle.set()
        elif self._more(loop.time()):
            self._schedule_group(loop)
        else:
            self._begin_group(loop)

    async def close(self) -> None:
        """Refuse further appends, wait for those under way, close the files."""
        self._closed = True
        if self._renewal is not None:
            self._renewal.cancel()
        await self._idle.wait()
        if self._thread is not None:
            self._groups.put(None)
            self._thread.join()
        self._segments.close()


def _report_success(group: Sequence[_Pending], position: int) -> None:
    for pending in group:
        pending.done(position)
        position += len(pending.draft)


def _report_error(group: Sequence[_Pending], error: SpoolError) -> None:
    for pending in group:
        pending.done(type(error)(str(error)))
