"""List the messages of the outbox; make open ones due now; retry or drop dead letters (CLI, web ↔ ledger)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.engine import Database
from relay.ledger.recipients import free_recipients
from relay.ledger.results import RecipientState, StoredMessage
from relay.ledger.rows import chunks, entry_of
from relay.ledger.schema import IS_TO_TRY, bodies, deliveries, entries, messages, upstream
from relay.ledger.settlement import revive
from relay.model import Delivery, Entry, MessageKind, MessageState

_RECIPIENT_FIELDS = tuple(field.name for field in fields(RecipientState))
_RECIPIENT_COLUMNS = tuple(deliveries.c[name] for name in _RECIPIENT_FIELDS)


class Messages(Database):
    """The part of the ledger for `relay outbox` and the dashboard."""

    def messages(
        self, *, state: MessageState | None = None, route: str | None = None, limit: int = 100
    ) -> list[StoredMessage]:
        """Return messages with their deliveries, newest first."""
        query = select(messages).order_by(messages.c.created_at.desc(), messages.c.id)
        if state:
            query = query.where(messages.c.state == state)
        if route is not None:
            query = query.where(messages.c.route == route)
        with self._read() as connection:
            return _stored(connection, connection.execute(query.limit(limit)).all())

    def message(self, outbox_id: str) -> StoredMessage | None:
        """Return one message; None if there is none with that id."""
        with self._read() as connection:
            rows = connection.execute(select(messages).where(messages.c.id == outbox_id)).all()
            return next(iter(_stored(connection, rows)), None)

    def raw(self, outbox_id: str) -> bytes | None:
        """Return the message's bytes as they are sent; None if there is no such message or its bytes were purged."""
        with self._read() as connection:
            raw = connection.scalar(select(bodies.c.raw).where(bodies.c.outbox_id == outbox_id))
        return None if raw is None else bytes(raw)

    def entries_of(self, outbox_id: str) -> list[Entry]:
        """Return the message's entries in their order; [] after its bytes were purged."""
        query = select(entries.c.entry).where(entries.c.outbox_id == outbox_id).order_by(entries.c.number)
        with self._read() as connection:
            return [entry_of(text) for text in connection.scalars(query)]

    def retry(self, outbox_id: str, now: datetime) -> bool:
        """Reopen a DEAD message: its recipients are queued for a try at `now`, its mails are pending again.

        A recipient with another queued message of this route is DEFERRED instead, so that a catch-up digest covers it.
        A NOTICE is tried again only for recipients without one. Digests that died with a catch-up digest are reopened
        with it. Returns False if there is no dead letter with that id, or if a NOTICE has no such recipient.
        """
        with self._write(WriteMode.EXCLUSIVE) as connection:
            message = _dead(connection, outbox_id)
            if message is None:
                return False
            query = select(deliveries.c.recipient).where(deliveries.c.outbox_id == outbox_id)
            recipients = set(connection.scalars(query))
            free = free_recipients(connection, message.route, recipients)
            deferred = set() if message.kind is MessageKind.NOTICE else recipients - free
            if not free and not deferred:
                return False
            _requeue(connection, outbox_id, {Delivery.QUEUED: free, Delivery.DEFERRED: deferred}, now)
            revive(connection, outbox_id, now)
            first_try = now if free else None
            connection.execute(update(messages).where(messages.c.id == outbox_id).values(next_try_at=first_try))
            _end_pause(connection)
        return True

    def try_now(self, now: datetime, outbox_id: str | None = None) -> int:
        """Make open messages due at `now` (all of them, or one) and end the pause of the upstream.

        Returns their number. A message without a queued recipient is left out: a catch-up digest replaces it.
        """
        waiting = update(messages).where(IS_TO_TRY)
        if outbox_id is not None:
            waiting = waiting.where(messages.c.id == outbox_id)
        with self._write(WriteMode.EXCLUSIVE) as connection:
            count = connection.execute(waiting.values(next_try_at=now)).rowcount
            if count:
                _end_pause(connection)
        return count

    def drop(self, outbox_id: str, now: datetime) -> bool:
        """Drop a dead letter; its mails stay undelivered in the books. Returns False if there is none with that id."""
        with self._write(WriteMode.EXCLUSIVE) as connection:
            dead = update(messages).where(messages.c.id == outbox_id, messages.c.state == MessageState.DEAD)
            return connection.execute(dead.values(state=MessageState.DROPPED, ended_at=now)).rowcount > 0


def _end_pause(connection: Connection) -> None:
    """End the pause of the upstream: an administrator asks for a try now."""
    connection.execute(update(upstream).values(next_try_at=None))


def _dead(connection: Connection, outbox_id: str) -> Row[Any, Any] | None:
    query = select(messages.c.route, messages.c.kind).where(messages.c.id == outbox_id)
    return connection.execute(query.where(messages.c.state == MessageState.DEAD)).first()


def _requeue(connection: Connection, outbox_id: str, states: dict[Delivery, set[str]], now: datetime) -> None:
    for state, recipients in states.items():
        here = (deliveries.c.outbox_id == outbox_id, deliveries.c.recipient.in_(recipients))
        values = {"state": state, "taken": None, "covered_by": "", "at": now}
        connection.execute(update(deliveries).where(*here).values(**values))


def _stored(connection: Connection, rows: Sequence[Row[Any]]) -> list[StoredMessage]:
    by_message: dict[str, list[RecipientState]] = defaultdict(list)
    for chunk in chunks(row.id for row in rows):
        query = select(deliveries.c.outbox_id, *_RECIPIENT_COLUMNS).where(deliveries.c.outbox_id.in_(chunk))
        for outbox_id, *row in connection.execute(query.order_by(deliveries.c.recipient)):
            by_message[outbox_id].append(RecipientState(**dict(zip(_RECIPIENT_FIELDS, row, strict=True))))
    return [_stored_message(row, tuple(by_message[row.id])) for row in rows]


def _stored_message(row: Row[Any], recipients: tuple[RecipientState, ...]) -> StoredMessage:
    return StoredMessage(
        id=row.id,
        kind=row.kind,
        route=row.route,
        created_at=row.created_at,
        message_id=row.message_id,
        subject=row.subject,
        state=row.state,
        mails=row.mails,
        occurrences=row.occurrences,
        tries=row.tries,
        refusals=row.refusals,
        ambiguous=row.ambiguous,
        next_try_at=row.next_try_at,
        ended_at=row.ended_at,
        claimed_by=row.claimed_by,
        claimed_until=row.claimed_until,
        told_by=row.told_by,
        deliveries=recipients,
    )
