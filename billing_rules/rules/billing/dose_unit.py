"""The dose is an amount of drug that billing units can be worked out from; otherwise ask."""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.case import Case
from billing_rules.findings import Finding, NotChecked, Outcome, Severity, Silent
from billing_rules.rules.common import dose_seen, text_caveat
from billing_rules.states import Nothing, Present, Unknown

RULE = "dose_unit"


def check(case: Case) -> Iterator[Outcome]:
    dose = case.order.dose
    if isinstance(dose, Present):
        yield Silent(RULE, f"the dose is {dose.value}", basis=dose_seen(case))
    elif isinstance(dose, Nothing):
        yield NotChecked(RULE, "the order states no dose")
    elif not case.order.prescriptions:
        yield NotChecked(RULE, dose.because)
    else:
        yield _ask(case, dose)


def _ask(case: Case, dose: Unknown) -> Finding:
    return Finding(
        rule=RULE,
        kind="dose-is-no-amount",
        severity=Severity.WARNING,
        summary=f"Write the {case.drug.name} dose in mg: billing units cannot be worked out",
        found=(dose.because[0].upper() + dose.because[1:] + ".",),
        basis=dose_seen(case),
        unchecked=("Billing units and the waste modifier.", *text_caveat(case)),
    )
