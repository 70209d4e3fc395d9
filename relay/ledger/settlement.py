"""End messages whose deliveries are all settled, and book their mails (base layer of the ledger).

Called wherever a delivery is settled. A message ends when every delivery is settled (`taken` is not NULL): SENT if any
recipient accepted it, else DEAD. A COVERED delivery is settled with the catch-up digest's delivery to the same
recipient. A catch-up digest can be covered too, after a retry.

Guarantee: a message ends in the transaction in which its last delivery is settled; the books change in the same one.
The caller excludes all other writers (WriteMode.EXCLUSIVE), so two workers cannot each wait for the other's half of a
message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from relay.ledger.books import REPORTED, UNDELIVERED, book
from relay.ledger.rows import chunks
from relay.ledger.schema import IS_COVERED, IS_OPEN, IS_REPORTED, deliveries, messages
from relay.model import MessageKind, MessageState


def end_settled_messages(connection: Connection, touched: Collection[str], now: datetime) -> None:
    """End the touched messages, and the messages that they cover, if all their deliveries are settled."""
    changed = set(touched)
    frontier = changed
    while frontier:
        frontier = _spread(connection, frontier, now) - changed
        changed |= frontier
    ended = _settled(connection, changed)
    for state in (MessageState.SENT, MessageState.DEAD):
        _end(connection, ended.get(state, []), state, now)


def _spread(connection: Connection, followed: Collection[str], now: datetime) -> set[str]:
    """Settle the deliveries that settled catch-up digests cover. Returns the messages that changed."""
    cover = deliveries.alias()
    fate = (
        select(cover.c.taken)
        .where(cover.c.outbox_id == deliveries.c.covered_by, cover.c.recipient == deliveries.c.recipient)
        .scalar_subquery()
    )
    reached: set[str] = set()
    for chunk in chunks(followed):
        open_ones = (IS_COVERED, deliveries.c.covered_by.in_(chunk), deliveries.c.taken.is_(None), fate.is_not(None))
        settled = update(deliveries).where(*open_ones).values(taken=fate, at=now)
        reached.update(connection.scalars(settled.returning(deliveries.c.outbox_id)))
    return reached


def _settled(connection: Connection, ids: Collection[str]) -> dict[MessageState, list[tuple[str, int]]]:
    """Return open messages whose deliveries are all settled, by their final state, with the mails to book."""
    ended: dict[MessageState, list[tuple[str, int]]] = {}
    taken = func.max(deliveries.c.taken)
    for chunk in chunks(ids):
        query = select(messages.c.id, messages.c.kind, messages.c.mails, taken.label("taken")).join(deliveries)
        query = query.where(messages.c.id.in_(chunk), IS_OPEN).group_by(
            messages.c.id, messages.c.kind, messages.c.mails
        )
        for row in connection.execute(query.having(func.count() == func.count(deliveries.c.taken))):
            state = MessageState.SENT if row.taken else MessageState.DEAD
            ended.setdefault(state, []).append((row.id, row.mails if row.kind is MessageKind.DIGEST else 0))
    return ended


def _end(connection: Connection, ended: Collection[tuple[str, int]], state: MessageState, now: datetime) -> None:
    for chunk in chunks(outbox_id for outbox_id, _ in ended):
        values = {"state": state, "ended_at": now, "next_try_at": None, "claim": "", "claimed_by": ""}
        connection.execute(update(messages).where(messages.c.id.in_(chunk)).values(**values, claimed_until=None))
        if state is MessageState.DEAD:  # the dead letters that it was to report are unreported again
            connection.execute(update(messages).where(IS_REPORTED, messages.c.told_by.in_(chunk)).values(told_by=""))
    figure = REPORTED if state is MessageState.SENT else UNDELIVERED
    book(connection, Counter({figure: sum(mails for _, mails in ended)}))


def revive(connection: Connection, outbox_id: str, now: datetime) -> None:
    """Reopen a DEAD message, whose deliveries the caller has reopened, and the messages that died with it."""
    frontier = {outbox_id}
    while frontier:
        _reopen(connection, frontier, now)
        frontier = _unspread(connection, frontier)


def _reopen(connection: Connection, ids: Collection[str], now: datetime) -> None:
    for chunk in chunks(ids):
        dead = (messages.c.id.in_(chunk), messages.c.state == MessageState.DEAD)
        values = {"state": MessageState.OPEN, "ended_at": None, "told_by": "", "tries": 0, "refusals": 0}
        opened = (
            update(messages).where(*dead).values(**values, queued_at=now).returning(messages.c.kind, messages.c.mails)
        )
        mails = sum(row.mails for row in connection.execute(opened) if row.kind is MessageKind.DIGEST)
        book(connection, {UNDELIVERED: -mails})


def _unspread(connection: Connection, revived: Collection[str]) -> set[str]:
    """Reopen deliveries that revived catch-up digests cover, except in sent or dropped messages.

    Returns the messages that changed.
    """
    cover = deliveries.alias()
    reopened = (
        select(cover.c.outbox_id)
        .where(cover.c.outbox_id == deliveries.c.covered_by, cover.c.recipient == deliveries.c.recipient)
        .where(cover.c.taken.is_(None))
    )
    alive = select(messages.c.id).where(messages.c.state.in_([MessageState.OPEN, MessageState.DEAD]))
    reached: set[str] = set()
    for chunk in chunks(revived):
        settled = (IS_COVERED, deliveries.c.covered_by.in_(chunk), deliveries.c.taken.is_not(None))
        statement = update(deliveries).where(*settled, reopened.exists(), deliveries.c.outbox_id.in_(alive))
        reached.update(connection.scalars(statement.values(taken=None).returning(deliveries.c.outbox_id)))
    return reached
