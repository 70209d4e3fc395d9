"""Store for each route when its last digest with news went out, for the growing gap to the next one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("routes", sa.Column("last_news_at", sa.BigInteger(), nullable=True))
    op.add_column("routes", sa.Column("news_step", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    raise NotImplementedError("the times of the last news would be lost; restore a backup")
