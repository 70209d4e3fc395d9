"""Read-only queries for the CLI, the web pages and the metrics; change one group on request (ledger → cli, web).

Guarantee: a query never waits for a writer and never makes one wait. Each answer is one snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.books import read_books
from relay.ledger.engine import Database
from relay.ledger.members import MemberRows
from relay.ledger.recipients import read_budgets
from relay.ledger.results import Cursor, GroupOrder, Lease, QuarantinedMail, Tally
from relay.ledger.rows import GROUP_COLUMNS, entry_of, group_of, route_state_of, save_groups
from relay.ledger.samples import samples_of
from relay.ledger.schema import (
    IS_DEFERRED,
    IS_DUE_ONCE,
    IS_FACE,
    IS_MERGED,
    IS_OPEN,
    IS_PENDING,
    deliveries,
    entries,
    groups,
    leases,
    messages,
    parked,
    routes,
    spools,
)
from relay.ledger.timeline import timelines
from relay.model import Books, BudgetState, Group, Member, MessageState, Phase, RouteState, Sample, Timeline

_ORDERS = {
    GroupOrder.LAST_SEEN: groups.c.last_seen,
    GroupOrder.FIRST_SEEN: groups.c.first_seen,
    GroupOrder.OCCURRENCES: groups.c.occurrences,
    GroupOrder.PENDING: groups.c.pending_occurrences,
}

_IS_COUNTED = and_(groups.c.occurrences > 0, IS_FACE)
"""Neither a stub, which counts nothing (`ledger.stubs`), nor a part of a merged error."""
_MOST_SAMPLES = 20
"""Samples of one error that `samples_of` returns."""


class Queries(Database):
    """The part of the ledger for the CLI, the web pages and the metrics."""

    def books(self, now: datetime) -> Books:
        """Return the books: the number of mails in each state, dated `now`."""
        with self._read() as connection:
            return read_books(connection, now)

    def groups(
        self,
        *,
        limit: int = 50,
        order: GroupOrder = GroupOrder.LAST_SEEN,
        route: str | None = None,
        app: str | None = None,
        phase: Phase | None = None,
        text: str = "",
        parts: bool = False,
    ) -> list[Group]:
        """Return groups that match every given condition, the greatest by `order` first; `text` searches the title.

        `parts`: also the parts of merged errors, each as a group of its own.
        """
        query = select(*GROUP_COLUMNS).where(groups.c.occurrences > 0 if parts else _IS_COUNTED)
        query = query.order_by(_ORDERS[order].desc(), groups.c.id.desc()).limit(limit)
        wanted = {groups.c.route: route, groups.c.app: app, groups.c.phase: phase}
        for column, value in wanted.items():
            if value is not None:
                query = query.where(column == value)
        if text:
            query = query.where(groups.c.title.icontains(text, autoescape=True))
        with self._read() as connection:
            return _groups(connection, query)

    def group(self, group_id: int) -> Group | None:
        """Return one group, also a part of a merged error (`face_of`); None if there is none with that id."""
        with self._read() as connection:
            return _group(connection, group_id)

    def face_of(self, group_id: int) -> Group | None:
        """Return the error that a group belongs to: the face of a merged one; None if there is none with that id."""
        with self._read() as connection:
            found = MemberRows(connection).face(group_id)
            return found.group if found else None

    def members(self, group_id: int) -> list[Member]:
        """Return the members of the error that a group belongs to, the face first; only itself if it is not merged."""
        with self._read() as connection:
            rows = MemberRows(connection)
            face = rows.face(group_id)
            return rows.members(face.group.id) if face else []

    def merged_faces(self) -> list[Group]:
        """Return the faces of all merged errors, by id."""
        query = select(*GROUP_COLUMNS).where(IS_MERGED, groups.c.merged_into == groups.c.id).order_by(groups.c.id)
        with self._read() as connection:
            return _groups(connection, query)

    def samples_of(self, group_id: int, *, parts: bool = True) -> list[Sample]:
        """Return the newest stored samples of an error, newest first; those of its parts too if `parts` is True."""
        with self._read() as connection:
            return samples_of(connection, group_id, _MOST_SAMPLES, parts=parts)

    def timeline(self, group_id: int, since: datetime, now: datetime) -> Timeline | None:
        """Return the group's timeline, as in `DigestReads.timelines`; None if nothing was counted."""
        with self._read() as connection:
            return timelines(connection, {group_id: since}, now).get(group_id)

    def route_states(self) -> dict[str, RouteState]:
        """Return the stored state of each route that has had a digest."""
        with self._read() as connection:
            return {row.route: route_state_of(row) for row in connection.execute(_ROUTES)}

    def all_budgets(self) -> dict[str, BudgetState]:
        """Return what is left of every recipient's budget."""
        with self._read() as connection:
            return read_budgets(connection)

    def errors_waiting(self, recipient: str, routes: Collection[str], now: datetime) -> int:
        """Return how many errors are due on these routes, or in a digest that is deferred for the recipient."""
        due = select(groups.c.id).where(IS_DUE_ONCE, groups.c.due_at <= now, groups.c.route.in_(routes))
        deferred = select(entries.c.entry).join(deliveries, deliveries.c.outbox_id == entries.c.outbox_id)
        deferred = deferred.where(IS_DEFERRED, deliveries.c.recipient == recipient, deliveries.c.route.in_(routes))
        with self._read() as connection:
            found = set(connection.scalars(due))
            return len(found | {entry_of(text).group_id for text in connection.scalars(deferred)})

    def cursors(self) -> list[Cursor]:
        """Return how far each spool has been ingested."""
        query = select(spools.c.spool_id, spools.c.position).order_by(spools.c.spool_id)
        with self._read() as connection:
            return [Cursor(spool_id=spool_id, position=position) for spool_id, position in connection.execute(query)]

    def leases(self) -> list[Lease]:
        """Return all leases with their holders, including expired ones."""
        with self._read() as connection:
            rows = connection.execute(select(leases).order_by(leases.c.name)).mappings()
            return [Lease(**row) for row in rows]

    def quarantined(self, *, before: datetime | None = None, limit: int = 100) -> list[QuarantinedMail]:
        """Return quarantined mails (only those before a time, if given), oldest first."""
        query = select(parked).order_by(parked.c.at, parked.c.spool_id, parked.c.position).limit(limit)
        if before:
            query = query.where(parked.c.at < before)
        with self._read() as connection:
            return [QuarantinedMail(**row) for row in connection.execute(query).mappings()]

    def tally(self) -> Tally:
        """Return the number of rows of each kind."""
        figures = {
            "groups": select(func.count()).select_from(groups).where(_IS_COUNTED),
            "groups_pending": select(func.count()).where(IS_PENDING),
            "messages_open": select(func.count()).where(IS_OPEN),
            "messages_dead": select(func.count()).where(messages.c.state == MessageState.DEAD),
            "parked": select(func.count()).select_from(parked),
        }
        with self._read() as connection:
            row = connection.execute(select(*(figure.scalar_subquery() for figure in figures.values()))).one()
        return Tally(**dict(zip(figures, row, strict=True)))

    # --- Changing one group ---------------------------------------------------------------------------------------

    def revise(self, group_id: int, change: Callable[[Group], Group]) -> Group | None:
        """Change one group by a pure function, e.g. `lambda group: schedule.mute(group, until, timing)`.

        One transaction. A part stands for its merged error. Returns the changed group; None if there is none with that
        id.
        """
        with self._write(WriteMode.EXCLUSIVE) as connection:
            found = MemberRows(connection).face(group_id)
            if found is None:
                return None
            changed = replace(change(found.group), id=found.group.id)
            save_groups(connection, [changed])
            return changed


_ROUTES = select(routes).where(routes.c.last_digest_at.is_not(None))


def _group(connection: Connection, group_id: int) -> Group | None:
    return next(iter(_groups(connection, select(*GROUP_COLUMNS).where(groups.c.id == group_id))), None)


def _groups(connection: Connection, query: Select[Any]) -> list[Group]:
    return [group_of(row) for row in connection.execute(query)]
