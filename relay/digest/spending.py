"""Charge a mail to the budgets of its recipients, and write the notes about budgets that go into the mail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from typing import NamedTuple

from relay.compose import notes
from relay.ledger import DigestTransaction
from relay.model import Budget, BudgetState
from relay.schedule.budget import exhaust, next_at, spend


class Charge(NamedTuple):
    """The budget of one recipient, before and after one mail."""

    exhausted_since: datetime | None
    """Since when the budget had been exhausted before this mail, so that reports were delayed; None if it was not."""
    remaining: BudgetState
    """The budget after the mail."""


def charge_budgets(
    tx: DigestTransaction, recipients: Iterable[str], limits: Budget, now: datetime, *, critical: bool
) -> dict[str, Charge]:
    """Charge one mail to each recipient whose budget allows one; mark the other budgets as exhausted.

    Returns the charged recipients: only they may get the mail.
    """
    wanted = sorted(recipients)
    before = tx.budgets(wanted)
    charges = {}
    for recipient in wanted:
        state = before.get(recipient)
        remaining = spend(state, limits, now, critical=critical)
        if remaining is not None:
            tx.save_budget(recipient, remaining)
            charges[recipient] = Charge(state.exhausted_since if state else None, remaining)
        elif state is None or state.exhausted_since is None:
            tx.save_budget(recipient, exhaust(state, limits, now))
    return charges


def budget_notes(
    charges: Mapping[str, Charge], limits: Budget, now: datetime, *, unless_by: datetime, zone: tzinfo
) -> list[str]:
    """Return the notes for one mail: that a budget was exhausted before it, and when the next mail can go out.

    The second note is left out if the next mail can go out at `unless_by`: then the budget delays nothing.
    """
    exhausted = [each.exhausted_since for each in charges.values() if each.exhausted_since]
    soonest = max(next_at(each.remaining, limits, now) for each in charges.values())
    was = [notes.budget_was_exhausted(limits.per_hour, limits.per_day, min(exhausted), now, zone)] if exhausted else []
    return [*was, notes.budget_is_exhausted(soonest, now, zone)] if soonest > unless_by else was
