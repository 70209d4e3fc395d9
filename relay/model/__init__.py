"""Data classes that all parts of the relay share, in the order of a mail's way. Imports nothing else of the relay.

    Envelope, Retained  what the receiver writes         (receive → spool)
    Record              the same, read with its position (spool → ingest)
    Report              the mail, parsed and redacted    (parse → redact → grouping)
    Fingerprint         which error the mail reports
    Group               one error of one app on one route, with its state for scheduling
    Member, Share       a group of a merged error, and its part of the counts
    Entry, Digest       the content of one digest
    OutboxMessage       a rendered digest in the outbox
    Attempt             the result of one delivery attempt
    Books               where every received mail is now

Counts: *mails* are the mails that the receiver accepted. *Occurrences* are the errors that they stand for: a mail of
our client may stand for many. Times are aware datetimes in UTC, durations are timedeltas, sizes are bytes, rates are
occurrences per minute.

Modules: mail, group, merge, digest, outbox_message, cause, reply, reply_words, rule, audit, settings.
"""

from relay.model.audit import AuditRecord
from relay.model.cause import Cause, Meaning
from relay.model.digest import NEWS, Books, Digest, Entry, MessageKind, Reason, Rendered, RouteState, Timeline
from relay.model.group import Arrival, Group, GroupKey, Phase, Sample
from relay.model.mail import (
    CUT_MARKER,
    MAX_COUNT,
    Envelope,
    Fingerprint,
    Form,
    IncomingMail,
    Level,
    Record,
    Report,
    Retained,
    Situation,
)
from relay.model.merge import LEARNED, Member, MergedBy, Share
from relay.model.outbox_message import (
    Attempt,
    BouncingRecipient,
    BudgetHold,
    BudgetState,
    Delayed,
    Delivery,
    Failure,
    MessageState,
    OutboxMessage,
    RecipientReply,
    UpstreamKey,
    UpstreamState,
    Verdict,
)
from relay.model.reply import cause_of
from relay.model.rule import Action, SplitBy, SplitRule, split_field, word_number
from relay.model.settings import (
    AppRule,
    Budget,
    DigestLimits,
    GroupingRule,
    Redaction,
    RetryPolicy,
    Route,
    Timing,
)

__all__ = [
    "CUT_MARKER",
    "LEARNED",
    "MAX_COUNT",
    "NEWS",
    "Action",
    "AppRule",
    "Arrival",
    "Attempt",
    "AuditRecord",
    "Books",
    "BouncingRecipient",
    "Budget",
    "BudgetHold",
    "BudgetState",
    "Cause",
    "Delayed",
    "Delivery",
    "Digest",
    "DigestLimits",
    "Entry",
    "Envelope",
    "Failure",
    "Fingerprint",
    "Form",
    "Group",
    "GroupKey",
    "GroupingRule",
    "IncomingMail",
    "Level",
    "Meaning",
    "Member",
    "MergedBy",
    "MessageKind",
    "MessageState",
    "OutboxMessage",
    "Phase",
    "Reason",
    "RecipientReply",
    "Record",
    "Redaction",
    "Rendered",
    "Report",
    "Retained",
    "RetryPolicy",
    "Route",
    "RouteState",
    "Sample",
    "Share",
    "Situation",
    "SplitBy",
    "SplitRule",
    "Timeline",
    "Timing",
    "UpstreamKey",
    "UpstreamState",
    "Verdict",
    "cause_of",
    "split_field",
    "word_number",
]
