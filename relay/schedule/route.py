"""The next digest of one route: when it can go out, and which groups it contains (pure).

`group` knows one group at a time. This module adds the gap between two digests of a route, and the groups that a
digest includes early. `plan` uses the same functions for its forecast.

The gap depends on what is due. A digest that only continues a report waits for `interval` after the last digest. A
digest with news (`model.NEWS`) waits for the next of the growing `news_gaps` after the last digest with news, and never
longer than `interval`. A CRITICAL error waits for neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.humanize import duration
from relay.model import NEWS, Group, Level, Reason, RouteState, Timing
from relay.schedule.group import is_due, reason

MAX_ENTRIES = 5_000
"""The most errors in one digest; the rest stays pending for the next one. Bounds the memory of a tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDigest:
    """What one route reports now: each group with its reason, the worst level and the most frequent first."""

    route: str
    groups: tuple[tuple[Group, Reason], ...]
    critical: bool
    """True if a CRITICAL error is due: the digest may use the token that the budget reserves."""

    @property
    def news(self) -> bool:
        """Whether an error in it is news, due or included early."""
        return any(why in NEWS for _, why in self.groups)


def opens_at(state: RouteState, timing: Timing, now: datetime, *, news: bool) -> datetime:
    """Return when the route can have its next digest (with `news` or without); `now` if it can have one at once."""
    opens = _end_of_gap(state.last_digest_at, timing.interval, now)
    if not news:
        return opens
    return min(opens, _end_of_gap(state.last_news_at, _step(timing.news_gaps, state.news_step), now))


def after_digest(state: RouteState, timing: Timing, now: datetime, *, news: bool) -> RouteState:
    """Return the state of the route after a digest at `now`. One with news makes the next gap longer.

    After `news_calm` without news, the gaps start again with the first one.
    """
    if not news:
        return replace(state, last_digest_at=now)
    last = state.last_news_at
    calm = last is None or now - last >= timing.news_calm or last > now  # in the future: the clock was set back
    step = 0 if calm else min(state.news_step + 1, len(timing.news_gaps) - 1)
    return RouteState(last_digest_at=now, last_news_at=now, news_step=step)


def gap_before(state: RouteState, timing: Timing, *, news: bool) -> str:
    """Return which gap the next digest of the route waits for, in words."""
    if news:
        gap = min(_step(timing.news_gaps, state.news_step), timing.interval)
        return f"at least {duration(gap)} after the last one with news"
    return f"at least {duration(timing.interval)} after the last one"


def _end_of_gap(last: datetime | None, gap: timedelta, now: datetime) -> datetime:
    return now if last is None or last > now else max(now, last + gap)  # in the future: the clock was set back


def _step(gaps: tuple[timedelta, ...], number: int) -> timedelta:
    return gaps[min(number, len(gaps) - 1)]


def due_digest(
    route: str,
    groups: Iterable[Group],
    *,
    state: RouteState,
    timing: Timing,
    now: datetime,
    caught_up: bool = True,
) -> DueDigest | None:
    """Return what the route reports now, or None if it reports nothing.

    `groups` are the candidates of the route, each once: the groups that are due, and the fresh and quiet ones, which
    can be included early. There is a digest if a group is due and the gap of the route is over (`opens_at`), or if a
    CRITICAL group is due. It contains at most MAX_ENTRIES groups: first the CRITICAL ones that are due, then the others
    that are due, then those included early.
    """
    candidates = [(group, why) for group in groups if (why := reason(group, timing, now, caught_up=caught_up))]
    due_now = [(group, why) for group, why in candidates if is_due(group, timing, now)]
    critical = any(_is_critical(group) for group, _ in due_now)
    news = any(why in NEWS for _, why in due_now)
    if not due_now or (opens_at(state, timing, now, news=news) > now and not critical):
        return None
    early = [(group, why) for group, why in candidates if not is_due(group, timing, now)]
    # A CRITICAL group that causes the digest must be in it, even if MAX_ENTRIES other groups are due.
    due_now.sort(key=lambda pair: not _is_critical(pair[0]))
    chosen = (due_now + early)[:MAX_ENTRIES]
    chosen.sort(key=lambda pair: (-pair[0].level, -pair[0].pending_occurrences))
    return DueDigest(route=route, groups=tuple(chosen), critical=critical)


def _is_critical(group: Group) -> bool:
    return group.pending_occurrences > 0 and group.level >= Level.CRITICAL
