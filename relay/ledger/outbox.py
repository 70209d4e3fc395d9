"""Hands letters to the outbox step, one at a time under a claim, and takes down what came of it (outbox ↔ ledger).

Guarantee: a letter has at most one live claim; what is written back under another one is refused (LeaseLost). Outcomes
are stored per recipient: who was served is not served again. The books are written in the transaction in which a
letter ends.

    OPEN ──claim──► mark_ambiguous ──► settle ──► OPEN (somebody is still queued, held, or covered by an open follow-up)
                                              ├─► SENT (all settled, at least one took it: mails are reported)
                                              └─► DEAD (all settled, nobody did: mails are undelivered)

A recipient is settled by SENT or REFUSED, or COVERED by a follow-up that is settled for this recipient.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, update

from relay.errors import LeaseLost
from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.engine import Database
from relay.ledger.leases import CLOCKS_DIFFER_BY
from relay.ledger.results import Outcome
from relay.ledger.schema import IS_QUEUED, IS_TO_TRY, bodies, deliveries, messages, upstream
from relay.ledger.settlement import end_settled_messages
from relay.ledger.upsert import replace
from relay.model import Delayed, Delivery, MessageState, OutboxMessage, UpstreamState

PAUSES_AT_MOST = timedelta(days=7)
"""No letter is put off for longer: it would be given up before."""


class Outbox(Database):
    """The ledger's part for `outbox`."""

    def claim_message(self, worker: str, now: datetime, ttl: timedelta) -> OutboxMessage | None:
        """Claim the oldest letter that is to be tried at `now` and that nobody holds; None where there is none.

        The claim runs out at `now + ttl`, which must be longer than any try may take: after it another worker may send
        the letter too. A claim for days or a pause for weeks was made by a clock that has been set back since:
        it does not count.
        """
        claimable = and_(
            IS_TO_TRY,
            _over(messages.c.next_try_at, now, PAUSES_AT_MOST),
            or_(messages.c.claimed_until.is_(None), _over(messages.c.claimed_until, now, ttl + CLOCKS_DIFFER_BY)),
        )
        oldest = select(messages.c.id).where(claimable).order_by(messages.c.created_at, messages.c.id).limit(1)
        with self._read() as connection:  # a look costs no transaction that writes
            if connection.scalar(oldest) is None:
                return None
        with self._write(WriteMode.UNGATED) as connection:
            while outbox_id := connection.scalar(oldest):
                claim = {"claim": secrets.token_hex(16), "claimed_by": worker, "claimed_until": now + ttl}
                statement = update(messages).where(messages.c.id == outbox_id, claimable).values(**claim)
                if connection.execute(statement).rowcount:
                    return _claimed(connection, outbox_id)
        return None

    def mark_ambiguous(self, message: OutboxMessage) -> None:
        """Note that from here on it may have been delivered; durable on return. Call it before the final dot.

        Raises LeaseLost if the claim is gone: then it must not be sent.
        """
        with self._write(WriteMode.UNGATED) as connection:
            _write_back(connection, message, ambiguous=True)

    def settle(self, message: OutboxMessage, outcome: Outcome, now: datetime) -> MessageState:
        """Write down what came of one try and let go of the claim; returns the letter's state after it.

        Who is neither in `sent` nor in `refused` stays queued. Raises LeaseLost if the claim is gone; ValueError for
        recipients that are not the letter's, or where some stay queued without a `next_try_at`.
        """
        settled = outcome.sent | outcome.refused
        if outcome.sent & outcome.refused or not settled | outcome.replies.keys() <= set(message.recipients):
            raise ValueError("an outcome speaks of each of the letter's queued recipients once, and of nobody else")
        queued = set(message.recipients) - settled
        if queued and outcome.next_try_at is None:
            raise ValueError("a letter with recipients still queued needs a next try")
        with self._write(WriteMode.EXCLUSIVE) as connection:
            _write_back(
                connection,
                message,
                tries=outcome.tries,
                refusals=outcome.refusals,
                ambiguous=outcome.ambiguous,
                next_try_at=outcome.next_try_at if queued else None,
                claim="",
                claimed_by="",
                claimed_until=None,
            )
            if outcome.raw is not None:
                connection.execute(update(bodies).where(bodies.c.outbox_id == message.id).values(raw=outcome.raw))
            _write_deliveries(connection, message, outcome, now)
            end_settled_messages(connection, {message.id}, now)
            state: MessageState = connection.execute(
                select(messages.c.state).where(messages.c.id == message.id)
            ).scalar_one()
            return state

    def next_try_at(self) -> datetime | None:
        """When the next letter is to be tried (claimed ones: when their claim runs out); None where none is queued."""
        claimed = messages.c.claimed_until > messages.c.next_try_at
        at = case((claimed, messages.c.claimed_until), else_=messages.c.next_try_at)
        with self._read() as connection:
            first: datetime | None = connection.scalar(select(func.min(at)).where(IS_TO_TRY))
        return first

    def delayed(self, limit: int = 100) -> list[Delayed]:
        """Whom a letter has not reached yet though it was tried, with the upstream's last word, oldest letter first."""
        query = (
            select(
                deliveries.c.recipient,
                messages.c.queued_at.label("since"),
                deliveries.c.code,
                deliveries.c.text,
                messages.c.next_try_at,
            )
            .join_from(deliveries, messages)
            .where(IS_QUEUED, deliveries.c.text != "", IS_TO_TRY)
            .order_by(messages.c.queued_at, deliveries.c.recipient)
            .limit(limit)
        )
        with self._read() as connection:
            return [Delayed(**row) for row in connection.execute(query).mappings()]

    def retry_now(self, now: datetime, *, beyond: datetime) -> None:
        """Have every queued letter that waits for a moment after `beyond` tried at `now`: the clock was set back."""
        with self._write(WriteMode.UNGATED) as connection:
            waiting = update(messages).where(IS_TO_TRY, messages.c.next_try_at > beyond)
            connection.execute(waiting.values(next_try_at=now))

    def upstream(self) -> UpstreamState:
        """What is known of the upstream."""
        with self._read() as connection:
            row = connection.execute(select(*_UPSTREAM_COLUMNS).where(upstream.c.id == 1)).first()
        return UpstreamState(**dict(zip(_UPSTREAM_FIELDS, row, strict=True))) if row else UpstreamState()

    def save_upstream(self, state: UpstreamState) -> None:
        """Write down what is known of the upstream."""
        with self._write(WriteMode.UNGATED) as connection:
            connection.execute(replace(connection, upstream), asdict(state) | {"id": 1})


_UPSTREAM_FIELDS = tuple(field.name for field in fields(UpstreamState))
_UPSTREAM_COLUMNS = tuple(upstream.c[name] for name in _UPSTREAM_FIELDS)


def _over(until: ColumnElement[datetime | None], now: datetime, at_most: timedelta) -> ColumnElement[bool]:
    return or_(until <= now, until > now + at_most)


def _claimed(connection: Connection, outbox_id: str) -> OutboxMessage:
    row = connection.execute(select(messages, bodies.c.raw).join(bodies).where(messages.c.id == outbox_id)).one()
    here = (IS_QUEUED, deliveries.c.outbox_id == outbox_id)
    return OutboxMessage(
        id=row.id,
        kind=row.kind,
        route=row.route,
        created_at=row.queued_at,
        message_id=row.message_id,
        subject=row.subject,
        raw=bytes(row.raw),
        recipients=tuple(sorted(connection.scalars(select(deliveries.c.recipient).where(*here)))),
        tries=row.tries,
        refusals=row.refusals,
        ambiguous=row.ambiguous,
        claim=row.claim,
    )


def _write_back(connection: Connection, message: OutboxMessage, **values: object) -> None:
    ours = update(messages).where(messages.c.id == message.id, messages.c.claim == message.claim)
    if not connection.execute(ours.values(**values)).rowcount:
        raise LeaseLost(f"the claim on letter {message.id} has gone to another worker")


def _write_deliveries(connection: Connection, message: OutboxMessage, outcome: Outcome, now: datetime) -> None:
    for recipient in message.recipients:
        values: dict[str, object] = {}
        if recipient in outcome.sent:
            values = {"state": Delivery.SENT, "taken": 1, "at": now}
        elif recipient in outcome.refused:
            values = {"state": Delivery.REFUSED, "taken": 0, "at": now}
        if reply := outcome.replies.get(recipient):
            values |= {"code": reply.code, "text": reply.text}
        if values:
            here = (IS_QUEUED, deliveries.c.outbox_id == message.id, deliveries.c.recipient == recipient)
            connection.execute(update(deliveries).where(*here).values(**values))
