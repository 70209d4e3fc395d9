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

Its modules: mail, group, digest, letter, rule, settings.
"""

from relay.model.digest import Books, Digest, Entry, MessageKind, Reason, Rendered, Timeline
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
from relay.model.outbox_message import (
    Attempt,
    BudgetState,
    Delayed,
    Delivery,
    Failure,
    MessageState,
    OutboxMessage,
    RecipientReply,
    UpstreamState,
    Verdict,
)
from relay.model.rule import Action, SplitBy
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
    "MAX_COUNT",
    "Action",
    "AppRule",
    "Arrival",
    "Attempt",
    "Books",
    "Budget",
    "BudgetState",
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
    "Sample",
    "Situation",
    "SplitBy",
    "Timeline",
    "Timing",
    "UpstreamState",
    "Verdict",
]
