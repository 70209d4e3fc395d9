"""Simulated time for the pure scheduler: mails at given times, a tick whenever something can be due, a list of digests.

Without ledger and rendering: a story shows what the rules alone decide. Times are written `H:MM:SS` and count from the
beginning of the story.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from relay.model import Arrival, Fingerprint, Group, Level, RouteState, Timing
from relay.schedule.group import arrive, due, mark_reported, mute, open_group, reschedule
from relay.schedule.mutes import forget, is_over
from relay.schedule.route import after_digest, due_digest, opens_at

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def at(clock: str) -> datetime:
    """The time `H:MM` or `H:MM:SS` after the beginning of the story; hours can be more than 24."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return BEGIN + timedelta(hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


def clock(time: datetime) -> str:
    """Write a time as `at` reads it."""
    seconds = round((time - BEGIN).total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def spread(total: int, begin: str, end: str, *, every: int = 1) -> dict[datetime, int]:
    """`total` occurrences spread evenly from `begin` until before `end`, with one slot every `every` seconds."""
    first, slots = at(begin), int((at(end) - at(begin)).total_seconds()) // every
    passed = [-(-slot * total // slots) for slot in range(slots + 1)]
    counts = enumerate(after - before for before, after in pairwise(passed))
    return {first + slot * every * SECOND: count for slot, count in counts if count}


def arrival(time: datetime, count: int, level: Level = Level.ERROR) -> Arrival:
    """`count` equal mails at one time."""
    minute = time.replace(second=0, microsecond=0)
    return Arrival(mails=count, occurrences=count, first=time, last=time, level=level, minutes={minute: count})


@dataclass
class Timetable:
    """One route with its groups; `reported` counts the occurrences in digests by title."""

    timing: Timing = field(default_factory=Timing)
    groups: dict[str, Group] = field(default_factory=dict)
    state: RouteState = field(default_factory=RouteState)
    digests: list[str] = field(default_factory=list)
    reported: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    now: datetime = BEGIN
    _upcoming: dict[datetime, list[tuple[str, int, Level]]] = field(default_factory=lambda: defaultdict(list))

    def mail(self, clock: str, title: str = "boom", count: int = 1, level: Level = Level.ERROR) -> None:
        """Schedule `count` equal mails at one time."""
        self._upcoming[at(clock)].append((title, count, level))

    def flood(self, total: int, begin: str, end: str, title: str = "boom") -> None:
        """Schedule `total` equal mails, spread evenly."""
        for time, count in spread(total, begin, end).items():
            self._upcoming[time].append((title, count, Level.ERROR))

    def until(self, clock: str) -> list[str]:
        """Run until this time. Returns the digests since the last call, each as `0:00:10 new boom 28`."""
        before = len(self.digests)
        while self.now < at(clock):
            for title, count, level in self._upcoming.pop(self.now, ()):
                self._arrive(title, arrival(self.now, count, level))
            self._tick()
            self.now = min([at(clock), *(time for time in self._event_times() if time > self.now)])
        return self.digests[before:]

    def mute(self, title: str, until: str) -> None:
        """Mute a group as an administrator does."""
        self.groups[title] = mute(self.groups[title], at(until), self.timing, now=self.now)

    def _arrive(self, title: str, arrival: Arrival) -> None:
        group = self.groups.get(title)
        if group is None:
            error = Fingerprint(version=1, key=title, title=title)
            opened = open_group(route="admins", app="shop", fingerprint=error, arrival=arrival)
            group = replace(opened, id=len(self.groups) + 1)
        self.groups[title] = arrive(group, arrival, self.timing)

    def _event_times(self) -> list[datetime]:
        """When something can happen next: a mail, a due group, the end of a gap of the route."""
        due_times = [time for group in self.groups.values() if (time := due(group, self.timing))]
        gap_ends = [opens_at(self.state, self.timing, self.now, news=news) for news in (False, True)]
        return [*self._upcoming, *due_times, *gap_ends]

    def _tick(self) -> None:
        """Do what the worker does at `now`."""
        chosen = due_digest("admins", self.groups.values(), state=self.state, timing=self.timing, now=self.now)
        if chosen is None:
            return
        lines = [f"{why.value} {group.title} {group.pending_occurrences}" for group, why in chosen.groups]
        self.digests.append(f"{clock(self.now)} {', '.join(lines)}")
        self.state = after_digest(self.state, self.timing, self.now, news=chosen.news)
        for group, why in chosen.groups:
            self.reported[group.title] += group.pending_occurrences
            self.groups[group.title] = mark_reported(group, why, self.timing, self.now)
        for title, group in self.groups.items():  # a note in the digest says that their mutes are over
            if is_over(group, self.now):
                self.groups[title] = reschedule(forget(group), self.timing)
