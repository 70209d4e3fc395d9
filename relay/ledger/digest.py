"""What the scheduler reads and writes in one transaction, under a lease with a fencing token (digest → ledger).

Guarantee: from the first line of the block to its end nobody else changes a group, a letter or the books (sorting
waits, on both databases), so that what was read is still true when the digest is frozen. A digest and the groups
it was made of are written together or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from relay.ledger.backends.write_mode import WriteMode
from relay.ledger.books import read_books
from relay.ledger.engine import Database
from relay.ledger.enqueue import EnqueuedDigest, enqueue
from relay.ledger.leases import require_lease
from relay.ledger.recipients import abandon, free_recipients, read_budgets, save_budget
from relay.ledger.results import DeadTotal
from relay.ledger.rows import GROUP_COLUMNS, chunks, entry_of, group_of, route_state_of, save_groups
from relay.ledger.samples import newest
from relay.ledger.schema import (
    IS_DEFERRED,
    IS_DUE_ONCE,
    IS_PENDING,
    IS_QUIET,
    IS_UNREPORTED,
    deliveries,
    entries,
    groups,
    messages,
    routes,
)
from relay.ledger.timeline import timelines
from relay.model import Books, BudgetState, Digest, Entry, Group, Phase, Rendered, Report, RouteState, Timeline

STRANDED_AFTER = timedelta(days=1)
"""No turn is further away, but for steps as long as that and mutes."""


class DigestReads:
    """What a digest is built of, as it stands within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def timelines(self, since: Mapping[int, datetime], now: datetime) -> dict[int, Timeline]:
        """How errors went from each group's `since` to `now`, in at most 24 steps; a group without counts is left out.

        The step is the smallest of 1, 2, 5, 10, 15, 30 min, 1, 2, 3, 6, 12 h, 1, 2, 7 days that fits; the course begins
        at a whole step. Ask only for those that a digest shows in full.
        """
        return timelines(self._connection, since, now)

    def samples(self, group_ids: Collection[int]) -> dict[int, Report]:
        """The newest sample of each group; those without one are left out."""
        return newest(self._connection, group_ids)

    def first_message_id(self, group_id: int) -> str:
        """Message-ID of the first digest that told of this group alone, "" where there is none: for threading."""
        query = select(groups.c.thread).where(groups.c.id == group_id)
        return self._connection.scalar(query) or ""

    def books(self, now: datetime) -> Books:
        """The books within this transaction: what was saved and frozen before this call is in them."""
        return read_books(self._connection, now)


class DigestTransaction(DigestReads):
    """What can be read and written while it is decided whom to tell what. Keep the block short: sorting waits."""

    # --- Groups ---------------------------------------------------------------------------------------------------

    def due_groups(self, now: datetime, *, limit: int = 20_000) -> list[Group]:
        """Groups of any route whose turn has come (`due_at` at or before `now`), the longest due first."""
        query = select(*GROUP_COLUMNS).where(IS_DUE_ONCE, groups.c.due_at <= now).order_by(groups.c.due_at)
        return self._groups(query.limit(limit))

    def stranded_groups(self, now: datetime, *, limit: int = 1_000) -> list[Group]:
        """Groups of any route, not muted, whose turn is more than a day away: a clock wrote it that was set back since,
        or the steps of their route are that long.
        """
        far = (IS_DUE_ONCE, groups.c.due_at > now + STRANDED_AFTER)
        heard = or_(groups.c.muted_until.is_(None), groups.c.muted_until <= now)
        return self._groups(select(*GROUP_COLUMNS).where(*far, heard).order_by(groups.c.due_at).limit(limit))

    def pending_groups(self, route: str, *, phase: Phase | None = None, limit: int = 20_000) -> list[Group]:
        """Groups of the route that have pending mails (of one phase only, if given), the longest pending first."""
        query = select(*GROUP_COLUMNS).where(IS_PENDING, groups.c.route == route)
        if phase:
            query = query.where(groups.c.phase == phase)
        return self._groups(query.order_by(groups.c.pending_since).limit(limit))

    def quiet_groups(self, route: str, before: datetime, *, limit: int = 1_000) -> list[Group]:
        """Groups the admins know of (OPEN) with nothing pending and last seen at or before `before`, oldest first."""
        query = select(*GROUP_COLUMNS).where(IS_QUIET, groups.c.route == route, groups.c.last_seen <= before)
        return self._groups(query.order_by(groups.c.last_seen).limit(limit))

    def save(self, groups: Iterable[Group]) -> None:
        """Write groups that this transaction has read."""
        save_groups(self._connection, groups)

    # --- Routes, recipients, budgets ------------------------------------------------------------------------------

    def route_state(self, route: str) -> RouteState:
        """What is known of the route; of one never seen, the defaults."""
        query = select(routes).where(routes.c.route == route)
        return route_state_of(self._connection.execute(query).first())

    def free_recipients(self, route: str, recipients: Collection[str]) -> set[str]:
        """Those of `recipients` with no QUEUED delivery on this route: only they may be queued."""
        return free_recipients(self._connection, route, recipients)

    def budgets(self, recipients: Collection[str]) -> dict[str, BudgetState]:
        """What is left of each recipient's budget; those never sent to are left out."""
        return read_budgets(self._connection, recipients)

    def save_budget(self, recipient: str, state: BudgetState) -> None:
        """Write one recipient's budget."""
        save_budget(self._connection, recipient, state)

    # --- What is on its way, and what died ------------------------------------------------------------------------

    def deferred_recipients(self) -> list[tuple[str, str]]:
        """Every (route, recipient) with a HELD delivery, ordered: each waits for a follow-up, or to be abandoned."""
        pair = (deliveries.c.route, deliveries.c.recipient)
        rows = self._connection.execute(select(*pair).where(IS_DEFERRED).distinct())
        return sorted((route, recipient) for route, recipient in rows)

    def deferred_messages(self, route: str, recipient: str) -> list[str]:
        """Ids of the letters of the route that this recipient has not been sent (HELD), oldest first."""
        query = select(messages.c.id).join(deliveries).where(IS_DEFERRED, deliveries.c.route == route)
        query = query.where(deliveries.c.recipient == recipient).order_by(messages.c.created_at, messages.c.id)
        return list(self._connection.scalars(query))

    def entries(self, message_ids: Collection[str]) -> list[Entry]:
        """The entries of these letters, oldest letter first, as they were frozen: one group may appear in many."""
        found: list[tuple[datetime, str, int, str]] = []
        for chunk in chunks(message_ids):
            query = select(messages.c.created_at, messages.c.id, entries.c.number, entries.c.entry).join(entries)
            rows = self._connection.execute(query.where(messages.c.id.in_(chunk)))
            found.extend((at, outbox_id, number, text) for at, outbox_id, number, text in rows)
        return [entry_of(text) for *_, text in sorted(found)]

    def dead_totals(self, route: str) -> list[DeadTotal]:
        """Digests of the route that nobody took (dead, or dropped since) and that no letter dead of, oldest first.

        A letter dead of them that was frozen with them in `dead` and is under way or sent.
        """
        query = select(messages).where(IS_UNREPORTED, messages.c.route == route)
        rows = self._connection.execute(query.order_by(messages.c.created_at, messages.c.id))
        return [_dead_total(row) for row in rows]

    # --- Writing letters ------------------------------------------------------------------------------------------

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

        `queued` and `deferred` share out `digest.recipients`; at least one is queued, and each queued one must be free
        (`free_recipients`). Its groups are to be saved (with `told`) in the same transaction: the mails of a DIGEST are
        pending by this letter from here on, those of a FOLLOW_UP or a NOTICE never count. Keep samples and courses out
        of entries that the digest does not show in full: entries are stored as they are.

        `covers` (FOLLOW_UP only, which holds nobody back): the letters whose HELD deliveries to its recipients become
        COVERED by it. `dead`: ids of dead letters whose totals stand in it; told once it ends SENT, else due again.
        A DIGEST sets the route's `last_digest_at`; if it has one entry, it begins that group's thread. `news_step` is
        given for a DIGEST that carries news: it sets `last_news_at` and `news_step` of the route (`RouteState`).
        Raises ValueError where the arguments contradict this, LedgerError where a queued recipient is not free.
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
        """Give up on a recipient that is no longer configured: what is QUEUED (and not claimed) or HELD is REFUSED.

        Letters that end by it are booked. Returns how many deliveries that were.
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
    """The ledger's part for `digest`."""

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
        """What digests are built of, as of one moment: for a digest that is only looked at."""
        with self._read() as connection:
            yield DigestReads(connection)

    def next_due_at(self) -> datetime | None:
        """The earliest `due_at` of all groups: nothing is told before it; None where no group has one."""
        with self._read() as connection:
            first: datetime | None = connection.scalar(select(func.min(groups.c.due_at)).where(IS_DUE_ONCE))
        return first
