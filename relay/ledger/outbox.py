"""Claim messages for delivery, one at a time, and store the outcome of each try (outbox ↔ ledger).

Guarantee: a message has at most one live claim; a write under another claim is refused (LeaseLost). Outcomes are stored
per recipient: a recipient that accepted the message does not get it again. The books change in the transaction in which
a message ends.

    OPEN ──claim──► mark_ambiguous ──► settle ──► OPEN (a recipient is queued, deferred, or covered by an open catch-up)
                                              ├─► SENT (all settled, at least one accepted it: mails are reported)
                                              └─► DEAD (all settled, none accepted it: mails are undelivered)

A recipient is settled by SENT or REFUSED, or by COVERED if the catch-up digest is settled for this recipient.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, update

from relay.errors import LeaseLost
from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.bounces import read_bouncing
from relay.ledger.engine import Database
from relay.ledger.leases import CLOCKS_DIFFER_BY
from relay.ledger.results import Outcome
from relay.ledger.schema import IS_QUEUED, IS_TO_TRY, bodies, deliveries, messages, upstream
from relay.ledger.settlement import end_settled_messages
from relay.ledger.upsert import replace
from relay.model import BouncingRecipient, Delayed, Delivery, MessageState, OutboxMessage, UpstreamKey, UpstreamState

PAUSES_AT_MOST = timedelta(days=7)
"""No message is postponed for longer: it would be dead before that."""


class Outbox(Database):
    """The part of the ledger for the outbox step."""

    def claim_message(self, worker: str, now: datetime, ttl: timedelta) -> OutboxMessage | None:
        """Claim the oldest unclaimed message whose next try is at or before `now`; None if there is none.

        The claim expires at `now + ttl`, which must be longer than any try: after that another worker may send the
        message too. A claim for days or a pause for weeks is ignored: the clock was set back after it was written.
        """
        claimable = and_(
            IS_TO_TRY,
            _over(messages.c.next_try_at, now, PAUSES_AT_MOST),
            or_(messages.c.claimed_until.is_(None), _over(messages.c.claimed_until, now, ttl + CLOCKS_DIFFER_BY)),
        )
        oldest = select(messages.c.id).where(claimable).order_by(messages.c.created_at, messages.c.id).limit(1)
        with self._read() as connection:  # while nothing is claimable, no write transaction is needed
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
        """Store that the message may have been delivered from here on; durable on return. Call it before the final dot.

        Raises LeaseLost if the claim is gone: then the message must not be sent.
        """
        with self._write(WriteMode.UNGATED) as connection:
            _write_back(connection, message, ambiguous=True)

    def settle(self, message: OutboxMessage, outcome: Outcome, now: datetime) -> MessageState:
        """Store the outcome of one try and release the claim. Returns the message's new state.

        A recipient that is neither in `sent` nor in `refused` stays queued. Raises LeaseLost if the claim is gone;
        ValueError for recipients that are not the message's, or if some stay queued without a `next_try_at`.
        """
        settled = outcome.sent | outcome.refused
        if outcome.sent & outcome.refused or not settled | outcome.replies.keys() <= set(message.recipients):
            raise ValueError("an outcome names each of the message's queued recipients once, and no others")
        queued = set(message.recipients) - settled
        if queued and outcome.next_try_at is None:
            raise ValueError("a message with recipients still queued needs a next try")
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
        """Return the time of the next try, or of the end of a claim if that is later; None if nothing is queued."""
        claimed = messages.c.claimed_until > messages.c.next_try_at
        at = case((claimed, messages.c.claimed_until), else_=messages.c.next_try_at)
        with self._read() as connection:
            first: datetime | None = connection.scalar(select(func.min(at)).where(IS_TO_TRY))
        return first

    def delayed(self, limit: int = 100) -> list[Delayed]:
        """Return recipients still queued after a try, with the upstream's last reply, oldest message first."""
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

    def bouncing(self, now: datetime) -> list[BouncingRecipient]:
        """Return the recipients whose digests bounced within `SHOW_BOUNCES_FOR`."""
        with self._read() as connection:
            return read_bouncing(connection, now)

    def retry_now(self, now: datetime, *, beyond: datetime) -> None:
        """Set the next try of every message that waits beyond `beyond` to `now`: the clock was set back."""
        with self._write(WriteMode.UNGATED) as connection:
            waiting = update(messages).where(IS_TO_TRY, messages.c.next_try_at > beyond)
            connection.execute(waiting.values(next_try_at=now))

    def upstream(self, key: UpstreamKey) -> UpstreamState:
        """Return the state of a target as a worker sees it; the default state if it was never tried."""
        row_of_key = (upstream.c.worker == key.worker, upstream.c.target == key.target)
        with self._read() as connection:
            row = connection.execute(select(*_UPSTREAM_COLUMNS).where(*row_of_key)).first()
        return UpstreamState(**dict(zip(_UPSTREAM_FIELDS, row, strict=True))) if row else UpstreamState()

    def save_upstream(self, key: UpstreamKey, state: UpstreamState) -> None:
        """Store the state of a target as a worker sees it."""
        with self._write(WriteMode.UNGATED) as connection:
            connection.execute(replace(connection, upstream), asdict(state) | asdict(key))


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
        raise LeaseLost(f"the claim on message {message.id} has gone to another worker")


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
