"""Answers what the CLI, the web and the metrics ask (ledger → cli, web).

Guarantee: never waits for a writer and never makes one wait; the books are read in one statement, so they are of one
moment.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from relay.ledger.engine import Database
from relay.ledger.views import Cursor, GroupOrder, Lease, Parked, RouteState, Tally
from relay.model import Books, BudgetState, Course, Group, Phase, Sample


class Reading(Database):
    """The ledger's part for the faces."""

    def books(self, now: datetime) -> Books:
        """Where every mail is; `now` is only the moment they are dated with."""
        raise NotImplementedError

    def groups(
        self,
        *,
        limit: int = 50,
        order: GroupOrder = GroupOrder.LAST_SEEN,
        route: str | None = None,
        app: str | None = None,
        phase: Phase | None = None,
        text: str = "",
    ) -> list[Group]:
        """Groups that fit every condition given, the greatest by `order` first; `text` is looked for in the title."""
        raise NotImplementedError

    def group(self, group_id: int) -> Group | None:
        """One group; None where there is none of that id."""
        raise NotImplementedError

    def samples_of(self, group_id: int) -> list[Sample]:
        """The samples kept of a group, newest first."""
        raise NotImplementedError

    def course(self, group_id: int, since: datetime, now: datetime) -> Course | None:
        """How the group went, as in `SchedulingTransaction.courses`; None where nothing was counted."""
        raise NotImplementedError

    def route_states(self) -> dict[str, RouteState]:
        """What is known of each route that has had a digest."""
        raise NotImplementedError

    def all_budgets(self) -> dict[str, BudgetState]:
        """What is left of every recipient's budget."""
        raise NotImplementedError

    def cursors(self) -> list[Cursor]:
        """How far each spool has been sorted."""
        raise NotImplementedError

    def leases(self) -> list[Lease]:
        """Who holds which lease, also those that have run out."""
        raise NotImplementedError

    def parked(self, *, before: datetime | None = None, limit: int = 100) -> list[Parked]:
        """Mails that were put aside (before a moment), oldest first."""
        raise NotImplementedError

    def tally(self) -> Tally:
        """How many rows of each kind there are."""
        raise NotImplementedError

    def revise(self, group_id: int, change: Callable[[Group], Group]) -> Group | None:
        """Change one group by a pure function, e.g. `lambda group: schedule.mute(group, until, timing)`, in one
        transaction; returns it as it is then, None where there is none of that id.
        """
        raise NotImplementedError

    def mute(self, group_id: int, until: datetime) -> bool:
        """Tell nothing of the group before `until`. False where there is none of that id."""
        raise NotImplementedError

    def unmute(self, group_id: int) -> bool:
        """Let the group have its turn again: it is looked at in the next tick. False where there is none of that id.

        With the route's timings at hand, `revise` and `schedule.unmute` set its turn exactly.
        """
        raise NotImplementedError
