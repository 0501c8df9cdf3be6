"""Reviews as JSON, for programs: the same content that `vialwise check` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from billing_rules.model.entities import Evidence, Source
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent
from billing_rules.model.states import Present
from billing_rules.orders.claim_lines import ClaimPlan
from billing_rules.review import OrderReview
from vialwise.checking.check import CheckResult


def document(checked: CheckResult, invalid: Iterable[str], explain: bool) -> dict[str, Any]:
    """Everything, as one object; no key is null."""
    return {
        "orders": [_order(review, explain) for review in checked.reviews],
        "unread": list(checked.unread),
        "invalid": list(invalid),
    }


def _order(review: OrderReview, explain: bool) -> dict[str, Any]:
    order = review.order
    answer: dict[str, Any] = {
        "drug": order.drug_id,
        "stage": order.stage.value,
        "references": list(order.references),
        "dateOfService": str(order.date_of_service),
        "recognisedBy": {"by": order.identity.by, "seen": order.identity.seen},
        "payer": {"id": review.payer.id, "because": review.payer_choice.because},
        "findings": [_finding(finding) for finding in review.findings],
        "notChecked": [{"rule": n.rule, "because": n.because} for n in review.not_checked],
        "plan": _plan(review.plan),
    }
    if isinstance(order.dose, Present):
        answer["dose"] = str(order.dose.value)
    if explain:
        answer["rules"] = [_outcome(outcome) for outcome in review.outcomes]
    return answer


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "kind": finding.kind,
        "severity": finding.severity.value,
        "topic": finding.topic.value,
        "summary": finding.summary,
        "found": list(finding.found),
        "basis": [_evidence(seen) for seen in finding.basis],
        "sources": [_source(source) for source in finding.sources],
        "unchecked": list(finding.unchecked),
        "correction": finding.correction_label,
    }


def _evidence(seen: Evidence) -> dict[str, str]:
    shown = {"reference": seen.reference, "what": seen.what, "value": seen.value}
    return shown | ({"on": str(seen.on)} if seen.on else {})


def _source(source: Source) -> dict[str, str]:
    return {
        "title": source.title,
        "url": source.url,
        "published": str(source.published),
        "certainty": source.certainty,
    }


def _plan(plan: ClaimPlan) -> dict[str, Any]:
    return {
        "lines": [
            {"hcpcs": line.hcpcs, "modifiers": list(line.modifiers), "units": line.units}
            for line in plan.lines
        ],
        "waste": plan.waste.value,
        "because": plan.because,
        "containers": [
            {"ndc": c.container.ndc, "name": c.container.name, "count": c.count}
            for c in plan.opened
        ],
        "containersComputed": plan.computed,
        "sources": [_source(source) for source in plan.sources],
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Finding):
        return {"rule": outcome.rule, "outcome": "spoke", "kind": outcome.kind}
    if isinstance(outcome, NotChecked):
        return {"rule": outcome.rule, "outcome": "not checked", "because": outcome.because}
    assert isinstance(outcome, Silent)
    word = "silent" if outcome.applies else "does not apply"
    return {"rule": outcome.rule, "outcome": word, "because": outcome.because}
