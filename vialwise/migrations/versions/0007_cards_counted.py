"""The index by time holds what cards are counted by, so that the report
(cds_hooks/card_feedback.py) need not read whole cards."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = ["shown_at", "held_back", "payer_id", "drug_id", "client", "card"]


def upgrade() -> None:
    op.drop_index("card_shown_by_time", "card_shown")
    op.create_index("card_shown_by_time", "card_shown", _COLUMNS)


def downgrade() -> None:
    op.drop_index("card_shown_by_time", "card_shown")
    op.create_index("card_shown_by_time", "card_shown", ["shown_at"])
