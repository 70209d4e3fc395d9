"""Which recipients wait because their budget is used up, until when, and how many errors wait (ledger → CLI, web)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from relay.config import Settings
from relay.humanize import counted, moment, number
from relay.ledger import Ledger
from relay.model import Budget, BudgetHold
from relay.schedule.budget import held_until


def budget_holds(ledger: Ledger, settings: Settings, now: datetime) -> list[BudgetHold]:
    """Return the recipients whose budget holds back at least one error now, the longest held first.

    Costs one small query while no budget is used up. Raises LedgerBusy, LedgerError.
    """
    found = []
    for recipient, state in ledger.all_budgets().items():
        until = held_until(state, settings.budget, now)
        if until is None or state.exhausted_since is None:
            continue
        routes = [route.name for route in settings.all_routes if recipient in route.recipients]
        if errors := ledger.errors_waiting(recipient, routes, now):
            found.append(BudgetHold(recipient=recipient, since=state.exhausted_since, until=until, errors=errors))
    return sorted(found, key=lambda hold: hold.since)


def describe_holds(holds: Sequence[BudgetHold], limits: Budget, zone: tzinfo = UTC) -> str:
    """Describe which recipients wait for their budget, until when, and with how many errors; "" if none waits."""
    if not holds:
        return ""
    who = "; ".join(_describe(hold, zone) for hold in holds)
    at_once, hourly, daily = counted(limits.burst, "mail"), number(limits.per_hour), number(limits.per_day)
    return f"{who}. At most {at_once} at once, then {hourly} an hour, and {daily} a day ([budget])"


def _describe(hold: BudgetHold, zone: tzinfo) -> str:
    waiting = f"{counted(hold.errors, 'error')} waiting since {moment(hold.since, zone)}"
    return f"{hold.recipient} gets the next mail {moment(hold.until, zone)} ({waiting})"
