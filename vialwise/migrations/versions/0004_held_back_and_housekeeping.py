"""Cards that were kept and not shown (cds_hooks/held_back.py), and what is done once a day for all
workers (cds_hooks/retention.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A default, so that a worker of the version before goes on recording what it shows.
    held_back = sa.Column("held_back", sa.String(200), nullable=False, server_default="")
    op.add_column("card_shown", held_back)
    op.create_table(
        "housekeeping",
        sa.Column("task", sa.String(200), primary_key=True),
        sa.Column("done_at", sa.DateTime, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("housekeeping")
    op.drop_column("card_shown", "held_back")
