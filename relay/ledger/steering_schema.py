"""The tables of merges, splits and the audit log: what people decide about errors (base layer of the ledger)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from relay.ledger.columns import RowId, SafeText, UtcTime
from relay.ledger.schema import metadata

members = Table(
    "members",
    metadata,
    Column("group_id", RowId, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("into_id", RowId),
    Column("author", SafeText, nullable=False),
    Column("reason", SafeText, nullable=False),
    Column("at", UtcTime),
    Column("title_before", SafeText, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("mails", BigInteger, nullable=False),
    Column("occurrences", BigInteger, nullable=False),
    Column("pending_mails", BigInteger, nullable=False),
    Column("pending_occurrences", BigInteger, nullable=False),
    Column("pending_since", UtcTime),
    Column("muted_mails", BigInteger, nullable=False),
    Column("muted_occurrences", BigInteger, nullable=False),
    Column("episode_occurrences", BigInteger, nullable=False),
    Column("episode_muted", BigInteger, nullable=False),
    Column("reported_at", UtcTime),
    Column("muted_since", UtcTime),
)
"""`model.Member` and `model.Share` of each group of a merged error (`groups.merged_into`)."""

kept_apart = Table(
    "kept_apart",
    metadata,
    Column("group_id", RowId, ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
)
"""Groups that an administrator took out of a merged error for good: the relay never merges them by itself."""

audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("author", SafeText, nullable=False),
    Column("action", SafeText, nullable=False),
    Column("group_id", RowId),
    Column("route", SafeText, nullable=False),
    Column("reason", SafeText, nullable=False),
    Column("summary", SafeText, nullable=False),
    Column("details", Text, nullable=False),
    Index("audit_by_route", "route", "at"),
    Index("audit_by_age", "at"),
    sqlite_autoincrement=True,
)
"""What people, and the relay for them, have changed: `model.AuditRecord`. `details` is JSON."""

audit_groups = Table(
    "audit_groups",
    metadata,
    Column("group_id", RowId, primary_key=True, autoincrement=False),
    Column("audit_id", RowId, ForeignKey("audit.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Index("audit_groups_by_audit", "audit_id"),
    sqlite_with_rowid=False,
)
"""All groups that an entry of the audit log is about."""

splits = Table(
    "splits",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("route", SafeText, nullable=False),
    Column("app", SafeText, nullable=False),
    Column("fingerprint", SafeText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("title", SafeText, nullable=False),
    Column("field", SafeText, nullable=False),
    Column("group_id", RowId, nullable=False),
    Column("author", SafeText, nullable=False),
    Column("reason", SafeText, nullable=False),
    Column("at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)
"""Errors that an administrator split by a field of their mails (`model.SplitRule`)."""
