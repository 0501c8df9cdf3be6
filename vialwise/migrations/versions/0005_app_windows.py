"""Launches and windows of the app (smart_app/schema.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HASH, ID, NAME = sa.String(64), sa.String(32), sa.String(200)


def upgrade() -> None:
    op.create_table(
        "app_launch",
        sa.Column("state_hash", HASH, primary_key=True),
        sa.Column("browser_hash", HASH, nullable=False),
        sa.Column("ehr", NAME, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
    )
    op.create_index("app_launch_by_time", "app_launch", ["expires_at"])
    op.create_table(
        "app_window",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key_hash", HASH, nullable=False),
        sa.Column("ehr", NAME, nullable=False),
        sa.Column("owner_key", HASH, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("renewing_until", sa.DateTime, nullable=True),
        sa.Column("opened_at", sa.DateTime, nullable=False),
        sa.Column("seen_at", sa.DateTime, nullable=False),
        sa.Column("ends_at", sa.DateTime, nullable=False),
    )
    op.create_index("app_window_by_time", "app_window", ["ends_at"])


def downgrade() -> None:
    op.drop_table("app_window")
    op.drop_table("app_launch")
