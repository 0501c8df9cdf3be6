"""Shown cards, their findings, and the feedback on them (cds_hooks/schema.py).

A step that was released is never changed: what changes in the tables becomes a new step. So the
columns are written out here, and a test holds that all steps together make the tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY, UUID, TEXT = sa.String(64), sa.String(36), sa.String(200)


def upgrade() -> None:
    op.create_table(
        "card_shown",
        sa.Column("card", UUID, primary_key=True),
        sa.Column("suggestions", sa.JSON, nullable=False),
        sa.Column("service", TEXT, nullable=False),
        sa.Column("hook", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("rule_set", TEXT, nullable=False),
        sa.Column("payer_id", TEXT, nullable=False),
        sa.Column("drug_id", TEXT, nullable=False),
        sa.Column("topic", TEXT, nullable=False),
        sa.Column("indicator", TEXT, nullable=False),
        sa.Column("patient_key", KEY, nullable=False),
        sa.Column("order_key", KEY, nullable=False),
        sa.Column("shown_at", sa.DateTime, nullable=False),
    )
    op.create_index("card_shown_by_patient", "card_shown", ["patient_key"])
    op.create_index("card_shown_by_time", "card_shown", ["shown_at"])
    op.create_table(
        "card_finding",
        sa.Column("card", UUID, sa.ForeignKey("card_shown.card", ondelete="CASCADE")),
        sa.Column("rule", TEXT),
        sa.Column("kind", TEXT),
        sa.PrimaryKeyConstraint("card", "rule", "kind"),
    )
    op.create_table(
        "card_feedback",
        sa.Column("card", UUID),
        sa.Column("outcome_at", sa.DateTime),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("accepted", sa.JSON, nullable=False),
        sa.Column("reason_code", TEXT, nullable=False),
        sa.Column("reason_system", TEXT, nullable=False),
        sa.Column("reason_display", TEXT, nullable=False),
        sa.Column("comment_sent", sa.Boolean, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("received_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("card", "outcome_at"),
    )
    op.create_index("card_feedback_by_time", "card_feedback", ["received_at"])


def downgrade() -> None:
    for table in ("card_feedback", "card_finding", "card_shown"):
        op.drop_table(table)
