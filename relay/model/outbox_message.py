"""A message in the outbox: its recipients, the upstream's replies, and the state of upstream and budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relay.model.cause import Cause
from relay.model.digest import MessageKind
from relay.model.reply import cause_of


class Delivery(StrEnum):
    """The delivery state of one message for one recipient."""

    QUEUED = "queued"
    SENT = "sent"
    REFUSED = "refused"
    """Permanently."""
    DEFERRED = "held"
    """Not tried: an earlier message to this recipient is still queued, or the budget is used up. A catch-up digest will
    cover it."""
    COVERED = "covered"
    """Was deferred, and is now part of a catch-up digest."""


class MessageState(StrEnum):
    """The state of a message."""

    OPEN = "open"
    SENT = "sent"
    """Every recipient is settled, and at least one accepted it."""
    DEAD = "dead"
    """A dead letter: no recipient accepted it. The relay never deletes it; `relay outbox retry` revives it."""
    DROPPED = "dropped"
    """A dead letter that an administrator has dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """A rendered digest in the outbox, claimed by one worker for one try."""

    id: str
    kind: MessageKind
    route: str
    created_at: datetime
    """When it was enqueued, or revived by an administrator."""
    message_id: str
    subject: str
    raw: bytes
    recipients: tuple[str, ...]
    """The recipients that are still queued."""
    tries: int
    """Earlier tries that ended with a reply about this message itself (4xx or 5xx)."""
    refusals: int
    """How many of them ended with a 5xx."""
    ambiguous: bool
    """True where an earlier try may have delivered it without a reply that reached us. It stays true: a recipient who
    accepts the message later may have it twice, under one Message-ID."""
    claim: str
    """The token of this claim. The ledger refuses results that carry another token."""


class Verdict(StrEnum):
    """The meaning of a reply of the upstream, about one recipient or about the whole message."""

    ACCEPTED = "taken"
    TEMPORARY = "later"
    """4xx, no reply, or a 5xx that passes by itself (a limit, a full mailbox) or once a setting is right: try again."""
    PERMANENT = "never"
    """5xx about this recipient or this message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientReply:
    """One verdict with the upstream's reply. `code` is 0 where there was none; `text` is one line of at most 200."""

    verdict: Verdict
    code: int
    text: str
    step: str = ""
    """The command that it answers, e.g. `RCPT`; `the content` after the final dot."""

    def __str__(self) -> str:
        reply = f"{self.code} {self.text}".strip() if self.code else self.text
        return f"{reply} (at {self.step})" if self.step else reply

    @property
    def cause(self) -> Cause:
        """Why the server replied so."""
        return cause_of(self.code, self.text, self.step)

    @property
    def too_large(self) -> bool:
        """Whether the message was refused only for its size (RFC 1870 section 6, RFC 3463 sections 3.3 and 3.4)."""
        return self.cause is Cause.TOO_LARGE


class Failure(StrEnum):
    """A failure of the upstream itself, independent of the message."""

    UNREACHABLE = "unreachable"
    """No connection, or the connection broke or hung."""
    UNWILLING = "unwilling"
    """It replied 421, or 4xx/5xx before any message was offered."""
    NO_TLS = "no-tls"
    """STARTTLS is required and was not offered, or the handshake failed."""
    CERTIFICATE = "certificate"
    AUTH = "auth"
    """535 and similar replies: the credentials were refused, or AUTH was not possible."""
    TOKEN = "token"  # noqa: S105 -- the name of a failure
    """There is no access token to log in with (OAuth2). The upstream itself was not asked."""
    PROTOCOL = "protocol"
    """It violates the SMTP protocol."""
    REFUSED = "refused"
    """It works, but no recipient accepted the last message: 4xx or 5xx for the message or for all its recipients."""
    MAILBOX = "mailbox"
    """The local mailbox cannot be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The result of one attempt. Either `failure` is set and `replies` is empty, or every tried recipient has a reply.

    A refusal of the whole message (at MAIL or DATA) is the reply of every recipient.
    """

    replies: Mapping[str, RecipientReply]
    failure: Failure | None = None
    detail: str = ""
    """For the administrator: one line without secrets."""
    begun: bool = False
    """True where the failure came after the MAIL command: it may concern this message only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamKey:
    """Which state is meant: that of one target, as one worker sees it.

    Another host, port or account is another target, and another machine may not reach the same one.
    """

    worker: str
    target: str
    """The server and the account (`config.Upstream.target`); "" is the local mailbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamState:
    """The state of the upstream as one worker sees it, for pauses and for `/readyz`. The default: never tried."""

    failures: int = 0
    failing_since: datetime | None = None
    next_try_at: datetime | None = None
    failure: Failure | None = None
    detail: str = ""
    """The server, the step and its reply. Without a `failure`: who did not get the last message, and why."""
    last_success_at: datetime | None = None
    last_try_at: datetime | None = None
    """When it was last tried, with or without a mail, and with any result."""
    checked_at: datetime | None = None
    """When connection, TLS and login last worked, with or without a mail."""
    outage_since: datetime | None = None
    outage_until: datetime | None = None
    """The last outage that is over. The first digest after it mentions it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """A recipient whose message waits because of a temporary reply, while other messages may go out."""

    recipient: str
    since: datetime
    """When the message was enqueued."""
    code: int
    """0 where there was no reply."""
    text: str
    next_try_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetHold:
    """A recipient whose mails wait because the budget is used up."""

    recipient: str
    since: datetime
    until: datetime
    """When the budget allows the next mail. A CRITICAL error may come earlier."""
    errors: int
    """How many errors wait for this recipient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BouncingRecipient:
    """A recipient whose digests came back after the upstream had accepted them."""

    recipient: str
    since: datetime
    """When the first of these reports came."""
    last_at: datetime
    text: str
    """The newest reason, such as `5.1.1 User unknown`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """One recipient's budget: a bucket with `tokens` at the time `at`, and the mails sent on `day` (ISO, UTC)."""

    tokens: float
    at: datetime
    day: str
    sent_today: int
    exhausted_since: datetime | None = None
    """When the budget was used up. Set as long as digests are deferred because of it."""
