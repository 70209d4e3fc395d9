"""A histogram of durations in seconds, cheap enough to count every mail (receiver, ingest → metrics)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

REPLY_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds, in seconds, for the time from the end of a mail to its 250."""
INGEST_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds, in seconds, for the time from the receipt of a mail to its ingest."""


@dataclass(slots=True)
class Histogram:
    """How many durations were at most each bound, and their sum."""

    bounds: Sequence[float]
    counts: list[int] = field(default_factory=list)
    """One count for each bound, and a last one for what is longer. Not cumulative."""
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        """Count one duration; a negative one (the clock was set back) counts as 0."""
        seconds = max(seconds, 0.0)
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Return each bound with the number of durations up to it, as Prometheus wants them; the last is `+Inf`."""
        counts, total, found = list(self.counts), 0, []
        for bound, count in zip((*self.bounds, float("inf")), counts, strict=True):
            total += count
            found.append(("+Inf" if bound == float("inf") else f"{bound:g}", float(total)))
        return found
