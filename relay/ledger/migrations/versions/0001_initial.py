"""The first schema.

Columns are written out as they were then: `relay.ledger.schema` goes on, this file does not.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _only(condition: str) -> dict[str, Any]:
    """The condition of a partial index."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    _mails_came()
    _groups()
    _groups_to_find()
    _group_details()
    _letters()
    _letter_parts()
    _deliveries()
    _sending()
    _workers()


def downgrade() -> None:
    raise NotImplementedError("a ledger is never taken back to before its first schema; restore a backup")


def _mails_came() -> None:
    op.create_table(
        "spools",
        sa.Column("spool_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("muted", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ignored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("parked", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("spool_id"),
    )
    op.create_table(
        "records",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    op.create_index("records_by_age", "records", ["at"])
    op.create_table(
        "parked",
        sa.Column("spool_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("spool_id", "position"),
    )


def _groups() -> None:
    op.create_table(
        "groups",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("mails", sa.BigInteger(), nullable=False),
        sa.Column("occurrences", sa.BigInteger(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("reported_at", sa.BigInteger(), nullable=True),
        sa.Column("reported_rate", sa.Float(), nullable=False),
        sa.Column("pending_mails", sa.BigInteger(), nullable=False),
        sa.Column("pending_occurrences", sa.BigInteger(), nullable=False),
        sa.Column("pending_since", sa.BigInteger(), nullable=True),
        sa.Column("episode_since", sa.BigInteger(), nullable=True),
        sa.Column("episode_occurrences", sa.BigInteger(), nullable=False),
        sa.Column("peak", sa.BigInteger(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=True),
        sa.Column("minute_occurrences", sa.BigInteger(), nullable=False),
        sa.Column("seen_before", sa.BigInteger(), nullable=True),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("muted_until", sa.BigInteger(), nullable=True),
        sa.Column("thread", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key", name="groups_key"),
        sqlite_autoincrement=True,
    )


def _groups_to_find() -> None:
    op.create_index("groups_due", "groups", ["due_at"], **_only("due_at IS NOT NULL"))
    op.create_index(
        "groups_pending", "groups", ["route", "phase", "pending_since", "pending_mails"], **_only("pending_mails > 0")
    )
    op.create_index("groups_quiet", "groups", ["route", "last_seen"], **_only("phase = 'open' AND pending_mails = 0"))


def _group_details() -> None:
    op.create_table(
        "counts",
        sa.Column("group_id", _ROW_ID, nullable=False),
        sa.Column("resolution", sa.SmallInteger(), nullable=False),
        sa.Column("bucket", sa.BigInteger(), nullable=False),
        sa.Column("occurrences", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "resolution", "bucket"),
        sqlite_with_rowid=False,
    )
    op.create_index("counts_by_age", "counts", ["resolution", "bucket"])
    op.create_table(
        "samples",
        sa.Column("group_id", _ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "number"),
    )
    op.create_index("samples_by_age", "samples", ["at"])


def _letters() -> None:
    op.create_table(
        "letters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("mails", sa.BigInteger(), nullable=False),
        sa.Column("occurrences", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refusals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ambiguous", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=True),
        sa.Column("claim", sa.Text(), server_default="", nullable=False),
        sa.Column("claimed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("told_by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("letters_by_age", "letters", ["created_at"])
    op.create_index("letters_by_end", "letters", ["ended_at"])
    op.create_index("letters_open", "letters", ["kind", "mails"], **_only("state = 'open'"))
    op.create_index("letters_to_try", "letters", ["next_try_at"], **_only("next_try_at IS NOT NULL"))
    op.create_index("letters_told", "letters", ["told_by"], **_only("told_by != ''"))
    op.create_index(
        "letters_untold",
        "letters",
        ["route", "created_at"],
        **_only("kind = 'digest' AND (state = 'dead' OR state = 'dropped') AND told_by = ''"),
    )


def _letter_parts() -> None:
    op.create_table(
        "bodies",
        sa.Column("letter_id", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("letter_id"),
    )
    op.create_table(
        "entries",
        sa.Column("letter_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("letter_id", "number"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("letter_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("taken", sa.SmallInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Integer(), server_default="0", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("covered_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["letter_id"], ["letters.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("letter_id", "recipient"),
    )
    op.create_index("deliveries_covered", "deliveries", ["covered_by"], **_only("state = 'covered'"))
    op.create_index("deliveries_held", "deliveries", ["route", "recipient"], **_only("state = 'held'"))
    op.create_index("deliveries_queued", "deliveries", ["route", "recipient"], unique=True, **_only("state = 'queued'"))


def _sending() -> None:
    op.create_table(
        "routes",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("last_digest_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("route"),
    )
    op.create_table(
        "budgets",
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("sent_today", sa.Integer(), nullable=False),
        sa.Column("exhausted_since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("recipient"),
    )
    op.create_table(
        "totals",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mails", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _workers() -> None:
    op.create_table(
        "upstream",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("next_try_at", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.Column("last_try_at", sa.BigInteger(), nullable=True),
        sa.Column("outage_since", sa.BigInteger(), nullable=True),
        sa.Column("outage_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
