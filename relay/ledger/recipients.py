"""Free recipients, recipient budgets and abandoned recipients (base layer of the ledger, for `digesting`)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from relay.ledger.rows import chunks
from relay.ledger.schema import IS_DEFERRED, IS_QUEUED, budgets, deliveries, messages
from relay.ledger.settlement import end_settled_messages
from relay.ledger.upsert import replace
from relay.model import BudgetState, Delivery


def free_recipients(connection: Connection, route: str, recipients: Collection[str]) -> set[str]:
    """Return those of `recipients` without a QUEUED delivery on this route."""
    query = select(deliveries.c.recipient).where(IS_QUEUED, deliveries.c.route == route)
    return set(recipients).difference(connection.scalars(query.where(deliveries.c.recipient.in_(recipients))))


def read_budgets(connection: Connection, recipients: Collection[str] | None = None) -> dict[str, BudgetState]:
    """Return the budgets of these recipients (None: of all), without those that were never sent to."""
    query = select(budgets)
    if recipients is not None:
        query = query.where(budgets.c.recipient.in_(recipients))
    rows = (dict(row) for row in connection.execute(query).mappings())
    return {row.pop("recipient"): BudgetState(**row) for row in rows}


def save_budget(connection: Connection, recipient: str, state: BudgetState) -> None:
    """Write one recipient's budget."""
    connection.execute(replace(connection, budgets), asdict(state) | {"recipient": recipient})


def abandon(connection: Connection, route: str, recipient: str, why: str, now: datetime) -> int:
    """Refuse the queued (unclaimed) and deferred deliveries of a recipient; see `DigestTransaction.abandon`."""
    on_its_way = select(messages.c.id).where(messages.c.claimed_until > now)
    statement = update(deliveries).where(
        deliveries.c.route == route,
        deliveries.c.recipient == recipient,
        or_(IS_QUEUED, IS_DEFERRED),
        deliveries.c.outbox_id.not_in(on_its_way),
    )
    values = {"state": Delivery.REFUSED, "taken": 0, "at": now, "code": 0, "text": why}
    touched = set(connection.scalars(statement.values(**values).returning(deliveries.c.outbox_id)))
    for chunk in chunks(touched):
        still_queued = select(deliveries.c.outbox_id).where(IS_QUEUED)
        idle = update(messages).where(messages.c.id.in_(chunk), messages.c.id.not_in(still_queued))
        # Clear an expired claim too, so that its worker cannot store an outcome any more.
        connection.execute(idle.values(next_try_at=None, claim="", claimed_by="", claimed_until=None))
    end_settled_messages(connection, touched, now)
    return len(touched)
