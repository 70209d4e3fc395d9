"""Rows of the ledger as values, where `relay.model` has no type for them (ledger → steps, CLI, web)."""

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
    """The keys that earlier fingerprint versions give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTotal:
    """The totals of a dead digest, as a later digest of its route reports them."""

    id: str
    route: str
    subject: str
    mails: int
    occurrences: int
    created_at: datetime
    died_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one try to deliver a message: what the outbox step decides from an Attempt.

    After a failure of the upstream alone, `tries` and `refusals` are unchanged and no recipient is settled.
    """

    sent: frozenset[str] = frozenset()
    """Recipients for which the upstream accepted it."""
    refused: frozenset[str] = frozenset()
    """Recipients that were refused permanently."""
    replies: Mapping[str, RecipientReply] = field(default_factory=dict)
    """The upstream's last reply for any of the recipients."""
    next_try_at: datetime | None = None
    """When the recipients that are neither sent nor refused are tried again."""
    tries: int
    refusals: int
    """The new values of the message's counters."""
    ambiguous: bool
    """Whether this or an earlier try may have delivered it without a reply to us: recipients may get it twice."""
    raw: bytes | None = None
    """The new content of the message if it was too large, else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientState:
    """One recipient of one stored message, with the upstream's last reply."""

    recipient: str
    state: Delivery
    at: datetime
    """When it entered that state."""
    code: int
    """The SMTP reply code; 0 if the upstream gave none."""
    text: str
    covered_by: str
    """Id of the catch-up digest that covers it, else ""."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """A message as the outbox lists it, without its bytes (`Ledger.raw`) and entries (`Ledger.entries_of`)."""

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
    """None if nothing is queued: the message has ended, or waits for a catch-up digest."""
    ended_at: datetime | None
    claimed_by: str
    """The worker with the claim, "" if there is none. The claim may have expired (`claimed_until`)."""
    claimed_until: datetime | None
    told_by: str
    """For a dead letter: the id of the message that reports its totals, "" if none does yet."""
    deliveries: tuple[RecipientState, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far one spool has been ingested."""

    spool_id: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one worker to do work that only one may do at a time."""

    name: str
    holder: str
    token: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedMail:
    """A mail in quarantine (state "parked"), because it killed the worker."""

    spool_id: str
    position: int
    at: datetime
    reason: str
    path: str
    """The file with the unchanged mail, "" while it stays in the spool because the disk has no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The number of rows of each kind, for `relay status` and the metrics."""

    groups: int
    groups_pending: int
    messages_open: int
    messages_dead: int
    parked: int


class GroupOrder(StrEnum):
    """The order of a listing of groups; always the greatest first."""

    LAST_SEEN = "last-seen"
    FIRST_SEEN = "first-seen"
    OCCURRENCES = "occurrences"
    PENDING = "pending"
