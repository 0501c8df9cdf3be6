"""The audit of calls, and the code sets it refers to (cds_hooks/schema.py)."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY, UUID, TEXT = sa.String(64), sa.String(36), sa.String(200)


def upgrade() -> None:
    op.create_table(
        "call_audit",
        sa.Column("call", UUID, primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("service", TEXT, nullable=False),
        sa.Column("hook", TEXT, nullable=False),
        sa.Column("hook_instance", UUID, nullable=False),
        sa.Column("rule_set", TEXT, nullable=False),
        sa.Column("code_sets", KEY, nullable=False),
        sa.Column("input_hash", KEY, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("cards", sa.JSON, nullable=False),
        sa.Column("findings", sa.JSON, nullable=False),
        sa.Column("milliseconds", sa.Integer, nullable=False),
    )
    op.create_index("call_audit_by_time", "call_audit", ["at"])
    op.create_table(
        "code_sets",
        sa.Column("key", KEY, primary_key=True),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("first_used_at", sa.DateTime, nullable=False),
    )


def downgrade() -> None:
    for table in ("code_sets", "call_audit"):
        op.drop_table(table)
