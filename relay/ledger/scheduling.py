"""What the scheduler reads and writes in one transaction, under a lease with a fencing token (digest → ledger).

Guarantee: from the first line of the block to its end nobody else changes a group, a letter or the books (sorting
waits, on both databases), so that what was read is still true when the digest is frozen. A digest and the groups
it was made of are written together or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from relay.ledger.engine import Database
from relay.ledger.views import DeadTotal, RouteState
from relay.model import Books, BudgetState, Course, Digest, Entry, Group, Phase, Rendered, Report


class SchedulingTransaction:
    """What can be read and written while it is decided whom to tell what. Keep the block short: sorting waits."""

    # --- Groups ---------------------------------------------------------------------------------------------------

    def due_groups(self, now: datetime, *, limit: int = 20_000) -> list[Group]:
        """Groups of any route whose turn has come (`due_at` at or before `now`), the longest due first."""
        raise NotImplementedError

    def pending_groups(self, route: str, *, phase: Phase | None = None, limit: int = 20_000) -> list[Group]:
        """Groups of the route that have pending mails (of one phase only, if given), the longest pending first."""
        raise NotImplementedError

    def quiet_groups(self, route: str, before: datetime, *, limit: int = 1_000) -> list[Group]:
        """Groups the admins know of (OPEN) with nothing pending and last seen at or before `before`, oldest first."""
        raise NotImplementedError

    def courses(self, since: Mapping[int, datetime], now: datetime) -> dict[int, Course]:
        """How errors went from each group's `since` to `now`, in at most 24 steps; a group without counts is left out.

        The step is the smallest of 1, 2, 5, 10, 15, 30 min, 1, 2, 3, 6, 12 h, 1, 2, 7 days that fits; the course begins
        at a whole step. Ask only for those that a digest shows in full.
        """
        raise NotImplementedError

    def samples(self, group_ids: Collection[int]) -> dict[int, Report]:
        """The newest sample of each group; those without one are left out."""
        raise NotImplementedError

    def first_message_id(self, group_id: int) -> str:
        """Message-ID of the first digest that told of this group alone, "" where there is none: for threading."""
        raise NotImplementedError

    def save(self, groups: Iterable[Group]) -> None:
        """Write groups that this transaction has read."""
        raise NotImplementedError

    # --- Routes, recipients, budgets ------------------------------------------------------------------------------

    def route_state(self, route: str) -> RouteState:
        """What is known of the route; of one never seen, the defaults."""
        raise NotImplementedError

    def free_recipients(self, route: str, recipients: Collection[str]) -> set[str]:
        """Those of `recipients` with no QUEUED delivery on this route: only they may be queued."""
        raise NotImplementedError

    def budgets(self, recipients: Collection[str]) -> dict[str, BudgetState]:
        """What is left of each recipient's budget; those never sent to are left out."""
        raise NotImplementedError

    def save_budget(self, recipient: str, state: BudgetState) -> None:
        """Write one recipient's budget."""
        raise NotImplementedError

    # --- What is on its way, and what died ------------------------------------------------------------------------

    def holding(self) -> list[tuple[str, str]]:
        """Every (route, recipient) with a HELD delivery, ordered: each waits for a follow-up, or to be abandoned."""
        raise NotImplementedError

    def held(self, route: str, recipient: str) -> list[str]:
        """Ids of the letters of the route that this recipient has not been sent (HELD), oldest first."""
        raise NotImplementedError

    def entries(self, letter_ids: Collection[str]) -> list[Entry]:
        """The entries of these letters, oldest letter first, as they were frozen: one group may appear in many."""
        raise NotImplementedError

    def dead_totals(self, route: str) -> list[DeadTotal]:
        """Digests of the route that nobody took and no letter under way or sent tells of yet, oldest first."""
        raise NotImplementedError

    def books(self, now: datetime) -> Books:
        """The books within this transaction: what was saved and frozen before this call is in them."""
        raise NotImplementedError

    # --- Writing letters ------------------------------------------------------------------------------------------

    def freeze(
        self,
        digest: Digest,
        rendered: Rendered,
        *,
        queued: Collection[str],
        held: Collection[str] = (),
        covers: Collection[str] = (),
        tells: Collection[str] = (),
    ) -> None:
        """Put a rendered digest into the outbox, to be tried from `digest.created_at` on.

        `queued` and `held` share out `digest.recipients`; at least one is queued, and each queued one must be free
        (`free_recipients`). Its groups are to be saved (with `told`) in the same transaction: the mails of a DIGEST are
        pending by this letter from here on, those of a FOLLOW_UP or a NOTICE never count. Keep samples and courses out
        of entries that the digest does not show in full: entries are stored as they are.

        `covers` (FOLLOW_UP only, which holds nobody back): the letters whose HELD deliveries to its recipients become
        COVERED by it. `tells`: ids of dead letters whose totals stand in it; told once it ends SENT, else due again.
        A DIGEST sets the route's `last_digest_at`; if it has one entry, it begins that group's thread.
        Raises ValueError where the arguments contradict this, LedgerError where a queued recipient is not free.
        """
        raise NotImplementedError

    def abandon(self, route: str, recipient: str, why: str, now: datetime) -> int:
        """Give up on a recipient that is no longer configured: what is QUEUED (and not claimed) or HELD is REFUSED.

        Letters that end by it are booked. Returns how many deliveries that were.
        """
        raise NotImplementedError


class Scheduling(Database):
    """The ledger's part for `digest`."""

    @contextmanager
    def scheduling(self, name: str, token: int) -> Iterator[SchedulingTransaction]:
        """One transaction under the lease `name`: commits at the end of the block, rolls back on an exception.

        Raises LeaseLost unless `token` is still the lease's newest; it stays so until the block ends.
        """
        raise NotImplementedError
        yield SchedulingTransaction()

    def next_due_at(self) -> datetime | None:
        """The earliest `due_at` of all groups: nothing is told before it; None where no group has one."""
        raise NotImplementedError
