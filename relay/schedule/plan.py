"""Forecast when each error is reported next, if no further mail comes (pure; for `relay plan`).

The forecast simulates the digest step: the same `due_digest`, the same gaps, the same budgets, on the same state. So it
also knows what a digest includes early, what waits for a budget, and what waits for the message before it. An open
message is taken to be delivered at its next try.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from relay.humanize import duration, listed, number
from relay.model import Budget, BudgetState, Group, Level, Phase, Reason, Route, RouteState, Timing
from relay.schedule.budget import next_at, spend
from relay.schedule.group import due, gap, mark_reported
from relay.schedule.mutes import is_muted
from relay.schedule.route import DueDigest, after_digest, due_digest, gap_before, opens_at

MAX_STEPS = 500
"""The most times that are simulated; what is due later has no forecast. Bounds the time of one plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteQueue:
    """One route with all that decides its next digests."""

    route: Route
    groups: Sequence[Group]
    state: RouteState = field(default_factory=RouteState)
    busy: Mapping[str, datetime] = field(default_factory=dict)
    """The recipients with a message that is not delivered yet, and the time of its next try."""
    deferred: frozenset[str] = frozenset()
    """The recipients that wait for a catch-up digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When and why a group is reported next if no further mail comes."""

    group: Group
    at: datetime | None
    """None if the group has nothing to report, or only in a digest that another error causes."""
    reason: Reason | None
    words: str
    later: tuple[tuple[str, datetime], ...] = ()
    """The recipients that get it later, in a catch-up digest, and when."""


def plan(
    queues: Iterable[RouteQueue], *, now: datetime, limits: Budget, budgets: Mapping[str, BudgetState] | None = None
) -> tuple[Forecast, ...]:
    """Return the forecasts of all groups, the next one first and groups that are not due last."""
    simulation = _Simulation([_Queue(queue) for queue in queues], dict(budgets or {}), limits, now)
    forecasts = simulation.run()
    return tuple(sorted(forecasts, key=lambda item: (item.at is None, item.at or now)))


class _Queue:
    """One route in the simulation; its groups and its state change with each simulated digest."""

    def __init__(self, queue: RouteQueue) -> None:
        self.route = queue.route
        self.groups = {group.id: group for group in queue.groups}
        self.state = queue.state
        self.busy = dict(queue.busy)
        self.deferred = set(queue.deferred)
        self.waiting: dict[int, str] = {}
        """Why a due group was not reported although the gap of the route was over, by group id."""
        self.forecasts: dict[int, Forecast] = {}
        self.catching_up: dict[str, list[int]] = {recipient: [] for recipient in queue.deferred}

    def unplanned(self) -> bool:
        """Whether a group that is due once has no forecast yet, or a recipient waits for its catch-up digest."""
        timing = self.route.timing
        return bool(self.deferred) or any(
            number not in self.forecasts and due(group, timing) for number, group in self.groups.items()
        )


class _Simulation:
    def __init__(self, queues: list[_Queue], budgets: dict[str, BudgetState], limits: Budget, now: datetime) -> None:
        self._queues = queues
        self._budgets = budgets
        self._limits = limits
        self._now = self._began = now

    def run(self) -> list[Forecast]:
        """Simulate until each group that is due has been reported."""
        for _ in range(MAX_STEPS):
            for queue in self._queues:
                self._report(queue)
            for queue in self._queues:
                self._catch_up(queue)
            upcoming = min((at for at in self._events() if at > self._now), default=None)
            if upcoming is None or not any(queue.unplanned() for queue in self._queues):
                break
            self._now = upcoming
        return [forecast for queue in self._queues for forecast in self._forecasts(queue)]

    def _events(self) -> Iterator[datetime]:
        """Yield the times at which something can change: an error is due, a gap is over, a budget allows a mail."""
        recipients = set()
        for queue in self._queues:
            timing = queue.route.timing
            yield from (at for group in queue.groups.values() if (at := due(group, timing)))
            yield from (opens_at(queue.state, timing, self._now, news=news) for news in (False, True))
            yield from queue.busy.values()
            recipients |= {*queue.route.recipients}
        for recipient in recipients:
            state = self._budgets.get(recipient)
            yield from (next_at(state, self._limits, self._now, critical=critical) for critical in (False, True))

    # --- One digest ---------------------------------------------------------------------------------------------------

    def _report(self, queue: _Queue) -> None:
        """Report what the route has to report now, if a recipient can get it."""
        timing = queue.route.timing
        chosen = due_digest(queue.route.name, queue.groups.values(), state=queue.state, timing=timing, now=self._now)
        if chosen is None:
            return
        free = [each for each in queue.route.recipients if each not in queue.deferred and self._is_free(queue, each)]
        charged = {recipient for recipient in free if self._charge(recipient, critical=chosen.critical)}
        if not charged:
            why = self._why_held(queue, free)
            queue.waiting |= {group.id: why for group, _ in chosen.groups if group.id not in queue.waiting}
            return
        for group, why_reported in chosen.groups:
            queue.forecasts.setdefault(group.id, self._forecast(queue, group, why_reported, chosen))
            queue.groups[group.id] = mark_reported(group, why_reported, timing, self._now)
        queue.state = after_digest(queue.state, timing, self._now, news=chosen.news)
        for recipient in set(queue.route.recipients) - charged:
            queue.deferred.add(recipient)
            queue.catching_up.setdefault(recipient, []).extend(group.id for group, _ in chosen.groups)

    def _is_free(self, queue: _Queue, recipient: str) -> bool:
        return queue.busy.get(recipient, self._now) <= self._now

    def _charge(self, recipient: str, *, critical: bool) -> bool:
        """Take one mail from the budget of the recipient; False if it allows none."""
        after = spend(self._budgets.get(recipient), self._limits, self._now, critical=critical)
        if after is not None:
            self._budgets[recipient] = after
        return after is not None

    def _catch_up(self, queue: _Queue) -> None:
        """Send the catch-up digests that are possible now."""
        for recipient in sorted(queue.deferred):
            numbers = queue.catching_up.get(recipient, ())
            critical = any(queue.groups[number].level >= Level.CRITICAL for number in numbers)
            if self._is_free(queue, recipient) and self._charge(recipient, critical=critical):
                queue.deferred.remove(recipient)
                for number in queue.catching_up.pop(recipient, ()):
                    before = queue.forecasts[number]
                    if all(recipient != whom for whom, _ in before.later):
                        later = (*before.later, (recipient, self._now))
                        queue.forecasts[number] = replace(before, later=later)

    # --- What to say --------------------------------------------------------------------------------------------------

    def _forecast(self, queue: _Queue, group: Group, why: Reason, chosen: DueDigest) -> Forecast:
        timing = queue.route.timing
        due_at = due(group, timing)
        words = _words(group, why, timing)
        if is_muted(group, self._began):
            words = f"muted; then {words}"
        elif group.id in queue.waiting:
            words += f", {queue.waiting[group.id]}"
        elif due_at is None or due_at > self._now:
            words += ", included early in the digest of another error"
        elif self._now > max(due_at, self._began):
            words += f", in the route's next digest ({gap_before(queue.state, timing, news=chosen.news)})"
        return Forecast(group=group, at=self._now, reason=why, words=words)

    def _why_held(self, queue: _Queue, free: Sequence[str]) -> str:
        if not free:
            return "after the message before it is delivered"
        limits = f"{number(self._limits.per_hour)} mails an hour, {number(self._limits.per_day)} a day"
        return f"held by the budget of {listed(free)} ({limits})"

    def _forecasts(self, queue: _Queue) -> Iterator[Forecast]:
        for number_, group in queue.groups.items():
            words = _not_due(group, queue.route.timing)
            yield queue.forecasts.get(number_) or Forecast(group=group, at=None, reason=None, words=words)


def _not_due(group: Group, timing: Timing) -> str:
    if due(group, timing):
        return "later than this plan reaches"
    if group.mute_above is not None and group.muted_until is None:
        return f"muted until it exceeds {number(group.mute_above)} an hour"
    if group.phase is Phase.OPEN:
        total = number(group.episode_occurrences)
        return f"nothing pending; the closing total ({total}) is included in the next digest of another error"
    return "nothing pending: it has ended" if group.phase is Phase.ENDED else "nothing to report: it was muted"


def _words(group: Group, why: Reason, timing: Timing) -> str:
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
