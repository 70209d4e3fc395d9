"""A group: one error of one app on one route, with what was received, what was reported, and when it is due next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from relay.model.mail import Level, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One complete redacted report, kept for people to read, with the time at which it came in."""

    at: datetime
    report: Report


GroupKey = tuple[str, str, str]
"""Route, app and key of the fingerprint. Reports with the same three belong to the same group."""


class Phase(StrEnum):
    """The phase of an error between its first and its last mail."""

    FRESH = "fresh"
    """Received, and not reported yet."""
    OPEN = "open"
    """Reported, and still going on."""
    ENDED = "ended"
    """Its closing total was reported, and it has been quiet since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One error of one app on one route, with its state for scheduling. `id` is 0 until the ledger has stored it."""

    id: int = 0
    route: str
    app: str
    fingerprint: str
    version: int
    title: str
    level: Level
    """The worst level of the pending mails. Where none is pending, the level of the last one."""
    first_seen: datetime
    last_seen: datetime
    mails: int = 0
    occurrences: int = 0
    """All that was ever received for this error."""
    phase: Phase = Phase.FRESH
    step: int = 0
    """Index into `Timing.steps`, the growing gaps between digests."""
    reported_at: datetime | None = None
    reported_rate: float = 0.0
    pending_mails: int = 0
    pending_occurrences: int = 0
    pending_since: datetime | None = None
    """When the first pending mail came in. None where nothing is pending."""
    episode_since: datetime | None = None
    """When this episode began. An error that comes back after a long quiet time begins a new one."""
    episode_occurrences: int = 0
    peak: int = 0
    """The most occurrences in one minute of this episode."""
    minute: datetime | None = None
    minute_occurrences: int = 0
    """The current minute, from which `peak` is computed, and its occurrences."""
    seen_before: datetime | None = None
    """When the episode before this one was last seen (this error is back, or seen again). None in the first episode."""
    again: bool = False
    """True where this episode began after a closing total, but within `back_after`."""
    due_at: datetime | None = None
    """When this group is due, before its route's pauses and budgets. None where there is nothing to report."""
    muted_since: datetime | None = None
    """When its mute began. Set until a digest has said that the mute is over."""
    muted_until: datetime | None = None
    """When the mute ends or ended. None without a mute, and in one that only a rate ends."""
    mute_above: int | None = None
    """The mute ends when the error exceeds this number of occurrences an hour. None: no rate ends it."""
    mute_exceeded: bool = False
    """True where the rate ended the mute."""
    muted_mails: int = 0
    muted_occurrences: int = 0
    """What came during the mute."""
    episode_muted: int = 0
    """How many of `episode_occurrences` were muted."""
    merged_into: int | None = None
    """The id of the face of the merged error that this group belongs to (`model.merge`); its own id if it is the face.
    None for a group that is not merged."""

    @property
    def is_face(self) -> bool:
        """Whether the group is an error of its own, or the face of a merged one; False for a part."""
        return self.merged_into is None or self.merged_into == self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """The mails of one batch for one group: totals, first and last time, and occurrences by minute."""

    mails: int
    occurrences: int
    first: datetime
    last: datetime
    level: Level
    minutes: Mapping[datetime, int] = field(default_factory=dict)
