"""The tables of shown cards, their feedback, and the audit; vialwise/migrations makes them.

Times are UTC. Lists of ids are JSON. No column holds anything of a patient (conformance A8.8).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from service_parts.database import HASH, UtcTime

UUID = String(36)
TEXT = String(200)


metadata = MetaData()

card_shown = Table(
    "card_shown",
    metadata,
    Column("card", UUID, primary_key=True),
    Column("suggestions", JSON, nullable=False),
    Column("service", TEXT, nullable=False),
    Column("hook", TEXT, nullable=False),
    Column("client", TEXT, nullable=False),
    Column("tenant", TEXT, nullable=False),
    Column("rule_set", TEXT, nullable=False),
    Column("payer_id", TEXT, nullable=False),
    Column("drug_id", TEXT, nullable=False),
    Column("topic", TEXT, nullable=False),
    Column("indicator", TEXT, nullable=False),
    Column("patient_key", HASH, nullable=False),
    Column("order_key", HASH, nullable=False),
    # When it was made; shown only where `held_back` is "", else the reason why not (held_back.py).
    Column("shown_at", UtcTime, nullable=False),
    Column("held_back", TEXT, nullable=False, server_default=""),
    Index("card_shown_by_patient", "patient_key"),
    # With what cards are counted by (card_feedback.py).
    Index("card_shown_by_time", "shown_at", "held_back", "payer_id", "drug_id", "client", "card"),
)

card_finding = Table(
    "card_finding",
    metadata,
    Column("card", UUID, ForeignKey("card_shown.card", ondelete="CASCADE"), primary_key=True),
    Column("rule", TEXT, primary_key=True),
    Column("kind", TEXT, primary_key=True),
)

# Its cards may be unknown: shown while the database was away, or forgotten since (A8.5).
card_feedback = Table(
    "card_feedback",
    metadata,
    Column("card", UUID, primary_key=True),
    Column("outcome_at", UtcTime, primary_key=True),
    Column("outcome", TEXT, nullable=False),
    Column("accepted", JSON, nullable=False),
    Column("reason_code", TEXT, nullable=False),
    Column("reason_system", TEXT, nullable=False),
    Column("reason_display", TEXT, nullable=False),
    Column("comment_sent", Boolean, nullable=False),
    Column("comment", Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Index("card_feedback_by_time", "received_at"),
)

# One row a call that something of ours was in (audit.py); kept for longer than the cards.
call_audit = Table(
    "call_audit",
    metadata,
    Column("call", UUID, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("client", TEXT, nullable=False),
    Column("tenant", TEXT, nullable=False),
    Column("service", TEXT, nullable=False),
    Column("hook", TEXT, nullable=False),
    Column("hook_instance", UUID, nullable=False),
    Column("rule_set", TEXT, nullable=False),
    Column("code_sets", HASH, nullable=False),
    Column("input_hash", HASH, nullable=False),
    Column("status", Integer, nullable=False),
    Column("outcome", TEXT, nullable=False),
    Column("cards", JSON, nullable=False),
    Column("findings", JSON, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Index("call_audit_by_time", "at"),
)

# What `call_audit.code_sets` stands for: the catalogue's sources by title and date.
code_sets = Table(
    "code_sets",
    metadata,
    Column("key", HASH, primary_key=True),
    Column("sources", JSON, nullable=False),
    Column("first_used_at", UtcTime, nullable=False),
)

# What one worker does for all, and when it was done last (retention.py).
housekeeping = Table(
    "housekeeping",
    metadata,
    Column("task", TEXT, primary_key=True),
    Column("done_at", UtcTime, nullable=False),
)

# Tokens of clients that were used, by their hash (CDS Hooks 2.0.1, "jti"), until they expire.
client_tokens_seen = Table(
    "client_tokens_seen",
    metadata,
    Column("token", HASH, primary_key=True),
    Column("expires_at", UtcTime, nullable=False),
    Index("client_tokens_seen_by_time", "expires_at"),
)


def insert_into(table: Table, dialect: str) -> Any:
    """An insert into `table` that can say what is done on a conflict, in the database's own
    dialect; only that is loaded, as loading one takes its time."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)
    from sqlalchemy.dialects.sqlite import insert

    return insert(table)
