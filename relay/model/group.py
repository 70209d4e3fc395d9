"""One error of one app: what has come of it, what of that was told, when it is told next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from relay.model.mail import Level, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One report kept whole for people to read (redacted), with the moment it came in."""

    at: datetime
    report: Report


GroupKey = tuple[str, str, str]
"""Route, app and fingerprint key: what makes two reports the same group."""


class Phase(StrEnum):
    """Where an error stands between its first mail and its last."""

    FRESH = "fresh"
    """Seen, and nobody has been told yet."""
    OPEN = "open"
    """The admins know of it and it goes on."""
    ENDED = "ended"
    """Its closing total was told; quiet since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One error of one app on one route, and what the scheduler knows of it; `id` is 0 until the ledger stored it."""

    id: int = 0
    route: str
    app: str
    fingerprint: str
    version: int
    title: str
    level: Level
    """The worst level among the pending mails, else that of the last one."""
    first_seen: datetime
    last_seen: datetime
    mails: int = 0
    occurrences: int = 0
    """All that was ever received for it."""
    phase: Phase = Phase.FRESH
    step: int = 0
    """Index into the growing gaps between digests."""
    reported_at: datetime | None = None
    reported_rate: float = 0.0
    pending_mails: int = 0
    pending_occurrences: int = 0
    pending_since: datetime | None = None
    """When the first mail came that no digest holds yet; None where nothing is pending."""
    episode_since: datetime | None = None
    """When this bout began (an error that comes back after a long quiet begins a new one)."""
    episode_occurrences: int = 0
    peak: int = 0
    """The most occurrences in one minute of this bout."""
    minute: datetime | None = None
    minute_occurrences: int = 0
    """The running minute behind `peak`."""
    seen_before: datetime | None = None
    """The last moment of the bout before this one (it is back, or seen again); None in the first."""
    again: bool = False
    """True where this bout began after a closing total but within `back_after`."""
    due_at: datetime | None = None
    """When its own turn comes (the route's pauses and budgets apart); None where nothing is to be told."""
    muted_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a batch brings to one group: `mails` and `occurrences` from `first` to `last`, by minute in `minutes`."""

    mails: int
    occurrences: int
    first: datetime
    last: datetime
    level: Level
    minutes: Mapping[datetime, int] = field(default_factory=dict)
