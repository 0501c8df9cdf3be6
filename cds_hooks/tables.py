"""The tables of shown cards and their feedback; vialwise/migrations makes them.

Times are UTC. Lists of ids are JSON. No column holds anything of a patient (checklist A8.8).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

KEY = String(64)  # a SHA-256 in hexadecimal
UUID = String(36)
TEXT = String(200)


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC, kept without its zone: SQLite has none to keep."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


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
    Column("patient_key", KEY, nullable=False),
    Column("order_key", KEY, nullable=False),
    Column("shown_at", UtcTime, nullable=False),
    Index("card_shown_by_patient", "patient_key"),
    Index("card_shown_by_time", "shown_at"),
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
