"""What all connections share, and the one thing they do: put a mail into the spool.

When there is no room for a mail, the fact that it came is kept: the app never sees our
trouble while anything at all can be stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from relay.errors import ConfigError, SpoolError
from relay.model import Envelope, IncomingMail, Retained
from relay.receive import replies
from relay.receive.admission import Admission, Client
from relay.receive.auth import Login
from relay.receive.certificate import Certificate
from relay.receive.content import Content
from relay.receive.counters import Counters
from relay.receive.limits import Access, Limits
from relay.receive.memory import MemoryBudget
from relay.receive.networks import Networks

_JUST_NOW = 0.003
"""Seconds: a client in the middle of its mail that was heard of since then is about to end it."""

_log = logging.getLogger(__name__)


class Spool(Protocol):
    """Where mails go: `relay.spool.SpoolWriter`."""

    records: int
    syncs: int

    def submit(
        self,
        mail: IncomingMail,
        *,
        done: Callable[[int | SpoolError], None],
        more: Callable[[float], bool],
    ) -> None:
        """Call `done` once the mail is on the disk, or with the reason why it is not. Raises SpoolError.

        `more` says at a moment of the loop whether other mails are about to come, for which it may wait a little.
        """


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Intake:
    """One receiver's limits, counters, connections and spool."""

    def __init__(self, spool: Spool, limits: Limits, access: Access, *, now: Callable[[], datetime] = _utc_now) -> None:
        """Raises ConfigError where `access` cannot be used: its certificate, its password's hash."""
        self.admission = Admission(limits.max_connections, limits.max_per_client)
        self.room = MemoryBudget(limits.max_memory)
        self.change(limits, access)
        self.counters = Counters()
        self.connections: set[Client] = set()
        """All sockets; of those in the roster nobody has taken leave yet."""
        self.stopping = False
        self.quiet = asyncio.Event()
        """Set while no connection is open."""
        self.quiet.set()
        self._spool = spool
        self._now = now
        self._in_trouble = False

    def change(self, limits: Limits, access: Access) -> None:
        """Go by these from the next command or connection on. Raises ConfigError, and changes nothing then."""
        certificate = Certificate(access.tls_cert, access.tls_key) if access.tls_cert else None
        self.login, self.certificate = _login(access), certificate
        self.limits = limits
        self.auth_in_clear = access.auth_in_clear
        self.clients, self.proxies = Networks(access.clients), Networks(access.proxies)
        self.room.change(limits.max_memory)
        self.admission.change(limits.max_connections, limits.max_per_client)

    def take(self, envelope: Envelope, content: Content, answer: Callable[[bytes], None]) -> None:
        """Put a complete mail into the spool and call `answer` with the reply to it, later. Raises SpoolError."""
        retained, data = content.retained()
        mail = IncomingMail(
            received_at=self._now(), envelope=envelope, retained=retained, content=data, size=content.size
        )
        claimed = content.claimed

        def outcome(found: int | SpoolError) -> None:
            self.room.free(claimed)
            if isinstance(found, SpoolError):
                self._note_trouble(found)
                self._count_only(mail, answer)
            else:
                self._in_trouble = False
                self._book(mail)
                answer(replies.STORED)

        try:
            self._spool.submit(mail, done=outcome, more=self._more_to_come)
        except Exception:
            content.give_up()
            raise

    def _more_to_come(self, now: float) -> bool:
        """True where a client is in the middle of its mail and was heard of just before `now`, a moment of the loop."""
        return self.admission.has_sender_since(now - _JUST_NOW)

    def _count_only(self, mail: IncomingMail, answer: Callable[[bytes], None]) -> None:
        """Keep no more of a mail than the fact that it came."""
        bare = Envelope(sender=mail.envelope.sender, recipients=(), peer=mail.envelope.peer)
        counter = mail._replace(envelope=bare, retained=Retained.COUNT, content=b"")

        def outcome(found: int | SpoolError) -> None:
            if isinstance(found, SpoolError):
                self._note_trouble(found)
                answer(replies.NO_ROOM)
            else:
                self._book(counter)
                answer(replies.STORED)

        try:
            self._spool.submit(counter, done=outcome, more=self._more_to_come)
        except SpoolError as error:
            outcome(error)

    def _note_trouble(self, error: SpoolError) -> None:
        if not self._in_trouble:
            _log.error("%s", error)  # once: with every mail it would fill what room is left
        self._in_trouble = True

    def _book(self, mail: IncomingMail) -> None:
        counters = self.counters
        counters.mails += 1
        counters.mail_bytes += mail.size
        counters.cut += mail.retained is Retained.ENDS
        counters.counted += mail.retained is Retained.COUNT

    def opened(self, connection: Client) -> None:
        """A socket was opened."""
        self.connections.add(connection)
        self.counters.connections = len(self.connections)
        self.counters.connections_total += 1
        self.quiet.clear()

    def closed(self, connection: Client) -> None:
        """A socket was closed."""
        self.connections.discard(connection)
        self.counters.connections = len(self.connections)
        self.admission.leave(connection)
        if not self.connections:
            self.quiet.set()

    def end_overdue(self, now: float) -> None:
        """Hang up on every client whose time is over at `now`, a moment of the loop."""
        for connection in self.admission:
            connection.end_if_overdue(now)

    def snapshot(self) -> dict[str, int]:
        """What the spool counts, to be published with the counters."""
        return {"records": self._spool.records, "syncs": self._spool.syncs}


def _login(access: Access) -> Login:
    try:
        return Login(access.username, access.password)
    except ValueError as error:
        raise ConfigError((f"smtp.password {error}",)) from error
