"""What waits to be sent: bounded in number and in bytes, equal reports folded, everything counted.

Sits between the handler, which adds, and the sender, which takes the oldest entry *in hand* until the relay has
answered for it. Its guarantee: occurrences added = accepted + pending + dropped, whatever happens. To hold it across a
missed reply, an entry in hand is frozen (id, count, number of dropped): a repetition says the very same, and equal
reports that come meanwhile open a new entry. Knows neither threads nor sockets; whoever shares it between threads
locks.
"""

import uuid
from collections import deque
from dataclasses import dataclass

from app_client.capture.report import Report

MAX_COUNT = 1_000_000
"""The most occurrences (or dropped ones) that one mail may stand for; the relay bounds it likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is sent as one mail, the same on every try."""

    record_id: str
    """32 lower-case hex digits; the relay recognises a repetition by it for 24 hours."""
    report: Report
    """The first of the equal reports: its text is the mail's."""
    count: int
    dropped: int
    """Occurrences that had to be dropped before, not told in an accepted mail yet."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    report: Report
    count: int = 1


class Backlog:
    """The queue of one process."""

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self.pending = 0
        """Occurrences added and neither accepted nor dropped."""
        self.dropped = 0
        """Occurrences dropped and not yet told in an accepted mail."""
        self.opened = 0
        """Entries ever opened; they are settled in this order."""
        self.settled = 0
        """Entries ever settled: accepted, refused or abandoned."""
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: deque[_Entry] = deque()
        self._foldable: dict[int, _Entry] = {}
        self._in_hand: Parcel | None = None

    def add(self, report: Report) -> bool:
        """Fold the report into an equal one that waits, else queue it; False when there is no room: it is dropped."""
        if self.fold(report.kind):
            return True
        if not self._has_room_for(report):
            self.dropped += 1
            return False
        self._open(report)
        self.pending += 1
        return True

    def fold(self, kind: int) -> bool:
        """Count one more of a kind that waits; False when none does: then a report of it is needed."""
        entry = self._foldable.get(kind)
        if entry is None or entry.count >= MAX_COUNT:
            return False
        entry.count += 1
        self.pending += 1
        return True

    @property
    def is_empty(self) -> bool:
        """True when all that was ever opened is settled."""
        return self.opened == self.settled

    @property
    def is_full(self) -> bool:
        """True when nothing but equal reports can be added."""
        return self.opened - self.settled >= self._max_entries or self._bytes >= self._max_bytes

    @property
    def is_crowded(self) -> bool:
        """True when less than half of the room is left."""
        return 2 * (self.opened - self.settled) > self._max_entries or 2 * self._bytes > self._max_bytes

    def drop(self, number: int = 1) -> None:
        """Count occurrences that never got as far as a report, or were lost after they had left."""
        self.dropped += number

    def waiting(self) -> list[Report]:
        """The reports of all entries that are not in hand, in their order."""
        return [entry.report for entry in self._waiting]

    def take(self) -> Parcel | None:
        """The parcel in hand, the same until it is settled; None when nothing waits."""
        if self._in_hand is None and self._waiting:
            entry = self._waiting.popleft()
            if self._foldable.get(entry.report.kind) is entry:
                del self._foldable[entry.report.kind]
            self._in_hand = Parcel(
                record_id=uuid.uuid4().hex,
                report=entry.report,
                count=entry.count,
                dropped=min(self.dropped, MAX_COUNT),
            )
        return self._in_hand

    def accept(self, parcel: Parcel) -> None:
        """The relay or the fallback folder has it: settled, and what it tells of dropped ones is told."""
        if self._settle(parcel):
            self.dropped -= parcel.dropped

    def refuse(self, parcel: Parcel) -> None:
        """The relay will never have it: settled, its occurrences are dropped."""
        if self._settle(parcel):
            self.dropped += parcel.count

    def abandon(self) -> int:
        """Drop all that is pending and return how many occurrences that were."""
        lost, self.pending = self.pending, 0
        self.dropped += lost
        self.settled = self.opened
        self._waiting.clear()
        self._foldable.clear()
        self._in_hand = None
        self._bytes = 0
        return lost

    def _has_room_for(self, report: Report) -> bool:
        return self.opened - self.settled < self._max_entries and self._bytes + report.weight <= self._max_bytes

    def _open(self, report: Report) -> None:
        entry = _Entry(report=report)
        self._waiting.append(entry)
        self._foldable[report.kind] = entry
        self._bytes += report.weight
        self.opened += 1

    def _settle(self, parcel: Parcel) -> bool:
        """False for a parcel no longer in hand: it was abandoned while a try was under way, and is counted already."""
        if self._in_hand is not parcel:
            return False
        self._in_hand = None
        self.pending -= parcel.count
        self.settled += 1
        self._bytes -= parcel.report.weight
        return True
