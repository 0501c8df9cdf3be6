"""The NDC is one that is listed for the drug and marketed on the date of service.

Clearinghouses reject a line whose NDC is not in FDA's directory or not marketed that day (Stedi,
November 2026).
"""

from __future__ import annotations

from billing_rules.evidence.documentation import seen, sources
from billing_rules.model.entities import Container, OrderLine
from billing_rules.model.findings import Finding, Outcome, Silent, Topic
from billing_rules.model.states import Nothing, Present
from billing_rules.orders.case import Case
from billing_rules.orders.drug_orders import container_of
from billing_rules.rules.rule import GIVEN, ORDERS, Place, Record, Rule, Stated, ndc_code


def check(case: Case) -> Stated:
    return [_judged(case, line) for line in case.order.lines if line.codes_of("ndc")]


def _judged(case: Case, line: OrderLine) -> Outcome:
    container = container_of(line, case.drug)
    if isinstance(container, Present):
        if container.value.marketed_on(case.order.date_of_service):
            return Silent(
                f"{container.value.ndc_shown} is listed for {case.drug.name}",
                sources=(container.value.source,),
            )
        return _not_marketed(case, line, container.value)
    if isinstance(container, Nothing) or len(line.codes_of("ndc")) > 1:
        return Silent("the order names several containers", applies=False)
    code = case.drug.ndc_shown(line.codes_of("ndc")[0])
    return Finding(
        kind="ndc-not-listed",
        summary=f"NDC {code[:13]} is not among {case.drug.name}'s listed containers: check the box",
        found=(
            f"NDC {code} is none of the containers CMS's crosswalk or FDA lists for "
            f"{case.drug.name} in this catalogue; sample packages are not billable.",
        ),
        basis=(seen(line, "NDC", code),),
        sources=sources(case.drug.containers[0].source if case.drug.containers else None),
    )


def _not_marketed(case: Case, line: OrderLine, container: Container) -> Finding:
    day = case.order.date_of_service
    early = container.marketed_from is not None and day < container.marketed_from
    when = f"from {container.marketed_from}" if early else f"until {container.marketed_until}"
    return Finding(
        kind="ndc-not-marketed",
        summary=f"NDC {container.ndc_shown} is marketed {when}: choose one for {day}",
        found=(f"{container.name} {container.ndc_shown} is marketed {when}, not on {day}.",),
        basis=(seen(line, "NDC", container.ndc_shown),),
        sources=sources(container.source),
    )


RULE = Rule(
    id="ndc_marketed",
    check=check,
    requires=(ndc_code,),
    topic=Topic.BILLING,
    rank=120,
    warns=("ndc-not-marketed",),
    informs=("ndc-not-listed",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    hooks=(*ORDERS, *GIVEN),
    record=Record(
        name="NDC marketed",
        title="The NDC was marketed on the date of service",
        says="The NDC must be one listed for the drug and marketed on the day it is given.",
        prevents="A line rejected by the clearinghouse for its NDC.",
        denials=("wrong-code",),
        citations=("clearinghouse", "crosswalk"),
        reads=("container",),
    ),
)
