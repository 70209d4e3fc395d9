"""Store each worker's fingerprint version and app names that were guessed; find pending errors by occurrences.

An error that is only a further one in the mails of other errors has pending occurrences and no pending mail.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("spools", sa.Column("fingerprint_version", sa.SmallInteger(), nullable=False, server_default="1"))
    op.drop_index("groups_pending", "groups")
    op.drop_index("groups_quiet", "groups")
    columns = ["route", "phase", "pending_since", "pending_mails"]
    op.create_index("groups_pending", "groups", columns, **_only("pending_occurrences > 0"))
    quiet = "phase = 'open' AND pending_occurrences = 0"
    op.create_index("groups_quiet", "groups", ["route", "last_seen"], **_only(quiet))
    op.create_table(
        "guessed_apps",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "app"),
        sqlite_with_rowid=False,
    )
    op.create_index("guessed_apps_by_age", "guessed_apps", ["at"])
    op.rename_table("upstream", "upstreams")
    _upstream_of_revision_1()


def _upstream_of_revision_1() -> None:
    """Make the table that 0004 replaced, for workers of that time which still run: they go on sending."""
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
        sa.PrimaryKeyConstraint("id", name="upstream_of_revision_1"),
    )


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def downgrade() -> None:
    raise NotImplementedError("errors without a mail of their own would never be reported; restore a backup")
