"""The next digest of one route: which groups it contains now, and a forecast for each group (pure).

`group` knows one group at a time. This module adds the gap between two digests of a route, and the groups that a
digest includes early. The digest step asks for the due digest; `relay plan` asks for the forecast.

The gap depends on what is due. A digest that only continues a report waits for `interval` after the last digest. A
digest with news (`model.NEWS`) waits for the next of the growing `news_gaps` after the last digest with news, and never
longer than `interval`. A CRITICAL error waits for neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.humanize import duration, number
from relay.model import NEWS, Group, Level, Phase, Reason, RouteState, Timing
from relay.schedule.group import due, gap, is_due, is_muted, reason

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When and why a group is reported next if no further mail comes. Budgets and the upstream are not considered."""

    group: Group
    at: datetime | None
    """None if the group is not due by itself."""
    reason: Reason | None
    words: str


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


def forecast(group: Group, *, state: RouteState, timing: Timing, now: datetime) -> Forecast:
    """Return when and why the group is reported next if nothing changes, with a sentence for the terminal."""
    due_at = due(group, timing)
    if due_at is None:
        return Forecast(group=group, at=None, reason=None, words=_not_due(group))
    news = reason(group, timing, max(due_at, now)) in NEWS
    opens = now if _is_critical(group) else opens_at(state, timing, now, news=news)
    at = max(due_at, opens)
    why = reason(group, timing, at)
    words = _words(group, why, timing)
    if is_muted(group, now):
        words = f"muted; then {words}"
    elif at > max(due_at, now):
        words += f", in the route's next digest ({_gap_in_words(state, timing, news=news)})"
    return Forecast(group=group, at=at, reason=why, words=words)


def plan(groups: Iterable[Group], *, state: RouteState, timing: Timing, now: datetime) -> tuple[Forecast, ...]:
    """Return the forecasts of one route's groups, the next one first and groups that are not due by themselves last."""
    forecasts = [forecast(group, state=state, timing=timing, now=now) for group in groups]
    return tuple(sorted(forecasts, key=lambda item: (item.at is None, item.at or now)))


def next_wake(groups: Iterable[Group], *, state: RouteState, timing: Timing, now: datetime) -> datetime | None:
    """Return when the next digest of the route is due if no further mail comes, or None if none is due without one."""
    first = next(iter(plan(groups, state=state, timing=timing, now=now)), None)
    return first.at if first else None


def _gap_in_words(state: RouteState, timing: Timing, *, news: bool) -> str:
    if news:
        gap = min(_step(timing.news_gaps, state.news_step), timing.interval)
        return f"at least {duration(gap)} after the last one with news"
    return f"at least {duration(timing.interval)} after the last one"


def _is_critical(group: Group) -> bool:
    return group.pending_mails > 0 and group.level >= Level.CRITICAL


def _not_due(group: Group) -> str:
    if group.phase is Phase.OPEN:
        total = number(group.episode_occurrences)
        return f"nothing pending; the closing total ({total}) is included in the next digest of another error"
    return "nothing pending: it has ended" if group.phase is Phase.ENDED else "nothing to report: it was muted"


def _words(group: Group, why: Reason | None, timing: Timing) -> str:
    pending = f"{number(group.pending_occurrences)} pending"
    step = duration(gap(group, timing))
    match why:
        case Reason.NEW:
            return f"new: {pending}, due {duration(timing.first_wait)} after the first"
        case Reason.BACK:
            return f"back after a long quiet period: {pending}, due {duration(timing.first_wait)} after the first"
        case Reason.AGAIN:
            return f"again after it had ended: {pending}, due at least {step} after the last report"
        case Reason.SPIKE:
            return f"spike: {pending}, at least {timing.spike_factor:g} times the last reported rate"
        case Reason.ENDED:
            total, quiet = number(group.episode_occurrences), duration(timing.ended_after)
            return f"closing total of {total}, due after {quiet} of quiet"
        case _:
            return f"ongoing: {pending}, due {step} after the last report"
