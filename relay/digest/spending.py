"""Takes mails off the recipients' budgets and says in the mail what there is to say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from relay.compose import notes
from relay.ledger import DigestTransaction
from relay.model import Budget, BudgetState
from relay.schedule.budget import exhaust, next_at, spend


class Paid(NamedTuple):
    """A recipient's budget around one mail."""

    spent_since: datetime | None
    """Since when digests had been folded because it was spent; None: they were not."""
    left: BudgetState


def pay(
    tx: DigestTransaction, recipients: Iterable[str], limits: Budget, now: datetime, *, critical: bool
) -> dict[str, Paid]:
    """Take one mail off the budget of each recipient that has one left; for the others note that it is spent."""
    wanted = sorted(recipients)
    before = tx.budgets(wanted)
    paid = {}
    for recipient in wanted:
        state = before.get(recipient)
        left = spend(state, limits, now, critical=critical)
        if left is not None:
            tx.save_budget(recipient, left)
            paid[recipient] = Paid(state.exhausted_since if state else None, left)
        elif state is None or state.exhausted_since is None:
            tx.save_budget(recipient, exhaust(state, limits, now))
    return paid


def sentences(
    paid: Mapping[str, Paid], limits: Budget, now: datetime, *, interval: timedelta, zone: tzinfo
) -> list[str]:
    """What a mail to those who paid says of their budgets: that one was spent, and when the next mail can come.

    The latter only where that is later than the route's own pause (`interval`) would be over.
    """
    spent = [each.spent_since for each in paid.values() if each.spent_since]
    soonest = max(next_at(each.left, limits, now) for each in paid.values())
    was = [notes.budget_was_spent(limits.per_hour, limits.per_day, min(spent), now, zone)] if spent else []
    return [*was, notes.budget_is_spent(soonest, now, zone)] if soonest > now + interval else was
