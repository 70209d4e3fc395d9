"""The pure scheduler run through time: mails at their moments, a tick where something may happen, digests noted down.

No ledger and no rendering: what a story shows here is what the rules alone decide. Time is written `H:MM:SS`, counted
from the story's beginning.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from relay.model import Arrival, Fingerprint, Group, Level, Timing
from relay.schedule.group import arrive, due, mark_reported, mute, open_group
from relay.schedule.route import due_digest

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def at(clock: str) -> datetime:
    """The moment `H:MM` or `H:MM:SS` after the story's beginning; hours may go beyond 24."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return BEGIN + timedelta(hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0)


def clock(moment: datetime) -> str:
    """Write a moment as `at` reads it."""
    seconds = round((moment - BEGIN).total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def spread(total: int, begin: str, end: str, *, every: int = 1) -> dict[datetime, int]:
    """`total` occurrences spread evenly over the seconds (or every so-many-eth) from `begin` until before `end`."""
    first, slots = at(begin), int((at(end) - at(begin)).total_seconds()) // every
    passed = [-(-slot * total // slots) for slot in range(slots + 1)]
    counts = enumerate(after - before for before, after in pairwise(passed))
    return {first + slot * every * SECOND: count for slot, count in counts if count}


def arrival(moment: datetime, count: int, level: Level = Level.ERROR) -> Arrival:
    """`count` equal mails at one moment."""
    minute = moment.replace(second=0, microsecond=0)
    return Arrival(mails=count, occurrences=count, first=moment, last=moment, level=level, minutes={minute: count})


@dataclass
class Timetable:
    """One route with its errors."""

    timing: Timing = field(default_factory=Timing)
    groups: dict[str, Group] = field(default_factory=dict)
    last_digest_at: datetime | None = None
    digests: list[str] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    now: datetime = BEGIN
    _coming: dict[datetime, list[tuple[str, int, Level]]] = field(default_factory=lambda: defaultdict(list))

    def mail(self, clock: str, title: str = "boom", count: int = 1, level: Level = Level.ERROR) -> None:
        """`count` equal mails will come at one moment."""
        self._coming[at(clock)].append((title, count, level))

    def flood(self, total: int, begin: str, end: str, title: str = "boom") -> None:
        """`total` equal mails will come, spread evenly."""
        for moment, count in spread(total, begin, end).items():
            self._coming[moment].append((title, count, Level.ERROR))

    def until(self, clock: str) -> list[str]:
        """Let time pass up to that moment; the digests since the last call, each as `0:00:10 new boom 28`."""
        before = len(self.digests)
        while self.now < at(clock):
            for title, count, level in self._coming.pop(self.now, ()):
                self._arrive(title, arrival(self.now, count, level))
            self._tick()
            self.now = min([at(clock), *(moment for moment in self._moments() if moment > self.now)])
        return self.digests[before:]

    def mute(self, title: str, until: str) -> None:
        """What the administrator does."""
        self.groups[title] = mute(self.groups[title], at(until), self.timing)

    def _arrive(self, title: str, arrival: Arrival) -> None:
        group = self.groups.get(title)
        if group is None:
            error = Fingerprint(version=1, key=title, title=title)
            opened = open_group(route="admins", app="shop", fingerprint=error, arrival=arrival)
            group = replace(opened, id=len(self.groups) + 1)
        self.groups[title] = arrive(group, arrival, self.timing)

    def _moments(self) -> list[datetime]:
        """When something may happen next: a mail, a group's turn, the route's tick."""
        turns = [moment for group in self.groups.values() if (moment := due(group, self.timing))]
        ticks = [self.last_digest_at + self.timing.interval] if self.last_digest_at else []
        return [*self._coming, *turns, *ticks]

    def _tick(self) -> None:
        """What the worker does at `now`."""
        chosen = due_digest(
            "admins", self.groups.values(), last_digest_at=self.last_digest_at, timing=self.timing, now=self.now
        )
        if chosen is None:
            return
        lines = [f"{why.value} {group.title} {group.pending_occurrences}" for group, why in chosen.groups]
        self.digests.append(f"{clock(self.now)} {', '.join(lines)}")
        self.last_digest_at = self.now
        for group, why in chosen.groups:
            self.told[group.title] += group.pending_occurrences
            self.groups[group.title] = mark_reported(group, why, self.timing, self.now)
