"""Store the state of the upstream for each worker and target; the old row does not say of which target it is."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("upstream")
    op.create_table(
        "upstream",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("next_try_at", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.Column("last_try_at", sa.BigInteger(), nullable=True),
        sa.Column("checked_at", sa.BigInteger(), nullable=True),
        sa.Column("outage_since", sa.BigInteger(), nullable=True),
        sa.Column("outage_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("worker", "target"),
    )


def downgrade() -> None:
    raise NotImplementedError("the state of the upstreams would be lost; restore a backup")
