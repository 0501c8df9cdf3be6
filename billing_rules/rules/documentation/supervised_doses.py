"""The first doses in a healthcare setting, where the label wants them there.

Says something only when the order's setting is the patient's home. Doses charted as given count
as supervised; what no chart shares (reactions, observation) is not judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.evidence.documentation import not_sure
from billing_rules.model.entities import DrugOrder
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import Unknown
from billing_rules.orders.case import Case
from billing_rules.rules.common import drug_sources, items, seen
from billing_rules.rules.rule import BOOKING, ORDERS, Place, Record, Rule


def check(case: Case) -> Iterator[Outcome]:
    wanted = case.drug.supervised_doses
    before = case.history.before(case.order)
    if wanted is None:
        yield Silent("the label asks for no supervised first doses", applies=False)
    elif case.setting is None and isinstance(case.chart.setting, Unknown):
        yield NotChecked(f"the setting: {case.chart.setting.because}")
    elif case.setting != "home":
        yield Silent("the order is not for the patient's home", applies=False)
    elif isinstance(before, Unknown):
        yield NotChecked(before.because)
    else:
        yield _counted(case, wanted, [v for v in items(before) if _same_drug(case, v)])


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
