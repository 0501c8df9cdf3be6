"""The rule trace of a service that gives one, as tables; whatever came, this raises nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """`state` is how the rule ended, `why` what it saw or why it kept silent."""

    rule: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Table:
    """The rules of one order."""

    title: str
    rows: tuple[Row, ...]


def tables(trace: Any) -> list[Table]:
    """One table an order; none where the service told nothing."""
    reviews = trace.get("reviews") if isinstance(trace, dict) else None
    listed = reviews if isinstance(reviews, list) else []
    return [_table(review) for review in listed if isinstance(review, dict)]


def _table(review: dict[str, Any]) -> Table:
    said = (review.get(k) for k in ("drug", "payer", "dateOfService", "order"))
    rules = review.get("rules")
    rows = (r for r in (rules if isinstance(rules, list) else []) if isinstance(r, dict))
    return Table(
        ", ".join(str(word) for word in said if word),
        tuple(Row(*(str(row.get(k, "")) for k in ("rule", "state", "why"))) for row in rows),
    )
