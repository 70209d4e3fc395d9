"""The queue of reports to send: bounded in entries and bytes; equal reports share one entry; everything is counted.

The handler adds reports. The sender takes the oldest entry, which is then *in flight* until the relay has answered.
Guarantee: errors added = accepted + pending + dropped, in every case. To hold this when a reply gets lost, the entry in
flight does not change (id, count, number of dropped errors): a repeated mail is identical, and equal reports that come
meanwhile open a new entry. Knows neither threads nor sockets: callers that share a queue between threads must lock.
"""

import uuid
from collections import deque
from dataclasses import dataclass

from app_client.capture.report import Report

MAX_COUNT = 1_000_000
"""The largest count (of errors or of dropped errors) in one mail; the relay has the same limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMail:
    """The content of one mail, the same on every attempt."""

    record_id: str
    """32 lower-case hex digits; the relay recognises a repeated mail by it for 24 hours."""
    report: Report
    """The first of the equal reports, whose text the mail contains."""
    count: int
    dropped: int
    """Errors that were dropped before and that no accepted mail has reported yet."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    report: Report
    count: int = 1


class ReportQueue:
    """The queue of one process. All counts are numbers of errors, unless they say entries."""

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self.pending = 0
        """Errors that are neither accepted nor dropped."""
        self.dropped = 0
        """Dropped errors that no accepted mail has reported yet."""
        self.opened = 0
        """Number of entries ever opened; they are settled in this order."""
        self.settled = 0
        """Number of entries ever settled: accepted, refused or dropped."""
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: deque[_Entry] = deque()
        self._by_kind: dict[int, _Entry] = {}
        self._in_flight: QueuedMail | None = None

    def add(self, report: Report) -> bool:
        """Count the report as a repeat of a queued one, or queue it. Without room it is dropped: returns False."""
        if self.count_repeat(report.kind):
            return True
        if not self._fits(report):
            self.dropped += 1
            return False
        self._open(report)
        self.pending += 1
        return True

    def count_repeat(self, kind: int) -> bool:
        """Count one more error of a queued kind. Returns False if no entry can count it: then add a report."""
        entry = self._by_kind.get(kind)
        if entry is None or entry.count >= MAX_COUNT:
            return False
        entry.count += 1
        self.pending += 1
        return True

    @property
    def is_empty(self) -> bool:
        """True if all entries are settled."""
        return self.opened == self.settled

    @property
    def is_full(self) -> bool:
        """True if only repeats of queued reports can be added."""
        return self.opened - self.settled >= self._max_entries or self._bytes >= self._max_bytes

    @property
    def is_half_full(self) -> bool:
        """True if more than half of the entries or bytes are used."""
        return 2 * (self.opened - self.settled) > self._max_entries or 2 * self._bytes > self._max_bytes

    def drop(self, number: int = 1) -> None:
        """Count `number` more errors as dropped: they never had an entry, or the fallback folder lost them."""
        self.dropped += number

    def waiting(self) -> list[Report]:
        """Return the reports of all entries that are not in flight, in order."""
        return [entry.report for entry in self._waiting]

    def take(self) -> QueuedMail | None:
        """Return the mail in flight, the same one until it is settled; None if the queue is empty."""
        if self._in_flight is None and self._waiting:
            entry = self._waiting.popleft()
            if self._by_kind.get(entry.report.kind) is entry:
                del self._by_kind[entry.report.kind]
            self._in_flight = QueuedMail(
                record_id=uuid.uuid4().hex,
                report=entry.report,
                count=entry.count,
                dropped=min(self.dropped, MAX_COUNT),
            )
        return self._in_flight

    def accept(self, queued: QueuedMail) -> None:
        """Settle the entry and the dropped errors that its mail reports: the relay or the fallback folder has it."""
        if self._settle(queued):
            self.dropped -= queued.dropped

    def refuse(self, queued: QueuedMail) -> None:
        """Settle the entry and count its errors as dropped: the relay refused the mail permanently."""
        if self._settle(queued):
            self.dropped += queued.count

    def drop_all(self) -> int:
        """Drop all pending errors; returns their number."""
        lost, self.pending = self.pending, 0
        self.dropped += lost
        self.settled = self.opened
        self._waiting.clear()
        self._by_kind.clear()
        self._in_flight = None
        self._bytes = 0
        return lost

    def _fits(self, report: Report) -> bool:
        return self.opened - self.settled < self._max_entries and self._bytes + report.weight <= self._max_bytes

    def _open(self, report: Report) -> None:
        entry = _Entry(report=report)
        self._waiting.append(entry)
        self._by_kind[report.kind] = entry
        self._bytes += report.weight
        self.opened += 1

    def _settle(self, queued: QueuedMail) -> bool:
        """Settle the mail in flight. Returns False if `drop_all` has already counted it during its attempt."""
        if self._in_flight is not queued:
            return False
        self._in_flight = None
        self.pending -= queued.count
        self.settled += 1
        self._bytes -= queued.report.weight
        return True
