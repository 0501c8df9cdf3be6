"""A finding that a person has set aside is not said again for the same patient and order.

Pure: what was overridden is handed in. The rule stands as silent, with the reason, so that
nothing looks as if it had not been checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from billing_rules.findings import Finding, Outcome, Silent
from billing_rules.model import DrugOrder
from billing_rules.review import OrderReview
from cds_hooks.records import ByOrder, RuleAndKind

BECAUSE = "shown before for this order and set aside"


def without_repeats(
    reviews: Iterable[OrderReview], overridden: ByOrder, key: Callable[[DrugOrder], str]
) -> tuple[OrderReview, ...]:
    """`reviews` without the findings overridden for an order of the same `key`."""
    return tuple(
        unrepeated(review, overridden.get(key(review.order), frozenset())) for review in reviews
    )


def unrepeated(review: OrderReview, overridden: frozenset[RuleAndKind]) -> OrderReview:
    """`review` with silence where one of the `overridden` findings would be."""
    if not overridden:
        return review
    return replace(review, outcomes=tuple(_unless(o, overridden) for o in review.outcomes))


def _unless(outcome: Outcome, overridden: frozenset[RuleAndKind]) -> Outcome:
    if isinstance(outcome, Finding) and (outcome.rule, outcome.kind) in overridden:
        return Silent(BECAUSE, rule=outcome.rule)
    return outcome
