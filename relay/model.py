"""The nouns of the relay, in the order in which a mail becomes them. Imports nothing of ours.

    Envelope, Kept   what the receiver writes down         (receive → spool)
    Record           the same, read back with its position (spool → sort)
    Report           the mail, understood and redacted     (parse → redact → fingerprint)
    Fingerprint      which error it reports
    Group            one error of one app on one route, with all that scheduling needs to know
    Entry, Digest    what the admins are told in one mail
    Letter           a rendered digest in the outbox
    Attempt          what came of one try to hand it over
    Books            where every received mail is now

Counts: *mails* are what the receiver took; *occurrences* are what they stand for (a mail
of our client may stand for many). Moments are aware datetimes in UTC, durations are
timedeltas, sizes are bytes, rates are occurrences a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

MAX_COUNT = 1_000_000
"""The most occurrences one mail may stand for; a claim above it is taken as 1."""

CUT_MARKER = b"\r\n[... error-mail-relay: %d bytes left out ...]\r\n"
"""Stands between the first and the last part of a mail of which only the ends were kept (`CUT_MARKER % left_out`)."""


class Level(IntEnum):
    """How bad it is, with the numbers of the `logging` module."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What the SMTP dialogue told; recipients are a hint and never decide who gets mail."""

    sender: str
    recipients: tuple[str, ...]
    peer: str


class Kept(StrEnum):
    """How much of a mail the spool holds."""

    WHOLE = "whole"
    """All of it."""
    ENDS = "ends"
    """Its first and last part with a marker between them."""
    COUNT = "count"
    """Nothing but the fact that it came (there was no room for more)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One mail in the spool. `position` is where it begins, `end` where the next one does; neither ever repeats."""

    position: int
    end: int
    received_at: datetime
    envelope: Envelope
    kept: Kept
    content: bytes
    size: int
    """Bytes of the mail as it was sent, also where less is kept."""


class Form(StrEnum):
    """Which layout `parse` recognised."""

    DOCUMENTED = "documented"
    """The mail format of Flask's guide: `Message type:`, `Location:` and so on."""
    DEFAULT = "default"
    """A handler without a formatter: the bare message, then the traceback."""
    DJANGO = "django"
    """Django's AdminEmailHandler."""
    CLIENT = "client"
    """Our own handler's mail (its headers tell; the text is in the documented format)."""
    PLAIN = "plain"
    """Any other text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One error mail, understood. Every text is bounded by `parse` and holds no control character but newline and tab."""

    form: Form
    subject: str
    sender: str
    """The From address, lower case; "" where there is none."""
    app: str
    """The name under which the app's errors are shown, e.g. `YourApplication Failed`."""
    level: Level = Level.ERROR
    logger: str = ""
    location: str = ""
    """`path:line` as mailed."""
    module: str = ""
    function: str = ""
    time: str = ""
    """The moment of the error as the app wrote it."""
    message: str = ""
    """The log message without the traceback."""
    trace: str = ""
    """The traceback as mailed, "" where there is none."""
    environment: str = ""
    host: str = ""
    release: str = ""
    count: int = 1
    """Occurrences this mail stands for, 1..MAX_COUNT."""
    record_id: str = ""
    """Our client's id of this mail (32 hex digits): the same on each try; "" for other senders."""
    dropped: int = 0
    """Records our client says it had to drop before this one."""
    size: int = 0
    cut: bool = False
    """True where the spool kept only the ends of the mail."""
    own: bool = False
    """True where this is a mail of the relay itself that came back: counted, never digested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Which error a report is about: equal `key`s (under one `version`) mean the same error."""

    version: int
    key: str
    title: str
    """A short name for people, e.g. `ZeroDivisionError in checkout`; one line, at most 120 characters."""
    steps: tuple[str, ...] = ()
    """How the key came about, in plain words, for `relay explain`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One report kept whole for people to read (redacted), with the moment it came in."""

    at: datetime
    report: Report


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
    """One error of one app on one route, and what the scheduler knows of it. `id` is 0 until the ledger has stored it."""

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
    """What a batch brings to one group: `mails` and `occurrences` between `first` and `last`, by minute in `minutes`."""

    mails: int
    occurrences: int
    first: datetime
    last: datetime
    level: Level
    minutes: Mapping[datetime, int] = field(default_factory=dict)


class Reason(StrEnum):
    """Why an error is in a digest. Stored, and shown in the mail, the log, the metrics and the dashboard."""

    NEW = "new"
    ONGOING = "ongoing"
    AGAIN = "again"
    SPIKE = "spike"
    BACK = "back"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
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
    course: Course | None
    sample: Report | None


class LetterKind(StrEnum):
    """What a letter in the outbox is."""

    DIGEST = "digest"
    FOLLOW_UP = "follow-up"
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
    kind: LetterKind
    route: str
    recipients: tuple[str, ...]
    created_at: datetime
    entries: tuple[Entry, ...]
    books: Books
    notes: tuple[str, ...] = ()
    """Sentences of the relay's own above the errors: a budget that ran out, an upstream that was down, dead letters."""
    thread: str = ""
    """Message-ID of the first digest about the same single error; "" where there is none (several errors, or the first)."""

    @property
    def mails(self) -> int:
        """Mails reported by it."""
        return sum(entry.mails for entry in self.entries)

    @property
    def occurrences(self) -> int:
        """Occurrences reported by it."""
        return sum(entry.occurrences for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A mail ready for the wire. `raw` has CRLF line ends and all headers; it never changes again."""

    message_id: str
    subject: str
    raw: bytes
    faults: tuple[str, ...] = ()
    """For the log: what was wrong with the user's own templates, so that the built-in ones were used."""


class Delivery(StrEnum):
    """Where one recipient stands with one letter."""

    QUEUED = "queued"
    SENT = "sent"
    REFUSED = "refused"
    """For good."""
    HELD = "held"
    """Not tried: an earlier letter is still on its way to this recipient, or the budget is spent. A follow-up covers it."""
    COVERED = "covered"
    """Held, and part of a follow-up since."""


class LetterState(StrEnum):
    """Where a letter stands."""

    OPEN = "open"
    SENT = "sent"
    """Every recipient is settled and at least one took it."""
    DEAD = "dead"
    """A dead letter: nobody took it. Never deleted by the relay itself; `relay outbox retry` revives it."""
    DROPPED = "dropped"
    """A dead letter an administrator has let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A rendered digest in the outbox, claimed by one worker for one try."""

    id: str
    kind: LetterKind
    route: str
    created_at: datetime
    """When it was put into the outbox: frozen, or revived by an administrator."""
    message_id: str
    subject: str
    raw: bytes
    recipients: tuple[str, ...]
    """Those still queued."""
    tries: int
    """Tries that ended with a word about this letter itself (4xx or 5xx), this one not counted."""
    refusals: int
    """Those of them that were 5xx."""
    ambiguous: bool
    """True where an earlier try may have delivered it without our learning of it."""
    claim: str
    """The token of this claim; what is written back under another one is refused."""


class Verdict(StrEnum):
    """What the upstream said of one recipient, or of the whole letter."""

    TAKEN = "taken"
    LATER = "later"
    """4xx, or no word: try again."""
    NEVER = "never"
    """5xx."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One verdict with the upstream's words: `code` 0 where it gave none; `text` is one line, at most 200 characters."""

    verdict: Verdict
    code: int
    text: str


class Trouble(StrEnum):
    """What is wrong with the upstream itself, whatever letter is tried."""

    UNREACHABLE = "unreachable"
    """No connection, or it broke, or it hung."""
    UNWILLING = "unwilling"
    """It answered 421 or 4xx/5xx before it had heard of a letter."""
    NO_TLS = "no-tls"
    """STARTTLS is required and was not offered, or the handshake failed."""
    CERTIFICATE = "certificate"
    AUTH = "auth"
    """535 and its kin: the credentials were refused, or AUTH was impossible."""
    PROTOCOL = "protocol"
    """It does not speak SMTP as it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of one try. Either `trouble` is set and `answers` is empty, or every tried recipient has an answer.

    A refusal of the whole letter (at MAIL or DATA) is every recipient's answer.
    """

    answers: Mapping[str, Answer]
    trouble: Trouble | None = None
    detail: str = ""
    """For the administrator: one line, no secret."""
    begun: bool = False
    """True where the trouble came after MAIL was said: it may be about this letter alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamState:
    """What is known of the upstream, for pauses and for `/readyz`."""

    failures: int = 0
    failing_since: datetime | None = None
    next_try_at: datetime | None = None
    trouble: Trouble | None = None
    detail: str = ""
    last_success_at: datetime | None = None
    last_try_at: datetime | None = None
    outage_since: datetime | None = None
    outage_until: datetime | None = None
    """The last outage that is over, for the sentence about it in the first digest after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """One recipient's budget: a bucket of `tokens` as of `at`, and how many mails went out on `day` (YYYY-MM-DD, UTC)."""

    tokens: float
    at: datetime
    day: str
    sent_today: int
    exhausted_since: datetime | None = None
    """Set while digests are being folded because it is spent."""
