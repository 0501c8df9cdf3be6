"""The first doses in a healthcare setting, where the label wants them there.

Says something only when the order's setting is the patient's home. Doses charted as given count
as supervised; what no chart shares (reactions, observation) is not judged.
"""

from __future__ import annotations

from billing_rules.evidence.documentation import drug_sources, items, not_sure, seen
from billing_rules.model.entities import DrugOrder
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import Unknown
from billing_rules.orders.case import Case
from billing_rules.rules.rule import (
    BOOKING,
    ORDERS,
    Place,
    Record,
    Rule,
    Stated,
    supervised_doses_at_home,
)


def check(case: Case) -> Stated:
    before = case.past_visits
    if isinstance(before, Unknown):
        return NotChecked(before.because)
    visits = [v for v in items(before) if _same_drug(case, v)]
    return _counted(case, case.drug.supervised_doses or 0, visits)


def _same_drug(case: Case, visit: DrugOrder) -> bool:
    """A biosimilar's doses count for its reference product and the other way round."""
    other = case.history.drugs[visit.drug_id]
    return bool(visit.prescriptions) and (
        other.id == case.drug.id
        or other.biosimilar_of == case.drug.id
        or case.drug.biosimilar_of == other.id
    )


def _counted(case: Case, wanted: int, visits: list[DrugOrder]) -> Outcome:
    days = {visit.date_of_service for visit in visits}
    if len(days) >= wanted:
        return Silent(f"{len(days)} doses are charted as given")
    if case.drug.id in case.history.undated:
        return NotChecked(f"an earlier dose of {case.drug.name} has no date")
    return not_sure(case, "administrations") or Finding(
        kind="first-doses-at-home",
        summary=(
            f"Is home right? {len(days)} of the first {wanted} doses in a healthcare setting "
            "were found"
        ),
        found=(f"The label wants the first {wanted} doses given under supervision.",),
        basis=tuple(seen(x, "given", "a dose") for v in visits for x in v.prescriptions),
        sources=drug_sources(case, "supervised_doses"),
        unchecked=("Doses given elsewhere may not be in this chart.",),
    )


RULE = Rule(
    id="supervised_doses",
    check=check,
    requires=(supervised_doses_at_home,),
    topic=Topic.DOCUMENTATION,
    rank=170,
    informs=("first-doses-at-home",),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("encounter", "administrations"),
    record=Record(
        name="supervised doses",
        title="First doses in a healthcare setting",
        says="Before a dose at home, the label's first supervised doses are looked for.",
        prevents="A home dose that the label does not yet foresee.",
        denials=("coverage-criteria",),
        citations=("label",),
        reads=("drug.supervised_doses",),
    ),
)
