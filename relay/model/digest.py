"""What the admins are told in one mail, and the books that stand under it."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """How an error went: occurrences per `step`, oldest first, from `since` on."""

    since: datetime
    step: timedelta
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One error in one digest: its news since the last one, and the whole of it."""

    group_id: int
    reason: Reason
    app: str
    title: str
    level: Level
    mails: int
    occurrences: int
    """Since the last digest that told of it (0 is possible for a closing total)."""
    since: datetime
    until: datetime
    """The first and the last moment these came in."""
    rate: float
    rate_before: float
    """Occurrences a minute in this window (of at least one minute), and as last reported (0.0: never)."""
    first_seen: datetime
    last_seen: datetime
    seen_before: datetime | None
    total_occurrences: int
    """Ever."""
    episode_occurrences: int
    episode_since: datetime
    peak: int
    timeline: Timeline | None
    sample: Report | None
    echo_of: int | None = None
    """The group in whose entry it is told, being the same failure logged in another place; None: it is told by itself.
    """


class MessageKind(StrEnum):
    """What a letter in the outbox is."""

    DIGEST = "digest"
    CATCH_UP = "follow-up"
    """For recipients who could not be served with earlier digests: those, folded into one."""
    NOTICE = "notice"
    """The relay's own word: a test, a full budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Where every mail is that was ever received, in mails, at the moment `at`. They balance by promise."""

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
        """Whether all that was received is accounted for."""
        rest = self.pending + self.muted + self.ignored + self.parked + self.undelivered
        return self.received == self.reported + rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What one route is told at one moment: pure data, ready to be rendered.

    `books` speak of the moment *after* this digest was frozen: its own mails still stand under pending.
    """

    id: str
    """32 hex digits; the Message-ID is made of it."""
    kind: MessageKind
    route: str
    recipients: tuple[str, ...]
    created_at: datetime
    entries: tuple[Entry, ...]
    books: Books
    notes: tuple[str, ...] = ()
    """Sentences of the relay's own above the errors: a budget that ran out, an upstream that was down, dead letters."""
    thread: str = ""
    """Message-ID of the first digest about this single error; "" where there is none (several errors, or the first)."""

    @property
    def failures(self) -> tuple[Entry, ...]:
        """The entries told by themselves."""
        return tuple(entry for entry in self.entries if entry.echo_of is None)

    @property
    def mails(self) -> int:
        """Mails reported by it, each once."""
        return sum(entry.mails for entry in self.entries)

    @property
    def occurrences(self) -> int:
        """Occurrences reported by it; what was logged in two places has occurred once."""
        return sum(entry.occurrences for entry in self.failures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A mail ready for the wire. `raw` has CRLF line ends and all headers; it never changes again."""

    message_id: str
    subject: str
    raw: bytes
    faults: tuple[str, ...] = ()
    """For the log: what was wrong with the user's own templates, so that the built-in ones were used."""
