"""What was left of a container after a past dose is charted as discarded.

A record not-done for waste is a discarded amount. Where the NDC is charted but no count, dose and
discarded amount together must be whole containers. This order's own dose is waste_modifier's.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from billing_rules.evidence.documentation import items, seen, sentence, sources, told
from billing_rules.model.entities import Amount, Container, DrugOrder, labelled_total
from billing_rules.model.findings import Finding, NotChecked, Outcome, Severity, Silent, Topic
from billing_rules.model.states import Nothing, Present, State, Unknown, days_between
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import Doubt, WasteAnswer, claim_plan
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, past_doses

LOOK_BACK_DAYS = 365  # ours, as in past_administrations
ALL_CHARTED = "no past dose leaves a discarded amount uncharted"


def check(case: Case) -> Stated:
    recent = [visit for visit in items(case.past_visits) if _is_recent(case, visit)]
    return [o for visit in recent for o in _judged(case, visit)] or Silent(ALL_CHARTED)


def _is_recent(case: Case, visit: DrugOrder) -> bool:
    days = days_between(visit.date_of_service, case.order.date_of_service)
    return visit.drug_id == case.drug.id and days <= LOOK_BACK_DAYS


def _judged(case: Case, visit: DrugOrder) -> Iterator[Outcome]:
    if isinstance(visit.discarded, Unknown):
        yield _finding(
            case,
            visit,
            "waste-amount-not-charted",
            f"Chart how much was discarded on {visit.date_of_service}: the record does not say",
            sentence(visit.discarded.because),
        )
        return
    if _adds_up(visit):
        return
    plan = claim_plan(visit, case.drug, case.payer, case.setting, visit.containers, False)
    if plan.waste is WasteAnswer.NOT_APPLICABLE or isinstance(visit.dose, Nothing):
        return
    if isinstance(visit.dose, Unknown):
        yield NotChecked(f"the dose of {visit.date_of_service}: {visit.dose.because}")
        return
    if isinstance(visit.containers, Present) and plan.doubt is Doubt.CHARTING:
        yield _left(case, visit, sentence(plan.because))
    elif isinstance(visit.containers, Nothing):
        yield from _by_container(case, visit, visit.dose.value)


def _adds_up(visit: DrugOrder) -> bool:
    """Whether nothing was left of the containers charted, and nothing is said to be: whoever
    pays, no discarded amount is missing."""
    opened, dose = visit.containers, visit.dose
    if not (isinstance(opened, Present) and isinstance(dose, Present)):
        return False
    return isinstance(visit.discarded, Nothing) and labelled_total(opened.value) == dose.value


def _by_container(case: Case, visit: DrugOrder, dose: Amount) -> Iterator[Outcome]:
    """Only the NDC is charted: dose and discarded amount must be whole containers of it."""
    container = _one_container(case, visit)
    if not isinstance(container, Present) or container.value.dose_status != "single-dose":
        return
    one = container.value.strength.to(dose.unit)
    charted = visit.discarded.value.to(dose.unit) if isinstance(visit.discarded, Present) else None
    used = dose + charted if charted else dose
    if used.value % one.value == Decimal(0):
        return
    waste = f" and {charted} discarded" if charted else " and no discarded amount charted"
    name = container.value.name
    yield _left(case, visit, f"{dose} given{waste} are no whole number of {name}s.")


def _one_container(case: Case, visit: DrugOrder) -> State[Container]:
    found = {case.history.container(line, case.drug.id) for line in visit.prescriptions}
    return found.pop() if len(found) == 1 else Unknown("several containers")


def _left(case: Case, visit: DrugOrder, found: str) -> Finding:
    charted = isinstance(visit.discarded, Present)
    on = visit.date_of_service
    return _finding(
        case,
        visit,
        "waste-differs" if charted else "waste-not-charted",
        f"Check the discarded amount charted on {on}: it does not add up"
        if charted
        else f"Chart the discarded amount of {on}: without it neither JW nor JZ can be billed",
        found,
    )


def _finding(case: Case, visit: DrugOrder, kind: str, summary: str, found: str) -> Finding:
    return Finding(
        kind=kind,
        severity=Severity.WARNING if case.payer.jw == "required" else Severity.INFO,
        summary=summary,
        found=(found,),
        basis=tuple(seen(line, "given", told(line.dose, "dose")) for line in visit.prescriptions),
        sources=sources(case.payer.sources.get("jw")),
    )


RULE = Rule(
    id="past_waste",
    check=check,
    requires=(past_doses(ALL_CHARTED),),
    topic=Topic.DOCUMENTATION,
    rank=150,
    warns=("waste-amount-not-charted", "waste-not-charted", "waste-differs"),
    informs=("waste-amount-not-charted", "waste-not-charted", "waste-differs"),
    corrected_at={Topic.DOCUMENTATION: Place.PAST_DOSES},
    hooks=ORDERS,
    queries=("administrations",),
    record=Record(
        name="past waste",
        title="Discarded amounts of past doses are charted",
        says="What a past dose left of its container must be charted as discarded.",
        prevents="A JW line taken back because the record does not show the discarded amount.",
        denials=("dose-lot-and-waste-record", "missing-waste-modifier"),
        citations=("discarded-drugs", "audit"),
        reads=("payer.jw",),
    ),
)
