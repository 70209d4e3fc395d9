"""Lists the letters of the outbox for people, and does what they ask of dead ones (CLI, web ↔ ledger)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.engine import Database
from relay.ledger.recipients import free_recipients
from relay.ledger.results import RecipientState, StoredMessage
from relay.ledger.rows import chunks, entry_of
from relay.ledger.schema import bodies, deliveries, entries, letters
from relay.ledger.settlement import revive
from relay.model import Delivery, Entry, MessageKind, MessageState


class Messages(Database):
    """The ledger's part for `relay outbox` and the dashboard."""

    def letters(
        self, *, state: MessageState | None = None, route: str | None = None, limit: int = 100
    ) -> list[StoredMessage]:
        """Letters with their deliveries, newest first."""
        query = select(letters).order_by(letters.c.created_at.desc(), letters.c.id)
        if state:
            query = query.where(letters.c.state == state)
        if route is not None:
            query = query.where(letters.c.route == route)
        with self._read() as connection:
            return _stored(connection, connection.execute(query.limit(limit)).all())

    def letter(self, letter_id: str) -> StoredMessage | None:
        """One letter; None where there is none of that id."""
        with self._read() as connection:
            rows = connection.execute(select(letters).where(letters.c.id == letter_id)).all()
            return next(iter(_stored(connection, rows)), None)

    def raw(self, letter_id: str) -> bytes | None:
        """The letter's bytes as they go over the wire; None where there is no such letter, or its bytes were purged."""
        with self._read() as connection:
            raw = connection.scalar(select(bodies.c.raw).where(bodies.c.letter_id == letter_id))
        return None if raw is None else bytes(raw)

    def entries_of(self, letter_id: str) -> list[Entry]:
        """What the letter tells, in its order; [] after its bytes were purged."""
        query = select(entries.c.entry).where(entries.c.letter_id == letter_id).order_by(entries.c.number)
        with self._read() as connection:
            return [entry_of(text) for text in connection.scalars(query)]

    def retry(self, letter_id: str, now: datetime) -> bool:
        """Revive a DEAD letter: open again, its recipients queued for a try at `now`, its mails pending again.

        A recipient who has another letter of this route queued is HELD instead, so that a follow-up covers it; of a
        NOTICE only free recipients are tried again. Digests that died with a follow-up are revived with it.
        False where there is no dead letter of that id, or (NOTICE) all its recipients are busy.
        """
        with self._write(WriteMode.EXCLUSIVE) as connection:
            letter = _dead(connection, letter_id)
            if letter is None:
                return False
            query = select(deliveries.c.recipient).where(deliveries.c.letter_id == letter_id)
            recipients = set(connection.scalars(query))
            free = free_recipients(connection, letter.route, recipients)
            held = set() if letter.kind is MessageKind.NOTICE else recipients - free
            if not free and not held:
                return False
            _requeue(connection, letter_id, {Delivery.QUEUED: free, Delivery.DEFERRED: held}, now)
            revive(connection, letter_id, now)
            first_try = now if free else None
            connection.execute(update(letters).where(letters.c.id == letter_id).values(next_try_at=first_try))
        return True

    def drop(self, letter_id: str, now: datetime) -> bool:
        """Let a DEAD letter go; its mails stay undelivered in the books. False where there is no such dead letter."""
        with self._write(WriteMode.EXCLUSIVE) as connection:
            dead = update(letters).where(letters.c.id == letter_id, letters.c.state == MessageState.DEAD)
            return connection.execute(dead.values(state=MessageState.DROPPED, ended_at=now)).rowcount > 0


def _dead(connection: Connection, letter_id: str) -> Row[Any, Any] | None:
    query = select(letters.c.route, letters.c.kind).where(letters.c.id == letter_id)
    return connection.execute(query.where(letters.c.state == MessageState.DEAD)).first()


def _requeue(connection: Connection, letter_id: str, states: dict[Delivery, set[str]], now: datetime) -> None:
    for state, recipients in states.items():
        here = (deliveries.c.letter_id == letter_id, deliveries.c.recipient.in_(recipients))
        values = {"state": state, "taken": None, "covered_by": "", "at": now}
        connection.execute(update(deliveries).where(*here).values(**values))


def _stored(connection: Connection, rows: Sequence[Row[Any]]) -> list[StoredMessage]:
    by_letter: dict[str, list[RecipientState]] = defaultdict(list)
    for chunk in chunks(row.id for row in rows):
        query = select(deliveries).where(deliveries.c.letter_id.in_(chunk)).order_by(deliveries.c.recipient)
        for row in connection.execute(query):
            by_letter[row.letter_id].append(_addressee(row))
    return [_stored_letter(row, tuple(by_letter[row.id])) for row in rows]


def _addressee(row: Row[Any]) -> RecipientState:
    return RecipientState(
        recipient=row.recipient,
        state=row.state,
        at=row.at,
        code=row.code,
        text=row.text,
        covered_by=row.covered_by,
    )


def _stored_letter(row: Row[Any], addressees: tuple[RecipientState, ...]) -> StoredMessage:
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
        deliveries=addressees,
    )
