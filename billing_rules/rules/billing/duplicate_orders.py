"""One dose of one drug is ordered once."""

from __future__ import annotations

from billing_rules.evidence.documentation import told
from billing_rules.model.entities import DrugOrder, Evidence
from billing_rules.model.findings import Finding, RemoveOrder, Silent, Topic
from billing_rules.model.states import Present
from billing_rules.orders.case import Case
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, earlier_draft


def check(case: Case) -> Stated:
    order = case.order
    earlier = [
        o
        for o in case.drafts[: case.drafts.index(order)]
        if o.drug_id == order.drug_id
        and o.date_of_service == order.date_of_service
        and o.stage is order.stage
        and o.prescriptions
    ]
    if not earlier or not order.prescriptions:
        return Silent(f"no earlier draft for {case.drug.name} on that day")
    return _finding(case, earlier[0])


def _finding(case: Case, first: DrugOrder) -> Finding:
    order = case.order
    known = isinstance(order.dose, Present)  # two doses that cannot be read are not the same one
    same = known and first.dose == order.dose and _products(first) == _products(order)
    reference = order.references[0]
    return Finding(
        kind="same-order-twice" if same else "same-drug-twice",
        summary=f"{case.drug.name.capitalize()} is drafted twice for one day: remove one, or "
        "write one order with the whole dose",
        found=(f"{first.references[0]}: {_dose(first)}; {reference}: {_dose(order)}.",),
        basis=tuple(
            Evidence(o.references[0], "draft order", o.dose_as_written, o.date_of_service)
            for o in (first, order)
        ),
        unchecked=("The two were judged one by one; their doses were not added.",),
        corrections=(RemoveOrder(reference),) if same else (),
        correction_label="Remove the second draft" if same else "",
    )


def _dose(order: DrugOrder) -> str:
    return order.dose_as_written or told(order.dose, "dose")


def _products(order: DrugOrder) -> set[tuple[str, ...]]:
    return {line.codes_of("ndc") for line in order.prescriptions}


RULE = Rule(
    id="duplicate_orders",
    check=check,
    requires=(earlier_draft("no earlier draft for {drug} on that day"),),
    topic=Topic.BILLING,
    rank=140,
    warns=("same-order-twice", "same-drug-twice"),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    suggests=(RemoveOrder,),
    hooks=ORDERS,
    record=Record(
        name="duplicate orders",
        title="One dose is ordered once",
        says="Two drafts of the same dose on the same day are pointed out.",
        prevents="A duplicate line that is denied or paid twice.",
        denials=("incorrect-dosage",),
        citations=("rac",),
    ),
)
