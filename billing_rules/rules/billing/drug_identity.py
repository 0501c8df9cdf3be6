"""The order names one drug: its NDC, RxNorm code and words do not contradict each other."""

from __future__ import annotations

from billing_rules.evidence.documentation import seen, sentence
from billing_rules.model.findings import Finding, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.rule import (
    GIVEN,
    ORDERS,
    Place,
    Record,
    Rule,
    Stated,
    contradicting_identifiers,
)


def check(case: Case) -> Stated:
    line = case.order.lines[0]
    return Finding(
        kind="identifiers-name-different-drugs",
        summary="The order names two different drugs: correct its NDC, code or name before signing",
        found=(sentence(case.order.identity.conflict or ""),),
        basis=tuple(seen(line, c.system, c.code) for c in line.codes),
        sources=tuple({c.source for c in case.drug.containers[:1]}),
        unchecked=("No code is proposed until the order names one drug.",),
    )


RULE = Rule(
    id="drug_identity",
    check=check,
    requires=(contradicting_identifiers,),
    topic=Topic.BILLING,
    rank=10,
    warns=("identifiers-name-different-drugs",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    hooks=(*ORDERS, *GIVEN),
    record=Record(
        name="drug identity",
        title="The order names one drug",
        says="NDC, RxNorm code and words of an order must name the same drug.",
        prevents="A claim for a drug that the record shows was not given.",
        denials=("wrong-code",),
        citations=("crosswalk", "hcpcs"),
        reads=("container",),
    ),
)
