"""Store when a mute began, which rate ends it, and what came while it was active."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("groups", sa.Column("muted_since", sa.BigInteger(), nullable=True))
    op.add_column("groups", sa.Column("mute_above", sa.BigInteger(), nullable=True))
    op.add_column("groups", sa.Column("mute_exceeded", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    for name in ("muted_mails", "muted_occurrences", "episode_muted"):
        op.add_column("groups", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    condition = sa.text("muted_since IS NOT NULL")
    op.create_index(
        "groups_muted", "groups", ["route", "muted_until"], sqlite_where=condition, postgresql_where=condition
    )


def downgrade() -> None:
    raise NotImplementedError("mutes that only a rate ends would be lost; restore a backup")
