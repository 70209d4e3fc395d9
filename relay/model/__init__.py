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

from relay.model.digest import Books, Course, Digest, Entry, LetterKind, Reason, Rendered
from relay.model.group import Arrival, Group, GroupKey, Phase, Sample
from relay.model.letter import (
    Answer,
    Attempt,
    BudgetState,
    Delayed,
    Delivery,
    Letter,
    LetterState,
    Trouble,
    UpstreamState,
    Verdict,
)
from relay.model.mail import (
    CUT_MARKER,
    MAX_COUNT,
    Envelope,
    Fingerprint,
    Form,
    IncomingMail,
    Kept,
    Level,
    Record,
    Report,
    Situation,
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
    "Answer",
    "AppRule",
    "Arrival",
    "Attempt",
    "Books",
    "Budget",
    "BudgetState",
    "Course",
    "Delayed",
    "Delivery",
    "Digest",
    "DigestLimits",
    "Entry",
    "Envelope",
    "Fingerprint",
    "Form",
    "Group",
    "GroupKey",
    "GroupingRule",
    "IncomingMail",
    "Kept",
    "Letter",
    "LetterKind",
    "LetterState",
    "Level",
    "Phase",
    "Reason",
    "Record",
    "Redaction",
    "Rendered",
    "Report",
    "RetryPolicy",
    "Route",
    "Sample",
    "Situation",
    "SplitBy",
    "Timing",
    "Trouble",
    "UpstreamState",
    "Verdict",
]
