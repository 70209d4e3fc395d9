"""A digest on its way out: who gets it, what the upstream said, what a recipient may still get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relay.model.digest import MessageKind


class Delivery(StrEnum):
    """Where one recipient stands with one letter."""

    QUEUED = "queued"
    SENT = "sent"
    REFUSED = "refused"
    """For good."""
    DEFERRED = "held"
    """Not tried: an earlier letter is on its way to this recipient, or the budget is spent. A follow-up covers it."""
    COVERED = "covered"
    """Held, and part of a follow-up since."""


class MessageState(StrEnum):
    """Where a letter stands."""

    OPEN = "open"
    SENT = "sent"
    """Every recipient is settled and at least one took it."""
    DEAD = "dead"
    """A dead letter: nobody took it. Never deleted by the relay itself; `relay outbox retry` revives it."""
    DROPPED = "dropped"
    """A dead letter an administrator has let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """A rendered digest in the outbox, claimed by one worker for one try."""

    id: str
    kind: MessageKind
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
    """True where an earlier try may have delivered it without our learning of it. It stays true: what is taken then may
    have come twice, under one Message-ID."""
    claim: str
    """The token of this claim; what is written back under another one is refused."""


class Verdict(StrEnum):
    """What the upstream said of one recipient, or of the whole letter."""

    ACCEPTED = "taken"
    TEMPORARY = "later"
    """4xx, or no word: try again."""
    PERMANENT = "never"
    """5xx."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReply:
    """One verdict with the upstream's words: `code` 0 where it gave none; `text` is one line of 200 at most."""

    verdict: Verdict
    code: int
    text: str
    step: str = ""
    """The command it was said to, e.g. `RCPT`; `the content` after the final dot."""

    def __str__(self) -> str:
        said = f"{self.code} {self.text}".strip() if self.code else self.text
        return f"{said} (at {self.step})" if self.step else said

    @property
    def too_large(self) -> bool:
        """Whether the letter was refused for its size alone (RFC 1870 section 6, RFC 3463 section 3.3 and 3.4).

        At RCPT the same code tells of a mailbox that is full.
        """
        size = self.code == 552 or self.text.startswith(("5.2.3", "5.3.4"))
        return self.verdict is Verdict.PERMANENT and size and self.step != "RCPT"


class Failure(StrEnum):
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
    REFUSED = "refused"
    """It works, and nobody took the last letter: 4xx or 5xx on that or on all its recipients."""
    MAILBOX = "mailbox"
    """The local mailbox cannot be written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of one try. Either `failure` is set and `replies` is empty, or every tried recipient has a reply.

    A refusal of the whole letter (at MAIL or DATA) is every recipient's answer.
    """

    replies: Mapping[str, RecipientReply]
    failure: Failure | None = None
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
    failure: Failure | None = None
    detail: str = ""
    """Which server, at which step, what it said; without `failure`, who did not get the last letter and why."""
    last_success_at: datetime | None = None
    last_try_at: datetime | None = None
    outage_since: datetime | None = None
    outage_until: datetime | None = None
    """The last outage that is over, for the sentence about it in the first digest after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """A recipient whose letter waits because of the upstream's word on it, while others' may go out."""

    recipient: str
    since: datetime
    """When the letter was put into the outbox."""
    code: int
    """0 where the upstream gave none."""
    text: str
    next_try_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """One recipient's budget: a bucket of `tokens` as of `at`, and how many mails went out on `day` (ISO, UTC)."""

    tokens: float
    at: datetime
    day: str
    sent_today: int
    exhausted_since: datetime | None = None
    """Set while digests are being folded because it is spent."""
