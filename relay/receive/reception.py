"""What all connections share, and the one thing they do: put a mail into the spool.

When there is no room for a mail, the fact that it came is kept: the app never sees our
trouble while anything at all can be stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from relay.errors import SpoolError
from relay.model import Envelope, Kept
from relay.receive import replies
from relay.receive.content import Content
from relay.receive.counters import Counters
from relay.receive.limits import Limits
from relay.receive.roster import Roster

if TYPE_CHECKING:
    from relay.receive.connection import Connection

_log = logging.getLogger(__name__)


class Spool(Protocol):
    """Where mails go: `relay.spool.SpoolWriter`."""

    records: int
    syncs: int

    async def append(self, *, received_at: datetime, envelope: Envelope, kept: Kept, content: bytes, size: int) -> int:
        """Return once the mail is on the disk; raise SpoolError where it is not."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Reception:
    """One receiver's limits, counters, connections and spool."""

    def __init__(self, spool: Spool, limits: Limits, *, now: Callable[[], datetime] = _utc_now) -> None:
        self.limits = limits
        self.counters = Counters()
        self.roster: Roster[Connection] = Roster(limits.max_connections)
        self.stopping = False
        self.quiet = asyncio.Event()
        """Set while no connection is open."""
        self.quiet.set()
        self._spool = spool
        self._now = now
        self._in_trouble = False

    async def take(self, envelope: Envelope, content: Content) -> bytes:
        """Put a complete mail into the spool and return the reply to it."""
        kept, data = content.kept()
        moment = self._now()
        if not await self._append(moment, envelope, kept, data, content.size):
            kept = Kept.COUNT
            bare = Envelope(sender=envelope.sender, recipients=(), peer=envelope.peer)
            if not await self._append(moment, bare, kept, b"", content.size):
                return replies.NO_ROOM
        self._book(kept, content.size)
        return replies.STORED

    async def _append(self, moment: datetime, envelope: Envelope, kept: Kept, data: bytes, size: int) -> bool:
        try:
            await self._spool.append(received_at=moment, envelope=envelope, kept=kept, content=data, size=size)
        except SpoolError as error:
            if not self._in_trouble:
                _log.error("%s", error)  # once: with every mail it would fill what room is left
            self._in_trouble = True
            return False
        if self._in_trouble and kept is not Kept.COUNT:
            self._in_trouble = False
        return True

    def _book(self, kept: Kept, size: int) -> None:
        counters = self.counters
        counters.mails += 1
        counters.mail_bytes += size
        counters.cut += kept is Kept.ENDS
        counters.counted += kept is Kept.COUNT

    def opened(self) -> None:
        """A socket was opened."""
        self.counters.connections += 1
        self.counters.connections_total += 1
        self.quiet.clear()

    def closed(self) -> None:
        """A socket was closed."""
        self.counters.connections -= 1
        if not self.counters.connections:
            self.quiet.set()

    def snapshot(self) -> dict[str, int]:
        """What the spool counts, to be published with the counters."""
        return {"records": self._spool.records, "syncs": self._spool.syncs}
