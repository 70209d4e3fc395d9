"""Write mails into the spool by group commit: a group is written together and synced once, then all are answered.

Used by the receiver. Mails that arrive while a thread syncs one group form the next one; without others, one mail is a
group. If other mails are about to arrive, a group waits for them, at most `GROUP_WAIT` seconds: sharing a sync shares
all work that goes with it, and clients that are answered together send together again (as with PostgreSQL's
commit_delay and commit_siblings).
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
"""Longest time in seconds for which a group waits for more mails."""
SWITCH_INTERVAL = 0.0001
"""Seconds after which a busy event loop has to let the writing thread run when it returns from a sync. Python's default
is 5 ms, in which the disk could do ten more syncs."""
RENEW_AFTER = 10.0
"""Seconds after a mail until another segment is begun, however small this one is. Only then can this one be removed:
ingested mails must not stay unredacted on the disk."""
RENEW_RETRY = 0.5
"""Seconds until the next try if a group is being written at that time."""

_log = logging.getLogger(__name__)


Outcome = int | SpoolError
"""A mail's position, or the error."""


class _Pending(NamedTuple):
    draft: Draft
    may_use_reserve: bool
    done: Callable[[Outcome], None]


_Group = list[_Pending]


def _expects_none(_: float) -> bool:
    return False


def _do_nothing() -> None:
    pass


class SpoolWriter:
    """Writes a spool; one for each spool, in the receiver's event loop."""

    def __init__(self, log: SegmentLog, *, group_size: int) -> None:
        """See `open`. `group_size` is about the largest group in bytes."""
        self._segments = log
        self._group_size = group_size
        self._pending: deque[_Pending] = deque()
        self._groups: SimpleQueue[tuple[_Group, bytes] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        """The receiver's loop, known from the first mail on."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._writing = False
        """True while the thread writes a group or another segment is being begun."""
        self._scheduled: asyncio.Handle | None = None
        """The scheduled start of the next group."""
        self._renewal: asyncio.TimerHandle | None = None
        """The scheduled start of the next segment; None if nothing was written since the last."""
        self._more: Callable[[float], bool] = _expects_none
        self._closed = False
        self.on_change: Callable[[], None] = _do_nothing
        """Called in the loop after mails were stored, and after another segment was begun. It must not raise."""
        self.records = 0
        """Records written since the start."""
        self.syncs = 0
        """Groups synced since the start."""

    @classmethod
    def open(cls, folder: Path, *, segment_size: int = SEGMENT_SIZE) -> Self:
        """Open the spool in `folder`, or create it, and begin a segment of `segment_size` bytes.

        Blocks. Raises InUse if another process writes there, SpoolError if the folder cannot be used.
        """
        return cls(SegmentLog.open(folder, segment_size), group_size=segment_size // 2)

    @property
    def spool_id(self) -> str:
        """32 random hex digits, constant for this spool."""
        return self._segments.spool_id.hex()

    async def append(self, mail: IncomingMail) -> int:
        """Store a mail and return its position once it is on the disk.

        Raises SpoolFull if there is no room, SpoolError if the disk fails; then the mail is not in the spool. A
        count-only mail may fit even on a full disk, since it has a reserve. Cancelling the call only ends the wait.
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
        """Store a mail as `append` does and call `done` in the loop, later, with its position or the error.

        Made for thousands of mails a second: it needs neither a task nor a future per mail. `done` must not raise.
        `more` returns whether other mails are about to arrive at a given loop time; a group may wait for them up to
        `GROUP_WAIT` seconds. Raises SpoolError if the spool is closed.
        """
        if self._closed:
            raise SpoolError("the spool is closed: the receiver is stopping")
        self._pending.append(_Pending(Draft.of(mail), mail.retained is Retained.COUNT, done))
        self._more = more
        self._idle.clear()
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # once: each call asks the kernel for the process id
        if not self._writing:
            self._schedule_group(self._loop)

    def _schedule_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Schedule the next group after all callbacks of this loop iteration, or later if more mails are coming."""
        if self._more(loop.time()):
            self._scheduled = self._scheduled or loop.call_later(GROUP_WAIT, self._begin_group, loop)
            return
        if self._scheduled is not None:
            self._scheduled.cancel()
        self._scheduled = loop.call_soon(self._begin_group, loop)

    def _begin_group(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand the next group to the thread."""
        self._scheduled = None
        self._writing = True
        if self._thread is None:
            sys.setswitchinterval(min(SWITCH_INTERVAL, sys.getswitchinterval()))
            self._thread = threading.Thread(target=self._write_groups, args=(loop,), name="spool", daemon=True)
            self._thread.start()
        self._groups.put(self._next_group())

    def _next_group(self) -> tuple[_Group, bytes]:
        """Return the next group and its bytes: in order, either all count-only or none, about `group_size` bytes.

        Called only while no other group is being written, in the loop or in the thread.
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
        """Run in the thread: write and sync one group at a time.

        If a write took longer than `GROUP_WAIT`, the mails that gathered meanwhile have waited long enough and are
        written at once.
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
        """Return the position of the group's first record, or the error."""
        try:
            return self._segments.append(data, may_use_reserve=group[0].may_use_reserve)
        except SpoolError as error:
            return error
        except Exception:  # noqa: BLE001 -- every mail must get an answer, whatever the error
            _log.exception("writing to the spool failed with an unexpected error")
            return SpoolError("cannot write to the spool; see the receiver's log")

    def _end_group(
        self,
        loop: asyncio.AbstractEventLoop,
        group: _Group,
        outcome: int | SpoolError,
        last: bool,  # noqa: FBT001 -- call_soon takes no keywords
    ) -> None:
        """Answer the mails of a group. `last`: the thread waits now, and gets the next group from here."""
        if last:
            self._writing = False
            self._start_next(loop)  # first, so that the disk works while the replies are sent
        if isinstance(outcome, SpoolError):
            _report_error(group, outcome)
        else:
            self.records += len(group)
            self.syncs += 1
            _report_success(group, outcome)
            self.on_change()
            if self._renewal is None:
                self._renewal = loop.call_later(RENEW_AFTER, self._renew, loop)

    def _renew(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin another segment in a thread, while no group is being written."""
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
        self.on_change()  # the former segment can be removed now

    def _start_next(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._pending:
            self._idle.set()
        elif self._more(loop.time()):
            self._schedule_group(loop)
        else:
            self._begin_group(loop)

    async def close(self) -> None:
        """Refuse further mails, wait for those in progress, close the files."""
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
