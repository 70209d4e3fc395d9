"""The transaction in which a digest is decided and enqueued, under a lease with a fencing token (digest → ledger).

Guarantee: while the block runs, nobody else changes a group, a message or the books (ingest waits, on both databases).
So everything that was read still holds when the digest is enqueued. A digest and the groups that it reports are written
together or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.books import read_books
from relay.ledger.bounces import read_bouncing
from relay.ledger.engine import Database
from relay.ledger.enqueue import EnqueuedDigest, enqueue
from relay.ledger.leases import require_lease
from relay.ledger.members import MemberRows
from relay.ledger.recipients import abandon, free_recipients, read_budgets, save_budget
from relay.ledger.results import DeadTotal
from relay.ledger.rows import GROUP_COLUMNS, chunks, entry_of, group_of, route_state_of, save_groups
from relay.ledger.samples import newest
from relay.ledger.schema import (
    IS_DEFERRED,
    IS_DUE_ONCE,
    IS_MUTED_ONCE,
    IS_PENDING,
    IS_QUIET,
    IS_UNREPORTED,
    deliveries,
    entries,
    groups,
    messages,
    routes,
)
from relay.ledger.steering import audit_of_route
from relay.ledger.timeline import timelines
from relay.model import (
    AuditRecord,
    Books,
    BouncingRecipient,
    BudgetState,
    Digest,
    Entry,
    Group,
    Phase,
    Rendered,
    Report,
    RouteState,
    Timeline,
)

STRANDED_AFTER = timedelta(days=1)
"""No `due_at` is further away, except for muted groups and for routes whose steps are that long."""


class DigestReads:
    """Read the data that a digest is built from, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def timelines(self, since: Mapping[int, datetime], now: datetime) -> dict[int, Timeline]:
        """Return each group's timeline from its `since` to `now`, in at most 24 steps; omit groups without counts.

        The step is the smallest of 1, 2, 5, 10, 15, 30 min, 1, 2, 3, 6, 12 h, 1, 2, 7, 28 days that fits. A timeline
        begins at a whole step. Ask only for groups that a digest shows in full.
        """
        return timelines(self._connection, since, now)

    def samples(self, group_ids: Collection[int]) -> dict[int, Report]:
        """Return the newest sample of each group; omit groups without one."""
        return newest(self._connection, group_ids)

    def first_message_id(self, group_id: int) -> str:
        """Return the Message-ID of the first digest about this group alone, for threading; "" if there is none."""
        query = select(groups.c.thread).where(groups.c.id == group_id)
        return self._connection.scalar(query) or ""

    def books(self, now: datetime) -> Books:
        """Return the books as this transaction sees them, including what it saved and enqueued before this call."""
        return read_books(self._connection, now)


class DigestTransaction(DigestReads):
    """Read groups, budgets and messages, and enqueue digests. Keep the block short: ingest waits for it."""

    # --- Groups ---------------------------------------------------------------------------------------------------

    def due_groups(self, now: datetime, *, limit: int = 20_000) -> list[Group]:
        """Return due groups of any route (`due_at` at or before `now`), the longest due first."""
        query = select(*GROUP_COLUMNS).where(IS_DUE_ONCE, groups.c.due_at <= now).order_by(groups.c.due_at)
        return self._groups(query.limit(limit))

    def stranded_groups(self, now: datetime, *, limit: int = 1_000) -> list[Group]:
        """Return groups of any route, not muted, whose `due_at` is more than a day away.

        Either the clock was set back after it was written, or the steps of their route are that long.
        """
        far = (IS_DUE_ONCE, groups.c.due_at > now + STRANDED_AFTER)
        not_muted = or_(groups.c.muted_until.is_(None), groups.c.muted_until <= now)
        return self._groups(select(*GROUP_COLUMNS).where(*far, not_muted).order_by(groups.c.due_at).limit(limit))

    def pending_groups(self, route: str, *, phase: Phase | None = None, limit: int = 20_000) -> list[Group]:
        """Return groups of the route with pending mails (of one phase only, if given), the longest pending first."""
        query = select(*GROUP_COLUMNS).where(IS_PENDING, groups.c.route == route)
        if phase:
            query = query.where(groups.c.phase == phase)
        return self._groups(query.order_by(groups.c.pending_since).limit(limit))

    def quiet_groups(self, route: str, before: datetime, *, limit: int = 1_000) -> list[Group]:
        """Return reported groups (OPEN) with nothing pending and last seen at or before `before`, oldest first."""
        query = select(*GROUP_COLUMNS).where(IS_QUIET, groups.c.route == route, groups.c.last_seen <= before)
        return self._groups(query.order_by(groups.c.last_seen).limit(limit))

    def ended_mutes(self, route: str, now: datetime, *, limit: int) -> list[Group]:
        """Return groups of the route whose mute is over without a digest that said so, the first to end first."""
        query = select(*GROUP_COLUMNS).where(IS_MUTED_ONCE, groups.c.route == route, groups.c.muted_until <= now)
        return self._groups(query.order_by(groups.c.muted_until).limit(limit))

    def save(self, groups: Iterable[Group]) -> None:
        """Write groups that this transaction has read."""
        save_groups(self._connection, groups)

    @property
    def merges(self) -> MemberRows:
        """The members of merged errors."""
        return MemberRows(self._connection)

    # --- Routes, recipients, budgets ------------------------------------------------------------------------------

    def route_state(self, route: str) -> RouteState:
        """Return the stored state of the route; the defaults if it has none yet."""
        query = select(routes).where(routes.c.route == route)
        return route_state_of(self._connection.execute(query).first())

    def free_recipients(self, route: str, recipients: Collection[str]) -> set[str]:
        """Return those of `recipients` without a QUEUED delivery on this route: only they may be queued."""
        return free_recipients(self._connection, route, recipients)

    def budgets(self, recipients: Collection[str]) -> dict[str, BudgetState]:
        """Return what is left of each recipient's budget; omit recipients that were never sent to."""
        return read_budgets(self._connection, recipients)

    def save_budget(self, recipient: str, state: BudgetState) -> None:
        """Write one recipient's budget."""
        save_budget(self._connection, recipient, state)

    # --- Deferred deliveries and dead letters ---------------------------------------------------------------------

    def deferred_recipients(self) -> list[tuple[str, str]]:
        """Return every (route, recipient) with a DEFERRED delivery, ordered.

        Each waits for a catch-up digest, or is abandoned when the recipient is no longer configured.
        """
        pair = (deliveries.c.route, deliveries.c.recipient)
        rows = self._connection.execute(select(*pair).where(IS_DEFERRED).distinct())
        return sorted((route, recipient) for route, recipient in rows)

    def deferred_messages(self, route: str, recipient: str) -> list[str]:
        """Return the ids of the route's messages that are DEFERRED for this recipient, oldest first."""
        query = select(messages.c.id).join(deliveries).where(IS_DEFERRED, deliveries.c.route == route)
        query = query.where(deliveries.c.recipient == recipient).order_by(messages.c.created_at, messages.c.id)
        return list(self._connection.scalars(query))

    def entries(self, message_ids: Collection[str]) -> list[Entry]:
        """Return the stored entries of these messages, oldest message first. One group may appear in several."""
        found: list[tuple[datetime, str, int, str]] = []
        for chunk in chunks(message_ids):
            query = select(messages.c.created_at, messages.c.id, entries.c.number, entries.c.entry).join(entries)
            rows = self._connection.execute(query.where(messages.c.id.in_(chunk)))
            found.extend((at, outbox_id, number, text) for at, outbox_id, number, text in rows)
        return [entry_of(text) for *_, text in sorted(found)]

    def bouncing(self, now: datetime) -> list[BouncingRecipient]:
        """Return the recipients whose digests bounced lately."""
        return read_bouncing(self._connection, now)

    def steered(self, route: str, since: datetime | None, *, actions: Collection[str], limit: int) -> list[AuditRecord]:
        """Return the actions of the audit log on errors of the route after a time, oldest first."""
        return audit_of_route(self._connection, route, since, actions, limit)

    def dead_totals(self, route: str) -> list[DeadTotal]:
        """Return the route's digests that no recipient accepted and that no message has reported, oldest first.

        They are dead, or were dropped since. A message reports them if it was enqueued with them in `dead` and is open
        or sent.
        """
        query = select(messages).where(IS_UNREPORTED, messages.c.route == route)
        rows = self._connection.execute(query.order_by(messages.c.created_at, messages.c.id))
        return [_dead_total(row) for row in rows]

    # --- Writing messages -----------------------------------------------------------------------------------------

    def enqueue(
        self,
        digest: Digest,
        rendered: Rendered,
        *,
        queued: Collection[str],
        deferred: Collection[str] = (),
        covers: Collection[str] = (),
        dead: Collection[str] = (),
        news_step: int | None = None,
    ) -> None:
        """Put a rendered digest into the outbox, to be tried from `digest.created_at` on.

        `queued` and `deferred` divide `digest.recipients`. At least one is queued, and each queued one must be free
        (`free_recipients`). Save its groups as reported in the same transaction: from here on, the mails of a DIGEST
        are pending in this message. The mails of a CATCH_UP or a NOTICE never count. Leave samples and timelines out of
        entries that the digest does not show in full: entries are stored as they are.

        `covers` (CATCH_UP only, which defers nobody): the messages whose DEFERRED deliveries to its recipients become
        COVERED by it. `dead`: ids of dead letters whose totals it contains. They count as reported unless it ends DEAD.
        A DIGEST sets the route's `last_digest_at`; if it has one entry, it begins that group's thread. `news_step` is
        given for a DIGEST that carries news: it sets `last_news_at` and `news_step` of the route (`RouteState`).
        Raises ValueError if the arguments contradict this, LedgerError if a queued recipient is not free.
        """
        posting = EnqueuedDigest(
            digest=digest,
            rendered=rendered,
            queued=frozenset(queued),
            deferred=frozenset(deferred),
            covers=frozenset(covers),
            dead=frozenset(dead),
            news_step=news_step,
        )
        enqueue(self._connection, posting)

    def abandon(self, route: str, recipient: str, why: str, now: datetime) -> int:
        """Refuse the QUEUED (unclaimed) and DEFERRED deliveries of a recipient that is no longer configured.

        Messages that end by this are booked. Returns the number of deliveries.
        """
        return abandon(self._connection, route, recipient, why, now)

    def _groups(self, query: Select[Any]) -> list[Group]:
        return [group_of(row) for row in self._connection.execute(query)]


def _dead_total(row: Row[Any]) -> DeadTotal:
    return DeadTotal(
        id=row.id,
        route=row.route,
        subject=row.subject,
        mails=row.mails,
        occurrences=row.occurrences,
        created_at=row.created_at,
        died_at=row.ended_at,
    )


class Digesting(Database):
    """The part of the ledger for the digest step."""

    @contextmanager
    def digesting(self, name: str, token: int) -> Iterator[DigestTransaction]:
        """One transaction under the lease `name`: commits at the end of the block, rolls back on an exception.

        Raises LeaseLost unless `token` is still the lease's newest; it stays so until the block ends.
        """
        with self._write(WriteMode.EXCLUSIVE) as connection:
            require_lease(connection, name, token)
            yield DigestTransaction(connection)

    @contextmanager
    def snapshot(self) -> Iterator[DigestReads]:
        """Read the data that digests are built from, in one snapshot: for a preview."""
        with self._read() as connection:
            yield DigestReads(connection)

    def has_deferred(self) -> bool:
        """Whether a recipient waits for a catch-up digest, or to be abandoned."""
        with self._read() as connection:
            return connection.scalar(select(deliveries.c.outbox_id).where(IS_DEFERRED).limit(1)) is not None

    def next_due_at(self) -> datetime | None:
        """Return the earliest `due_at` of all groups: nothing is reported before it. None if no group has one."""
        with self._read() as connection:
            first: datetime | None = connection.scalar(select(func.min(groups.c.due_at)).where(IS_DUE_ONCE))
        return first
