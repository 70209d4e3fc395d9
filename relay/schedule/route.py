"""Puts the groups of one route together: what it is told in one digest, and when it will be told what next.

Pure, on top of `schedule`, which knows one group at a time; here come the pauses between a route's digests and what
rides along. Asked by `digest` for the turn, by `relay plan` for the forecast.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from relay.humanize import duration, number
from relay.model import Group, Level, Phase, Reason, Timing
from relay.schedule.group import due, gap, is_due, is_muted, reason

MAX_ENTRIES = 5_000
"""The most errors one digest tells of; the rest stays pending for the next. Bounds the memory of a tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDigest:
    """What one route is told now: each group with the reason, the worst and most frequent first."""

    route: str
    groups: tuple[tuple[Group, Reason], ...]
    critical: bool
    """True where a CRITICAL error is due: it may use what the budget keeps back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When and why a group is told next if no further mail comes; budgets and the upstream apart."""

    group: Group
    at: datetime | None
    """None where it is not told by itself."""
    reason: Reason | None
    words: str


def opens_at(last_digest_at: datetime | None, timing: Timing, now: datetime) -> datetime:
    """From when on the route may have its next digest; `now` where it may at once."""
    if last_digest_at is None or last_digest_at > now:  # the clock was set back
        return now
    return max(now, last_digest_at + timing.interval)


def due_digest(
    route: str,
    groups: Iterable[Group],
    *,
    last_digest_at: datetime | None,
    timing: Timing,
    now: datetime,
    caught_up: bool = True,
) -> DueDigest | None:
    """What the route is told now, None where it is told nothing.

    `groups` are those of the route that might be told, each once: the due ones, and for the ride the fresh and the
    quiet ones. Some group must be due and the route open, or a CRITICAL one be due; at most MAX_ENTRIES are told,
    the CRITICAL ones first, those that are due before those that ride along.
    """
    fit = [(group, why) for group in groups if (why := reason(group, timing, now, caught_up=caught_up))]
    own = [(group, why) for group, why in fit if is_due(group, timing, now)]
    critical = any(_is_critical(group) for group, _ in own)
    if not own or (opens_at(last_digest_at, timing, now) > now and not critical):
        return None
    riding = [(group, why) for group, why in fit if not is_due(group, timing, now)]
    own.sort(key=lambda pair: not _is_critical(pair[0]))  # what opened the route is told in this digest
    chosen = (own + riding)[:MAX_ENTRIES]
    chosen.sort(key=lambda pair: (-pair[0].level, -pair[0].pending_occurrences))
    return DueDigest(route=route, groups=tuple(chosen), critical=critical)


def forecast(group: Group, *, last_digest_at: datetime | None, timing: Timing, now: datetime) -> Forecast:
    """When the group is told next if it stays as it is, and why, in words fit for a terminal."""
    own_turn = due(group, timing)
    if own_turn is None:
        return Forecast(group=group, at=None, reason=None, words=_no_turn(group))
    opens = now if _is_critical(group) else opens_at(last_digest_at, timing, now)
    at = max(own_turn, opens)
    why = reason(group, timing, at)
    words = _words(group, why, timing)
    if is_muted(group, now):
        words = f"muted; then: {words}"
    elif at > max(own_turn, now):
        words += f", with the route's next digest (at least {duration(timing.interval)} after the last one)"
    return Forecast(group=group, at=at, reason=why, words=words)


def plan(
    groups: Iterable[Group], *, last_digest_at: datetime | None, timing: Timing, now: datetime
) -> tuple[Forecast, ...]:
    """The forecasts of one route's groups, the next one first and those without a turn of their own last."""
    forecasts = [forecast(group, last_digest_at=last_digest_at, timing=timing, now=now) for group in groups]
    return tuple(sorted(forecasts, key=lambda item: (item.at is None, item.at or now)))


def next_wake(
    groups: Iterable[Group], *, last_digest_at: datetime | None, timing: Timing, now: datetime
) -> datetime | None:
    """When the route's next digest is to be composed if no further mail comes; None: not before one comes."""
    first = next(iter(plan(groups, last_digest_at=last_digest_at, timing=timing, now=now)), None)
    return first.at if first else None


def _is_critical(group: Group) -> bool:
    return group.pending_mails > 0 and group.level >= Level.CRITICAL


def _no_turn(group: Group) -> str:
    if group.phase is Phase.OPEN:
        return (
            f"nothing pending; its closing total ({number(group.episode_occurrences)}) rides in another error's digest"
        )
    return "nothing pending: it has ended" if group.phase is Phase.ENDED else "nothing to tell: it was muted"


def _words(group: Group, why: Reason | None, timing: Timing) -> str:
    pending = f"{number(group.pending_occurrences)} pending"
    step = duration(gap(group, timing))
    match why:
        case Reason.NEW:
            return f"new: {pending}, {duration(timing.first_wait)} after the first"
        case Reason.BACK:
            return f"back after a long quiet: {pending}, {duration(timing.first_wait)} after the first"
        case Reason.AGAIN:
            return f"again since it ended: {pending}, at least {step} after the last report"
        case Reason.SPIKE:
            return f"spike: {pending}, at least {timing.spike_factor:g} times the rate last reported"
        case Reason.ENDED:
            return (
                f"closing total of {number(group.episode_occurrences)}, after {duration(timing.ended_after)} of quiet"
            )
        case _:
            return f"ongoing: {pending}, {step} after the last report"
