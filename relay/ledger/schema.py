"""The tables: one schema for both databases (base layer of the ledger; `migrations/` creates them).

The tables of merges, splits and the audit log are in `steering_schema`.

Each query of a tick uses an index whose size depends on what is pending or due, never on the number of groups:
`groups_due`, `groups_pending`, `groups_quiet`, `letters_to_try`, `deliveries_queued`, `deliveries_held`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    and_,
    literal_column,
    or_,
    text,
)

from relay.ledger.columns import EnumText, LevelNumber, RowId, SafeText, UtcTime
from relay.model import Delivery, Failure, MessageKind, MessageState, Phase

REVISION = "0008"
"""The newest migration: a ledger at this revision needs nothing done."""

MINUTE, HOUR, DAY = 0, 1, 2
"""The resolution of a row of `counts`."""

metadata = MetaData()


def _is(column: Column[Any], value: StrEnum) -> ColumnElement[bool]:
    """A condition with a literal value: only with a literal can a partial index be used."""
    return column == literal_column(f"'{value}'")


def _partial(name: str, condition: ColumnElement[bool], *columns: Column[Any], unique: bool = False) -> None:
    """Declare an index of the rows for which `condition` holds; queries must use exactly the same condition.

    The migrations declare it for PostgreSQL. Here that would load the dialect, which commands on SQLite do not need.
    """
    Index(name, *columns, unique=unique, sqlite_where=condition)


# --- Incoming mails ---------------------------------------------------------------------------------------------------

spools = Table(
    "spools",
    metadata,
    Column("spool_id", SafeText, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False, server_default="0"),
    Column("muted", BigInteger, nullable=False, server_default="0"),
    Column("ignored", BigInteger, nullable=False, server_default="0"),
    Column("parked", BigInteger, nullable=False, server_default="0"),
    Column("fingerprint_version", SmallInteger, nullable=False, server_default="1"),
)
"""The cursor of each spool, its part of the books, and the fingerprint version of its worker.

Workers of releases with version 1 do not write `fingerprint_version`: the default is theirs."""

groups = Table(
    "groups",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("key", LargeBinary(16), nullable=False),
    Column("route", SafeText, nullable=False),
    Column("app", SafeText, nullable=False),
    Column("fingerprint", SafeText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("title", SafeText, nullable=False),
    Column("level", LevelNumber, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("mails", BigInteger, nullable=False),
    Column("occurrences", BigInteger, nullable=False),
    Column("phase", EnumText(Phase), nullable=False),
    Column("step", Integer, nullable=False),
    Column("reported_at", UtcTime),
    Column("reported_rate", Float, nullable=False),
    Column("pending_mails", BigInteger, nullable=False),
    Column("pending_occurrences", BigInteger, nullable=False),
    Column("pending_since", UtcTime),
    Column("episode_since", UtcTime),
    Column("episode_occurrences", BigInteger, nullable=False),
    Column("peak", BigInteger, nullable=False),
    Column("minute", UtcTime),
    Column("minute_occurrences", BigInteger, nullable=False),
    Column("seen_before", UtcTime),
    Column("again", Boolean, nullable=False),
    Column("due_at", UtcTime),
    Column("muted_since", UtcTime),
    Column("muted_until", UtcTime),
    Column("mute_above", BigInteger),
    Column("mute_exceeded", Boolean, nullable=False, server_default=text("false")),
    Column("muted_mails", BigInteger, nullable=False, server_default="0"),
    Column("muted_occurrences", BigInteger, nullable=False, server_default="0"),
    Column("episode_muted", BigInteger, nullable=False, server_default="0"),
    Column("thread", SafeText, nullable=False, server_default=""),
    Column("merged_into", RowId),
    UniqueConstraint("key", name="groups_key"),
    sqlite_autoincrement=True,  # an old link must never show another error
)
"""`model.Group`. `key` stands for route, app and fingerprint (`rows.key_of`): texts of any length, 16 bytes to index.
`thread` is the Message-ID of the first digest about it alone."""

IS_DUE_ONCE = groups.c.due_at.is_not(None)
IS_PENDING = groups.c.pending_occurrences > literal_column("0")
IS_QUIET = and_(_is(groups.c.phase, Phase.OPEN), groups.c.pending_occurrences == literal_column("0"))

IS_MUTED_ONCE = groups.c.muted_since.is_not(None)

IS_MERGED = groups.c.merged_into.is_not(None)
IS_FACE = or_(groups.c.merged_into.is_(None), groups.c.merged_into == groups.c.id)
"""Whether the row is an error of its own, or the face of a merged one."""

_partial("groups_merged", IS_MERGED, groups.c.merged_into)
_partial("groups_muted", IS_MUTED_ONCE, groups.c.route, groups.c.muted_until)
_partial("groups_due", IS_DUE_ONCE, groups.c.due_at)
_partial("groups_pending", IS_PENDING, groups.c.route, groups.c.phase, groups.c.pending_since, groups.c.pending_mails)
_partial("groups_quiet", IS_QUIET, groups.c.route, groups.c.last_seen)

former_keys = Table(
    "former_keys",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("group_id", RowId, ForeignKey("groups.id", ondelete="CASCADE"), nullable=False),
    Index("former_keys_by_group", "group_id"),
    sqlite_with_rowid=False,
)
"""The keys of a group under earlier fingerprint versions."""

counts = Table(
    "counts",
    metadata,
    Column("group_id", RowId, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("resolution", SmallInteger, primary_key=True),
    Column("bucket", UtcTime, primary_key=True),
    Column("occurrences", BigInteger, nullable=False),
    Index("counts_by_age", "resolution", "bucket"),
    sqlite_with_rowid=False,
)
"""Occurrences between `bucket` and the end of its minute, hour or day."""

samples = Table(
    "samples",
    metadata,
    Column("group_id", RowId, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("report", Text, nullable=False),
    Index("samples_by_age", "at"),
)
"""Reports as JSON. `number` counts the samples of a group from 0."""

records = Table(
    "records",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Index("records_by_age", "at"),
    sqlite_with_rowid=False,
)
"""Record ids of counted mails from our client: it sends a mail again if it missed the 250."""

guessed_apps = Table(
    "guessed_apps",
    metadata,
    Column("sender", SafeText, primary_key=True),
    Column("app", SafeText, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Index("guessed_apps_by_age", "at"),
    sqlite_with_rowid=False,
)
"""App names that are only a subject, with the time when the name was last seen."""

learned_places = Table(
    "learned_places",
    metadata,
    Column("place", LargeBinary(16), primary_key=True),
    Column("state", Text, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("learned_places_by_age", "at"),
)
"""What is known of the messages of each place, as JSON (`grouping.learning`), and when it changed last.

A pinned place remembers that values are kept apart: it is not purged for its age."""

parked = Table(
    "parked",
    metadata,
    Column("spool_id", SafeText, primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("reason", SafeText, nullable=False),
    Column("path", SafeText, nullable=False),
)

# --- Outgoing digests -------------------------------------------------------------------------------------------------

routes = Table(
    "routes",
    metadata,
    Column("route", SafeText, primary_key=True),
    Column("last_digest_at", UtcTime),
    Column("last_news_at", UtcTime),
    Column("news_step", Integer, nullable=False, server_default="0"),
)
"""`model.RouteState`."""

budgets = Table(
    "budgets",
    metadata,
    Column("recipient", SafeText, primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("day", SafeText, nullable=False),
    Column("sent_today", Integer, nullable=False),
    Column("exhausted_since", UtcTime),
)

messages = Table(
    "letters",
    metadata,
    Column("id", SafeText, primary_key=True),
    Column("kind", EnumText(MessageKind), nullable=False),
    Column("route", SafeText, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("queued_at", UtcTime, nullable=False),
    Column("message_id", SafeText, nullable=False),
    Column("subject", SafeText, nullable=False),
    Column("state", EnumText(MessageState), nullable=False),
    Column("mails", BigInteger, nullable=False),
    Column("occurrences", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("refusals", Integer, nullable=False, server_default="0"),
    Column("ambiguous", Boolean, nullable=False, server_default=text("false")),
    Column("next_try_at", UtcTime),
    Column("claim", SafeText, nullable=False, server_default=""),
    Column("claimed_by", SafeText, nullable=False, server_default=""),
    Column("claimed_until", UtcTime),
    Column("ended_at", UtcTime),
    Column("told_by", SafeText, nullable=False, server_default=""),
    Index("letters_by_age", "created_at"),
    Index("letters_by_end", "ended_at"),
)
"""`queued_at` is `created_at` until an administrator revives it; `next_try_at` is set while a recipient is queued;
`told_by` is the message that reports the totals of a dead one."""

IS_OPEN = _is(messages.c.state, MessageState.OPEN)
IS_TO_TRY = messages.c.next_try_at.is_not(None)
IS_UNREPORTED = and_(
    _is(messages.c.kind, MessageKind.DIGEST),
    or_(_is(messages.c.state, MessageState.DEAD), _is(messages.c.state, MessageState.DROPPED)),
    messages.c.told_by == literal_column("''"),
)
IS_REPORTED = messages.c.told_by != literal_column("''")

_partial("letters_open", IS_OPEN, messages.c.kind, messages.c.mails)
_partial("letters_to_try", IS_TO_TRY, messages.c.next_try_at)
_partial("letters_untold", IS_UNREPORTED, messages.c.route, messages.c.created_at)
_partial("letters_told", IS_REPORTED, messages.c.told_by)

bodies = Table(
    "bodies",
    metadata,
    Column("letter_id", SafeText, ForeignKey("letters.id", ondelete="CASCADE"), key="outbox_id", primary_key=True),
    Column("raw", LargeBinary, nullable=False),
)
"""Separate from `messages`, so that a listing reads no bytes."""

entries = Table(
    "entries",
    metadata,
    Column("letter_id", SafeText, ForeignKey("letters.id", ondelete="CASCADE"), key="outbox_id", primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("entry", Text, nullable=False),
)
"""Entries as JSON, in the digest's order."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("letter_id", SafeText, ForeignKey("letters.id", ondelete="CASCADE"), key="outbox_id", primary_key=True),
    Column("recipient", SafeText, primary_key=True),
    Column("route", SafeText, nullable=False),
    Column("state", EnumText(Delivery), nullable=False),
    Column("taken", SmallInteger),
    Column("at", UtcTime, nullable=False),
    Column("code", Integer, nullable=False, server_default="0"),
    Column("text", SafeText, nullable=False, server_default=""),
    Column("covered_by", SafeText, nullable=False, server_default=""),
)
"""`taken`: NULL while open, 1 if the recipient accepted it (or the catch-up digest that covers it), 0 if refused."""

IS_QUEUED = _is(deliveries.c.state, Delivery.QUEUED)
IS_DEFERRED = _is(deliveries.c.state, Delivery.DEFERRED)
IS_COVERED = _is(deliveries.c.state, Delivery.COVERED)

_partial("deliveries_queued", IS_QUEUED, deliveries.c.route, deliveries.c.recipient, unique=True)
_partial("deliveries_held", IS_DEFERRED, deliveries.c.route, deliveries.c.recipient)
_partial("deliveries_covered", IS_COVERED, deliveries.c.covered_by)

totals = Table(
    "totals",
    metadata,
    Column("name", SafeText, primary_key=True),
    Column("mails", BigInteger, nullable=False),
)
"""The outbox's part of the books: `reported` and `undelivered`."""

upstream = Table(
    "upstreams",
    metadata,
    Column("worker", SafeText, primary_key=True),
    Column("target", SafeText, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failing_since", UtcTime),
    Column("next_try_at", UtcTime),
    Column("trouble", EnumText(Failure), key="failure"),
    Column("detail", SafeText, nullable=False),
    Column("last_success_at", UtcTime),
    Column("last_try_at", UtcTime),
    Column("checked_at", UtcTime),
    Column("outage_since", UtcTime),
    Column("outage_until", UtcTime),
)
"""One row for each worker and each target (`model.UpstreamKey`)."""

upstream_of_revision_1 = Table(
    "upstream",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("failures", Integer, nullable=False),
    Column("failing_since", UtcTime),
    Column("next_try_at", UtcTime),
    Column("trouble", EnumText(Failure)),
    Column("detail", SafeText, nullable=False),
    Column("last_success_at", UtcTime),
    Column("last_try_at", UtcTime),
    Column("outage_since", UtcTime),
    Column("outage_until", UtcTime),
)
"""Not used by this release: workers of earlier releases that still run on this ledger go on sending with it."""

leases = Table(
    "leases",
    metadata,
    Column("name", SafeText, primary_key=True),
    Column("holder", SafeText, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
