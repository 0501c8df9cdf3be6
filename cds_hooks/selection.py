"""order-select speaks of what was just selected, with the other drafts in view, and softly.

CDS Hooks Library 1.0.1, "order-select": decision support should focus on the selected orders; the
others are there to be taken into account. So two syringes of one dose are judged together, but a
fault of the draft that was not selected waits for order-sign. Documentation is expected later in
the workflow, so what is missing is information there (Da Vinci CRD 2.2.1, hook-19).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from msgspec import structs

from billing_rules.fhir.references import selected
from billing_rules.findings import Finding, Outcome, Severity, Topic
from billing_rules.review import OrderReview

Selections = frozenset[str] | None  # None: every draft is meant


def spoken_of(reviews: Iterable[OrderReview], selections: Selections) -> tuple[OrderReview, ...]:
    """The reviews of orders with a selected draft, without findings on other drafts alone."""
    if selections is None:
        return tuple(reviews)
    return tuple(
        replace(review, outcomes=tuple(map(_softened, _kept(review, selections))))
        for review in reviews
        if any(selected(reference, selections) for reference in review.order.references)
    )


def _kept(review: OrderReview, selections: Selections) -> Iterable[Outcome]:
    for outcome in review.outcomes:
        if not isinstance(outcome, Finding):
            yield outcome
            continue
        about = _drafts_of(outcome) & set(review.order.references)
        if not about or any(selected(reference, selections) for reference in about):
            yield outcome


def _softened(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Finding) and outcome.topic is Topic.DOCUMENTATION:
        return structs.replace(outcome, severity=Severity.INFO)
    return outcome


def _drafts_of(finding: Finding) -> set[str]:
    """The resources a finding saw or would change; "Claim/1 item 2" is Claim/1."""
    seen = {evidence.reference.partition(" item ")[0] for evidence in finding.basis}
    return seen | {correction.reference for correction in finding.corrections}
