"""What is supplied holds the dose that is ordered."""

from __future__ import annotations

from billing_rules.evidence.documentation import because, containers_seen, dose_seen, listed
from billing_rules.model.entities import Amount, labelled_total
from billing_rules.model.findings import Finding, NotChecked, Silent, Topic
from billing_rules.model.states import Present
from billing_rules.orders.case import Case
from billing_rules.rules.rule import GIVEN, ORDERS, Place, Record, Rule, Stated


def check(case: Case) -> Stated:
    dose = case.order.dose
    supplied = _supplied(case)
    if supplied is None:
        return Silent("the order does not say what is supplied", applies=False)
    elif not isinstance(dose, Present):
        return NotChecked(because(dose, "the order states no dose"))
    elif supplied < dose.value:
        return _finding(case, supplied, dose.value)
    else:
        return Silent(f"{supplied} supplied for {dose.value}")


def _supplied(case: Case) -> Amount | None:
    if isinstance(case.order.containers, Present):
        return labelled_total(case.order.containers.value).to("mg")
    supplied = case.order.supplied
    if isinstance(supplied, Present) and supplied.value.is_a("mass"):
        return supplied.value.to("mg")
    return None


def _finding(case: Case, supplied: Amount, dose: Amount) -> Finding:
    what = listed(case.plan.opened) or str(supplied)
    return Finding(
        kind="supplied-less-than-dose",
        summary=f"{supplied} is supplied for a dose of {dose}: add containers or correct the dose",
        found=(f"{what} holds {supplied}, {dose - supplied} less than ordered.",),
        basis=(*dose_seen(case), *containers_seen(case)),
        sources=tuple({c.container.source for c in case.plan.opened}),
    )


RULE = Rule(
    id="dose_supplied",
    check=check,
    topic=Topic.BILLING,
    rank=110,
    warns=("supplied-less-than-dose",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    hooks=(*ORDERS, *GIVEN),
    record=Record(
        name="dose supplied",
        title="What is supplied holds the dose",
        says="The containers or amount supplied must hold the ordered dose.",
        prevents="Billed units that the containers could not have held.",
        denials=("incorrect-dosage",),
        citations=("label-amount",),
        reads=("container",),
    ),
)
