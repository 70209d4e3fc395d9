"""What the ledger hands out beyond the nouns of `relay.model`: its own rows, as values (ledger → steps, CLI, web)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from relay.model import Delivery, Fingerprint, GroupKey, MessageKind, MessageState, RecipientReply


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupClaim:
    """An error that has no group under its key yet."""

    fingerprint: Fingerprint
    former: tuple[GroupKey, ...]
    """The keys that earlier versions of the fingerprint give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTotal:
    """A digest nobody took, as the line that a later digest of its route has to tell."""

    id: str
    route: str
    subject: str
    mails: int
    occurrences: int
    created_at: datetime
    died_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one try of a letter: what `outbox` made of an Attempt.

    After trouble with the upstream alone, `tries` and `refusals` are the letter's own again and nobody is settled.
    """

    sent: frozenset[str] = frozenset()
    """Recipients who took it."""
    refused: frozenset[str] = frozenset()
    """Recipients given up for good."""
    replies: Mapping[str, RecipientReply] = field(default_factory=dict)
    """The upstream's last word on any of the recipients."""
    next_try_at: datetime | None = None
    """When those that are neither sent nor refused are tried again."""
    tries: int
    refusals: int
    """What the letter's counters are from now on."""
    ambiguous: bool
    """Whether this or an earlier try may have delivered it without our learning of it: who has it may have it twice."""
    raw: bytes | None = None
    """What the letter says from now on, where that is to change: it was too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientState:
    """One recipient of one stored letter, with the upstream's last words on it."""

    recipient: str
    state: Delivery
    at: datetime
    """When it came to that state."""
    code: int
    """0 where the upstream gave none."""
    text: str
    covered_by: str
    """Id of the follow-up that covers it, else ""."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A letter as the outbox lists it, without its bytes (`Ledger.raw`) and entries (`Ledger.entries_of`)."""

    id: str
    kind: MessageKind
    route: str
    created_at: datetime
    message_id: str
    subject: str
    state: MessageState
    mails: int
    occurrences: int
    tries: int
    refusals: int
    ambiguous: bool
    next_try_at: datetime | None
    """None where nothing is queued: it has ended, or waits for a follow-up."""
    ended_at: datetime | None
    claimed_by: str
    """The worker that holds it, "" where nobody does (the claim may have run out: `claimed_until`)."""
    claimed_until: datetime | None
    told_by: str
    """For a dead one: the letter that tells of it, "" where none does yet."""
    deliveries: tuple[RecipientState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far one spool has been sorted."""

    spool_id: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who may do what only one worker may do at a time."""

    name: str
    holder: str
    token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedMail:
    """A mail that was put aside because it killed the worker."""

    spool_id: str
    position: int
    at: datetime
    reason: str
    path: str
    """The file that holds it as it came, "" while it stays in the spool for want of room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many rows of each kind there are, for `relay status` and the metrics."""

    groups: int
    groups_pending: int
    messages_open: int
    messages_dead: int
    parked: int


class GroupOrder(StrEnum):
    """How a listing of groups is ordered; always the greatest first."""

    LAST_SEEN = "last-seen"
    FIRST_SEEN = "first-seen"
    OCCURRENCES = "occurrences"
    PENDING = "pending"
