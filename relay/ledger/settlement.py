"""Decides when letters end, and books their mails (ledger's ground floor; called wherever a delivery is settled).

A letter ends once every delivery is settled (`taken` is not NULL): SENT if anybody took it, else DEAD. A COVERED one is
settled with the follow-up's delivery to the same recipient; follow-ups may be covered themselves, after a revival.

Guarantee: a letter ends in the transaction in which its last delivery is settled, and the books change in that one.
The caller is alone (Gate.ALONE), so two workers cannot each wait for the other's half of a letter.
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
    """End those of the touched letters, and of the letters they cover, that are all settled now."""
    changed = set(touched)
    frontier = changed
    while frontier:
        frontier = _spread(connection, frontier, now) - changed
        changed |= frontier
    ended = _settled(connection, changed)
    for state in (MessageState.SENT, MessageState.DEAD):
        _end(connection, ended.get(state, []), state, now)


def _spread(connection: Connection, followed: Collection[str], now: datetime) -> set[str]:
    """Settle what settled follow-ups cover; returns the letters in which that changed something."""
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
    """Open letters whose deliveries are all settled, by the state they end in, with the mails to be booked."""
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
        if state is MessageState.DEAD:  # what it was to tell of is untold again
            connection.execute(update(messages).where(IS_REPORTED, messages.c.told_by.in_(chunk)).values(told_by=""))
    figure = REPORTED if state is MessageState.SENT else UNDELIVERED
    book(connection, Counter({figure: sum(mails for _, mails in ended)}))


def revive(connection: Connection, outbox_id: str, now: datetime) -> None:
    """Open a DEAD letter again whose deliveries were reopened by the caller, and those that died with it."""
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
    """Open again what revived follow-ups cover, except in letters that were sent or dropped; returns those letters."""
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
