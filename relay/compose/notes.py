"""Sentences above the errors of a digest: budgets, outages and undelivered digests (pure; for the digest step).

Times are written as clock times in the configured zone, with the date if it is another day.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from relay.humanize import clock, counted, duration, listed, number
from relay.model import Budget, Timing
from relay.text import one_line


def budget_was_exhausted(per_hour: int, per_day: int, since: datetime, now: datetime, zone: tzinfo) -> str:
    """For the first mail after reports were delayed because the budget of a recipient was used up."""
    return (
        f"The budget of {counted(per_hour, 'mail')} an hour and {number(per_day)} a day was used up at "
        f"{clock(since, zone, now)}. This mail includes everything that could not be reported since then; "
        "nothing is lost."
    )


def budget_is_exhausted(next_at: datetime, now: datetime, zone: tzinfo) -> str:
    """For the mail that uses up the budget, except for what is reserved for CRITICAL errors."""
    return (
        f"This mail used up the budget. The next mail can go out at {clock(next_at, zone, now)}, or earlier for a "
        "CRITICAL error. It will include everything that arrives until then."
    )


def when_news_comes(timing: Timing, budget: Budget) -> str:
    """For the test mail: when a new error is reported, with these settings."""
    gaps = listed([duration(gap) for gap in timing.news_gaps])
    return (
        f"A new error is reported after {duration(timing.first_wait)}. While more new errors keep coming, the gaps "
        f"between their digests grow: {gaps}. Never more than {counted(budget.per_hour, 'mail')} an hour."
    )


def upstream_was_down(since: datetime, until: datetime, now: datetime, zone: tzinfo) -> str:
    """For the first digest after an outage of the upstream, if the outage delayed any of its errors."""
    return (
        f"The mail server could not be used from {clock(since, zone, now)} to {clock(until, zone, now)}. "
        "This mail includes the errors that arrived in the meantime."
    )


def digest_undelivered(
    subject: str, mails: int, occurrences: int, created_at: datetime, now: datetime, zone: tzinfo
) -> str:
    """For the first digest after a dead letter: the totals and the subject of the dead letter, on one line."""
    count = counted(occurrences, "occurrence")
    if mails != occurrences:
        count += f" in {counted(mails, 'mail')}"
    return (
        f"The digest of {clock(created_at, zone, now)} could not be delivered. "
        f"It reported {count}: {one_line(subject, 200)}"
    )
