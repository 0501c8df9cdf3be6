"""What is typed into the app's forms, and which of them were sent (smart_app/kept_forms.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "app_draft",
        sa.Column("draft_key", sa.String(64), primary_key=True),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("saved_at", sa.DateTime, nullable=False),
    )
    op.create_index("app_draft_by_time", "app_draft", ["saved_at"])
    op.create_table(
        "app_sent_form",
        sa.Column("form_key", sa.String(32), primary_key=True),
        sa.Column("order_key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("claimed_at", sa.DateTime, nullable=False),
        sa.Column("sent_at", sa.DateTime, nullable=True),
    )
    op.create_index("app_sent_form_by_order", "app_sent_form", ["order_key"])
    op.create_index("app_sent_form_by_time", "app_sent_form", ["claimed_at"])


def downgrade() -> None:
    op.drop_table("app_sent_form")
    op.drop_table("app_draft")
