"""The relay's own sentences above the errors of a digest: what became of mails that came late or never (digest asks).

Pure. Moments are written as clocks in the readers' zone.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from relay.humanize import clock, counted, number
from relay.text import one_line


def budget_was_spent(per_hour: int, per_day: int, since: datetime, now: datetime, zone: tzinfo) -> str:
    """For the first mail after digests were folded because a recipient's budget was spent."""
    return (
        f"The budget of {counted(per_hour, 'mail')} an hour and {number(per_day)} a day was spent at "
        f"{clock(since, zone, now)}: what could not be told since then is folded into this mail; none of it is lost."
    )


def budget_is_spent(next_at: datetime, now: datetime, zone: tzinfo) -> str:
    """For the mail that takes the last of the budget but what is kept for CRITICAL."""
    return (
        f"This mail used up the budget. The next one can go out at {clock(next_at, zone, now)}, "
        "one about a CRITICAL error sooner; what comes until then is folded into it."
    )


def upstream_was_down(since: datetime, until: datetime, now: datetime, zone: tzinfo) -> str:
    """For the first digest after an outage that kept news waiting."""
    return (
        f"The mail server could not be used from {clock(since, zone, now)} to {clock(until, zone, now)}: "
        "what came in the meantime is in this mail."
    )


def digest_died(subject: str, mails: int, occurrences: int, created_at: datetime, now: datetime, zone: tzinfo) -> str:
    """For the first digest after one that nobody took: its totals, in one line."""
    count = counted(occurrences, "occurrence")
    if mails != occurrences:
        count += f" in {counted(mails, 'mail')}"
    return (
        f"The digest of {clock(created_at, zone, now)} could not be delivered. "
        f"It told of {count}: {one_line(subject, 200)}"
    )
