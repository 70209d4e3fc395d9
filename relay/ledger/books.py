"""Read the books, and write the outbox's part of them (base layer of the ledger).

Guarantee: one statement reads the books, so they are one snapshot on both databases. Pending mails are counted in
groups and in open digests, never computed from the other figures: the balance is a real check.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select

from relay.ledger.schema import IS_OPEN, IS_PENDING, groups, messages, spools, totals
from relay.ledger.upsert import upsert
from relay.model import Books, MessageKind

REPORTED, UNDELIVERED = "reported", "undelivered"


def read_books(connection: Connection, now: datetime) -> Books:
    """Return the books: the number of mails in each state."""
    row = connection.execute(select(*_FIGURES.values())).one()
    figures = dict(zip(_FIGURES, map(int, row), strict=True))
    pending = figures.pop("in_groups") + figures.pop("in_messages")
    return Books(at=now, pending=pending, **figures)


def book(connection: Connection, mails: Mapping[str, int]) -> None:
    """Add mails to `reported` and `undelivered`; negative numbers subtract."""
    rows = [{"name": name, "mails": number} for name, number in sorted(mails.items()) if number]
    if rows:
        connection.execute(upsert(connection, totals, add=["mails"]), rows)


def _total(name: str) -> ColumnElement[int]:
    return func.coalesce(select(totals.c.mails).where(totals.c.name == name).scalar_subquery(), 0)


_FIGURES: dict[str, ColumnElement[int]] = {
    name: select(func.coalesce(func.sum(spools.c[name]), 0)).scalar_subquery()
    for name in ("received", "muted", "ignored", "parked")
}
_FIGURES |= {name: _total(name) for name in (REPORTED, UNDELIVERED)}
_FIGURES["in_groups"] = select(func.coalesce(func.sum(groups.c.pending_mails), 0)).where(IS_PENDING).scalar_subquery()
_FIGURES["in_messages"] = (
    select(func.coalesce(func.sum(messages.c.mails), 0))
    .where(IS_OPEN, messages.c.kind == MessageKind.DIGEST)
    .scalar_subquery()
)
