"""Sentences above the errors of a digest: budgets, outages and undelivered digests (pure; for the digest step).

Times are written as clock times in the configured zone, with the date if it is another day.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from relay.humanize import clock, counted, duration, in_mails, listed, moment, number
from relay.model import LEARNED, AuditRecord, BouncingRecipient, Budget, Group, Timing
from relay.schedule.mutes import is_muted
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
        f"between their digests grow: {gaps}. At most {counted(budget.burst, 'mail')} at once, "
        f"then {number(budget.per_hour)} an hour."
    )


def upstream_was_down(since: datetime, until: datetime, now: datetime, zone: tzinfo) -> str:
    """For the first digest after an outage of the upstream, if the outage delayed any of its errors."""
    return (
        f"The mail server could not be used from {clock(since, zone, now)} to {clock(until, zone, now)}. "
        "This mail includes the errors that arrived in the meantime."
    )


def active_mute(group: Group, now: datetime, zone: tzinfo) -> str:
    """For listings: `until 2026-03-03 14:02:07 CET or above 50/h`; "" if the error is not muted."""
    if not is_muted(group, now):
        return ""
    until = f"until {moment(group.muted_until, zone)}" if group.muted_until else ""
    above = f"{'or' if until else 'until'} above {number(group.mute_above)}/h" if group.mute_above is not None else ""
    return " ".join(filter(None, (until, above)))


def mute_is_over(group: Group, now: datetime, zone: tzinfo) -> str:
    """For the first digest after the end of a mute, whatever error causes the digest."""
    why = f", because it exceeded {number(group.mute_above or 0)} an hour" if group.mute_exceeded else ""
    when = clock(group.muted_until or now, zone, now)
    muted = counted(group.muted_occurrences, "occurrence")
    if group.muted_mails != group.muted_occurrences:
        muted += f" {in_mails(group.muted_mails)}"
    since = clock(group.muted_since or now, zone, now)
    count = f"{muted} muted since {since}" if group.muted_occurrences else f"nothing came since {since}"
    return f"The mute of {one_line(group.title, 120)} (ID {group.id}) ended at {when}{why}: {count}."


NAMED_IN_DIGESTS = frozenset(("merge", "unmerge", "split", "unsplit", "learn", "unlearn"))
"""The actions of the audit log that change which mails are one error: the next digest names them."""


def steered(record: AuditRecord, now: datetime, zone: tzinfo) -> str:
    """For the first digest after somebody, or the relay for them, changed which mails are one error."""
    why = f": {one_line(record.reason, 200)}" if record.reason else ""
    if record.author == LEARNED and record.action in {"learn", "unlearn"}:
        return f"{record.summary}. Learned at {clock(record.at, zone, now)}; `relay show {record.group_id}` says more."
    author = "The relay" if record.author == LEARNED else one_line(record.author, 60)
    return f"{author} {record.summary} at {clock(record.at, zone, now)}{why}."


def digests_bounce(bouncing: BouncingRecipient, now: datetime, zone: tzinfo) -> str:
    """For the first digest to others after a digest bounced."""
    return (
        f"Mail to {bouncing.recipient} bounces since {clock(bouncing.since, zone, now)}: "
        f"{one_line(bouncing.text, 200)}. Check this address in `admins` and the routes."
    )


def digest_undelivered(
    subject: str, mails: int, occurrences: int, created_at: datetime, now: datetime, zone: tzinfo
) -> str:
    """For the first digest after a dead letter: the totals and the subject of the dead letter, on one line."""
    count = counted(occurrences, "occurrence")
    if mails != occurrences:
        count += f" {in_mails(mails)}"
    return (
        f"The digest of {clock(created_at, zone, now)} could not be delivered. "
        f"It reported {count}: {one_line(subject, 200)}"
    )
