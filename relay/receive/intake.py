"""What all connections of a receiver share (limits, memory, counters, admission), and how a mail gets into the spool.

If the disk has no room for a mail, only its count is stored. So an app sees a storage failure only if not even the
count can be stored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from relay.errors import ConfigError, SpoolError
from relay.model import Envelope, IncomingMail, Retained
from relay.receive import replies
from relay.receive.admission import Admission, Client
from relay.receive.auth import Authenticator
from relay.receive.certificate import Certificate
from relay.receive.content import Content
from relay.receive.counters import Counters
from relay.receive.memory import MemoryBudget
from relay.receive.networks import Networks
from relay.receive.options import Access, Limits

_RECENTLY = 0.003
"""Seconds. A client in the middle of its mail that sent something within this time is about to finish it."""

_log = logging.getLogger(__name__)


class Spool(Protocol):
    """Where mails are stored: `relay.spool.SpoolWriter`."""

    records: int
    syncs: int

    def submit(
        self,
        mail: IncomingMail,
        *,
        done: Callable[[int | SpoolError], None],
        more: Callable[[float], bool],
    ) -> None:
        """Store `mail` and call `done` once it is on the disk, or with the error. Raises SpoolError.

        `more` returns whether other mails are about to arrive at a given loop time; the spool may wait for them
        briefly.
        """


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Intake:
    """Limits, counters, connections and spool of one receiver."""

    def __init__(self, spool: Spool, limits: Limits, access: Access, *, now: Callable[[], datetime] = _utc_now) -> None:
        """Raises ConfigError if the certificate or the password hash in `access` cannot be used."""
        self.admission = Admission(limits.max_connections, limits.max_per_client)
        self.memory = MemoryBudget(limits.max_memory)
        self.change(limits, access)
        self.counters = Counters()
        self.connections: set[Client] = set()
        """All open connections, also those that the admission has already removed."""
        self.stopping = False
        self.all_closed = asyncio.Event()
        """Set while no connection is open."""
        self.all_closed.set()
        self._spool = spool
        self._now = now
        self._spool_failing = False

    def change(self, limits: Limits, access: Access) -> None:
        """Apply these from the next command or connection on. Raises ConfigError and then changes nothing."""
        certificate = Certificate(access.tls_cert, access.tls_key) if access.tls_cert else None
        self.authenticator, self.certificate = _authenticator(access), certificate
        self.limits = limits
        self.auth_in_clear = access.auth_in_clear
        self.clients, self.proxies = Networks(access.clients), Networks(access.proxies)
        self.memory.change(limits.max_memory)
        self.admission.change(limits.max_connections, limits.max_per_client)

    def store_mail(self, envelope: Envelope, content: Content, send_reply: Callable[[bytes], None]) -> None:
        """Put a complete mail into the spool; call `send_reply` later with the reply to it. Raises SpoolError."""
        retained, data = content.retained()
        mail = IncomingMail(
            received_at=self._now(), envelope=envelope, retained=retained, content=data, size=content.size
        )
        claimed, began = content.claimed, time.perf_counter()

        def stored(outcome: int | SpoolError) -> None:
            self.memory.free(claimed)
            if isinstance(outcome, SpoolError):
                self._log_spool_failure(outcome)
                self._store_count_only(mail, send_reply, began)
            else:
                self._spool_failing = False
                self._count(mail, began)
                send_reply(replies.STORED)

        try:
            self._spool.submit(mail, done=stored, more=self._expects_more_mail)
        except Exception:
            content.discard()
            raise

    def _expects_more_mail(self, now: float) -> bool:
        """True if a client in the middle of its mail sent something shortly before loop time `now`."""
        return self.admission.has_sender_since(now - _RECENTLY)

    def _store_count_only(self, mail: IncomingMail, send_reply: Callable[[bytes], None], began: float) -> None:
        """Store only the count of a mail that ended at `began`, because the mail itself could not be stored."""
        bare = Envelope(sender=mail.envelope.sender, recipients=(), peer=mail.envelope.peer)
        counter = mail._replace(envelope=bare, retained=Retained.COUNT, content=b"")

        def stored(outcome: int | SpoolError) -> None:
            if isinstance(outcome, SpoolError):
                self._log_spool_failure(outcome)
                send_reply(replies.NO_ROOM)
            else:
                self._count(counter, began)
                send_reply(replies.STORED)

        try:
            self._spool.submit(counter, done=stored, more=self._expects_more_mail)
        except SpoolError as error:
            stored(error)

    def _log_spool_failure(self, error: SpoolError) -> None:
        if not self._spool_failing:
            _log.error("%s", error)  # once, not for each mail: the log would fill the rest of the disk
        self._spool_failing = True

    def _count(self, mail: IncomingMail, began: float) -> None:
        counters = self.counters
        counters.reply_seconds.observe(time.perf_counter() - began)
        counters.mails += 1
        counters.mail_bytes += mail.size
        counters.cut += mail.retained is Retained.ENDS
        counters.counted += mail.retained is Retained.COUNT

    def opened(self, connection: Client) -> None:
        """Register an open connection."""
        self.connections.add(connection)
        self.counters.connections = len(self.connections)
        self.counters.connections_total += 1
        self.all_closed.clear()

    def closed(self, connection: Client) -> None:
        """Remove a closed connection."""
        self.connections.discard(connection)
        self.counters.connections = len(self.connections)
        self.admission.remove(connection)
        if not self.connections:
            self.all_closed.set()

    def close_overdue(self, now: float) -> None:
        """Close every connection whose client exceeded a time limit at loop time `now`."""
        for connection in self.admission:
            connection.close_if_overdue(now)

    def snapshot(self) -> dict[str, int]:
        """Return the spool's counters, to be published with the receiver's own."""
        return {"records": self._spool.records, "syncs": self._spool.syncs}


def _authenticator(access: Access) -> Authenticator:
    try:
        return Authenticator(access.username, access.password)
    except ValueError as error:
        raise ConfigError((f"smtp.password {error}",)) from error
