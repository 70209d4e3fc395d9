"""Store which groups are one error, what each has contributed to its counts, and who did what when and why.

Workers of earlier releases go on: they count the mails of a part on its own row, and report them there. A worker of
this release moves these counts to the face.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("groups", sa.Column("merged_into", _ROW_ID, nullable=True))
    condition = sa.text("merged_into IS NOT NULL")
    op.create_index("groups_merged", "groups", ["merged_into"], sqlite_where=condition, postgresql_where=condition)
    _members()
    op.create_table(
        "kept_apart",
        sa.Column("group_id", _ROW_ID, sa.ForeignKey("groups.id", ondelete="CASCADE"), autoincrement=False),
        sa.PrimaryKeyConstraint("group_id"),
    )
    _audit()
    _splits()


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("group_id", _ROW_ID, sa.ForeignKey("groups.id", ondelete="CASCADE"), autoincrement=False),
        sa.Column("into_id", _ROW_ID, nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.Column("title_before", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("first_seen", "last_seen", "mails")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("occurrences", "pending_mails")),
        sa.Column("pending_occurrences", sa.BigInteger(), nullable=False),
        sa.Column("pending_since", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("muted_mails", "muted_occurrences")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("episode_occurrences", "episode_muted")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("reported_at", "muted_since")),
        sa.PrimaryKeyConstraint("group_id"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("group_id", _ROW_ID, nullable=True),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_by_route", "audit", ["route", "at"])
    op.create_index("audit_by_age", "audit", ["at"])
    op.create_table(
        "audit_groups",
        sa.Column("group_id", _ROW_ID, nullable=False),
        sa.Column("audit_id", _ROW_ID, sa.ForeignKey("audit.id", ondelete="CASCADE"), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "audit_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("audit_groups_by_audit", "audit_groups", ["audit_id"])


def _splits() -> None:
    op.create_table(
        "splits",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("group_id", _ROW_ID, nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    raise NotImplementedError("merged errors would be reported apart again; restore a backup")
