"""The rule trace of a service that gives one, as rows; whatever came, this raises nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """`state` is how the rule ended, `why` what it saw or why it kept silent."""

    order: str
    rule: str
    state: str
    why: str


def rows(trace: Any) -> list[Row]:
    """One row a rule; none where the service told nothing."""
    reviews = trace.get("reviews") if isinstance(trace, dict) else None
    return [
        Row(str(review.get("order", "")), *(str(rule.get(k, "")) for k in ("rule", "state", "why")))
        for review in (reviews if isinstance(reviews, list) else [])
        if isinstance(review, dict)
        for rule in review.get("rules") or []
        if isinstance(rule, dict)
    ]
