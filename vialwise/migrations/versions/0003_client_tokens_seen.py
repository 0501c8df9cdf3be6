"""Tokens of clients that were used (cds_hooks/used_tokens.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_tokens_seen",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("expires_at", sa.DateTime, nullable=False),
    )
    op.create_index("client_tokens_seen_by_time", "client_tokens_seen", ["expires_at"])


def downgrade() -> None:
    op.drop_table("client_tokens_seen")
