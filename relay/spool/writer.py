"""Group commit: whatever has gathered is written at once and synced once, then all of it is answered.

Belongs to the receiver. While one group is being synced in a thread of its own, the next
gathers; with one mail at a time a group is one mail.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Self

from relay.errors import SpoolError
from relay.model import Envelope, Kept
from relay.spool.log import Log
from relay.spool.record import Draft

SEGMENT_SIZE = 8 << 20

_log = logging.getLogger(__name__)


class _Waiting(NamedTuple):
    draft: Draft
    last_resort: bool
    position: asyncio.Future[int]


class SpoolWriter:
    """The writing end of a spool; one for each, in the receiver's event loop."""

    def __init__(self, log: Log, *, group_size: int) -> None:
        """See `open`; `group_size` in bytes is about the most that is synced at once."""
        self._spool = log
        self._group_size = group_size
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._waiting: deque[_Waiting] = deque()
        self._commits: asyncio.Task[None] | None = None
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
        return cls(Log.open(folder, segment_size), group_size=segment_size // 2)

    @property
    def spool_id(self) -> str:
        """32 hex digits, random, the same for as long as this spool exists."""
        return self._spool.spool_id.hex()

    async def append(self, *, received_at: datetime, envelope: Envelope, kept: Kept, content: bytes, size: int) -> int:
        """Put a mail down and return its position once it is on the disk; `size` in bytes is that of the whole mail.

        Raises SpoolFull where there is no room (a mail of which no more than the COUNT is kept may still fit: it has a
        reserve), SpoolError where the disk fails. Then the mail is not in the spool. Cancelling the call cancels
        nothing but the wait.
        """
        if self._closed:
            raise SpoolError("the spool is closed: the receiver is stopping")
        draft = Draft.of(envelope, kept, content, received_at=received_at, size=size)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(draft, kept is Kept.COUNT, loop.create_future())
        self._waiting.append(waiting)
        if self._commits is None:
            self._commits = loop.create_task(self._commit_all())
        return await waiting.position

    async def _commit_all(self) -> None:
        while self._waiting:
            group = self._take()
            try:
                first = await self._commit(group)
            except SpoolError as error:
                _refuse(group, error)
            except Exception:  # noqa: BLE001 -- whatever it is, nobody may be left waiting for an answer
                _log.exception("writing to the spool failed in an unforeseen way")
                _refuse(group, SpoolError("cannot write to the spool; the receiver's log says more"))
            else:
                _answer(group, first)
        self._commits = None

    def _take(self) -> list[_Waiting]:
        """Take the next group: in order, all counters or none, and not much larger than a group may be."""
        group = [self._waiting.popleft()]
        size = len(group[0].draft)
        while self._waiting and self._waiting[0].last_resort == group[0].last_resort:
            size += len(self._waiting[0].draft)
            if size > self._group_size:
                break
            group.append(self._waiting.popleft())
        return group

    async def _commit(self, group: Sequence[_Waiting]) -> int:
        spool = self._spool
        data = b"".join([waiting.draft.encode(synced=spool.synced, seed=spool.seed) for waiting in group])
        loop = asyncio.get_running_loop()
        first = await loop.run_in_executor(self._thread, lambda: spool.append(data, last_resort=group[0].last_resort))
        self.records += len(group)
        self.syncs += 1
        return first

    async def close(self) -> None:
        """Refuse further appends, wait for those under way, close the files."""
        self._closed = True
        if self._commits is not None:
            await self._commits
        self._thread.shutdown()
        self._spool.close()


def _answer(group: Sequence[_Waiting], position: int) -> None:
    for waiting in group:
        if not waiting.position.done():
            waiting.position.set_result(position)
        position += len(waiting.draft)


def _refuse(group: Sequence[_Waiting], error: SpoolError) -> None:
    for waiting in group:
        if not waiting.position.done():
            waiting.position.set_exception(type(error)(str(error)))
