"""The dose is an amount of drug that billing units can be worked out from; otherwise ask."""

from __future__ import annotations

from billing_rules.evidence.documentation import dose_seen, sentence, text_caveat
from billing_rules.model.findings import Finding, NotChecked, Silent, Topic
from billing_rules.model.states import Nothing, Present
from billing_rules.orders.case import Case
from billing_rules.rules.rule import GIVEN, ORDERS, Place, Record, Rule, Stated


def check(case: Case) -> Stated:
    dose = case.order.dose
    if isinstance(dose, Present):
        return Silent(f"the dose is {dose.value}", basis=dose_seen(case))
    elif isinstance(dose, Nothing):
        return NotChecked("the order states no dose")
    elif not case.order.prescriptions:
        return NotChecked(dose.because)
    else:
        return Finding(
            kind="dose-is-no-amount",
            summary=f"Write the {case.drug.name} dose in mg: billing units cannot be worked out",
            found=(sentence(dose.because),),
            basis=dose_seen(case),
            unchecked=("Billing units and the waste modifier.", *text_caveat(case)),
        )


RULE = Rule(
    id="dose_unit",
    check=check,
    topic=Topic.BILLING,
    rank=40,
    warns=("dose-is-no-amount",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    hooks=(*ORDERS, *GIVEN),
    queries=("weight",),
    record=Record(
        name="dose unit",
        title="The dose can be billed",
        says="The dose must be an amount of drug from which billing units can be worked out.",
        prevents="Units that nobody can trace to a dose.",
        denials=("incorrect-dosage",),
        citations=("hcpcs",),
        reads=("drug.billing_unit",),
    ),
)
