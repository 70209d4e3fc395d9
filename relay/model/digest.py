"""A digest: its entries (one per error), the books in its footer, and the rendered mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from relay.model.mail import Level, Report


class Reason(StrEnum):
    """Why an error is in a digest. Stored, and shown in the mail, the log, the metrics and the dashboard."""

    NEW = "new"
    ONGOING = "ongoing"
    AGAIN = "again"
    SPIKE = "spike"
    BACK = "back"
    ENDED = "ended"


NEWS = frozenset((Reason.NEW, Reason.SPIKE, Reason.BACK))
"""The reasons that are news. A digest with one of them can come sooner than one that only continues a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteState:
    """When a route had its last digests: it decides when the next one can go out."""

    last_digest_at: datetime | None = None
    """When its last DIGEST was enqueued (catch-up digests and notices do not count)."""
    last_news_at: datetime | None = None
    """When its last DIGEST with news was enqueued."""
    news_step: int = 0
    """Index into `Timing.news_gaps`: the gap between that digest and the next one with news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Occurrences of an error over time: one count per `step`, oldest first. The first step begins at `since`."""

    since: datetime
    step: timedelta
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One error in one digest: its figures since the last digest, and its totals."""

    group_id: int
    reason: Reason
    app: str
    title: str
    level: Level
    mails: int
    occurrences: int
    """Occurrences since the last digest that reported it. A closing total may have 0."""
    since: datetime
    until: datetime
    """When the first and the last of them came in."""
    rate: float
    rate_before: float
    """Occurrences per minute in this window (at least one minute long), and as last reported (0.0: never reported)."""
    first_seen: datetime
    last_seen: datetime
    seen_before: datetime | None
    total_occurrences: int
    """Since the group exists."""
    episode_occurrences: int
    episode_since: datetime
    peak: int
    timeline: Timeline | None
    sample: Report | None
    echo_of: int | None = None
    """Group id of the entry that this one belongs to: the same failure, logged in another place. None: an entry of its
    own."""
    episode_muted: int = 0
    """How many of `episode_occurrences` were muted."""
    exceeded: int | None = None
    """Occurrences an hour that the error exceeded, so that its mute ended. None if no rate ended a mute."""


class MessageKind(StrEnum):
    """The kind of a message in the outbox."""

    DIGEST = "digest"
    CATCH_UP = "follow-up"
    """The catch-up digest: one mail with all earlier digests that were deferred for its recipients."""
    NOTICE = "notice"
    """A message of the relay itself: a test, or a budget that is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Where every received mail is, as numbers of mails at the time `at`. The relay promises that they balance."""

    at: datetime
    received: int
    reported: int
    pending: int
    muted: int
    ignored: int
    parked: int
    undelivered: int

    @property
    def balanced(self) -> bool:
        """Whether every received mail is accounted for."""
        rest = self.pending + self.muted + self.ignored + self.parked + self.undelivered
        return self.received == self.reported + rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The content of one digest for one route, ready to be rendered. Pure data.

    `books` are those right *after* this digest was enqueued: its own mails still count as pending.
    """

    id: str
    """32 hex digits. The Message-ID contains it."""
    kind: MessageKind
    route: str
    recipients: tuple[str, ...]
    created_at: datetime
    entries: tuple[Entry, ...]
    books: Books
    notes: tuple[str, ...] = ()
    """Sentences above the errors: a budget that was used up, an upstream that was down, dead letters."""
    thread: str = ""
    """Message-ID of the first digest about this error alone. "" in that first one, and with several errors."""

    @property
    def failures(self) -> tuple[Entry, ...]:
        """The entries that stand for themselves, without those that echo another entry."""
        return tuple(entry for entry in self.entries if entry.echo_of is None)

    @property
    def mails(self) -> int:
        """Number of mails that this digest reports, each counted once."""
        return sum(entry.mails for entry in self.entries)

    @property
    def occurrences(self) -> int:
        """Number of occurrences that this digest reports. What was logged in two places occurred once."""
        return sum(entry.occurrences for entry in self.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A mail ready to send. `raw` has all headers and CRLF line ends, and is immutable."""

    message_id: str
    subject: str
    raw: bytes
    faults: tuple[str, ...] = ()
    """For the log: the errors in the user's own templates because of which the built-in ones were used."""
