"""Cases whose chart lacks something, and what is typed into the form for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from billing_rules.catalogue import Catalogue
from billing_rules.forms import answers
from billing_rules.forms.answers import Checked, Patient
from billing_rules.forms.documentation_form import form_for
from billing_rules.forms.prefill import prefilled
from billing_rules.model.entities import Code, Dose, OrderLine
from billing_rules.model.findings import Outcome
from billing_rules.model.form import Form
from billing_rules.model.states import Present
from billing_rules.orders.case import Case
from billing_rules.orders.choices import PayerChoice
from billing_rules.orders.drug_orders import drug_orders
from billing_rules.review import case_of, reviewed
from tests import scenario, scenario_chart
from tests.billing_rules.closing_samples import mg

ON = date(2026, 11, 23)
PATIENT = Patient(ON, date(1990, 5, 20))
NOTHING_ON_FILE = {
    "born": date(1990, 5, 20),
    "weight": "none",
    "results": "none",
    "allergies": "none",
    "procedures": "none",
    "therapies": "none",
    "given": "none",
    "authorizations": "none",
    "conditions": "J45.50 2020-01-01",
}
IGE = {
    "total-ige.0.value": "350",
    "total-ige.0.unit": "",
    "total-ige.0.value.unit": "kU/L",
    "total-ige.0.date": "2026-01-10",
}


@dataclass(frozen=True)
class Asked:
    case: Case
    outcomes: tuple[Outcome, ...]
    form: Form

    def check(self, patient: Patient = PATIENT, **typed: str) -> Checked:
        """`total_ige__0__value` is the field "total-ige.0.value"."""
        named = {k.replace("__", ".").replace("_", "-"): v for k, v in typed.items()}
        return self.checked(named, patient)

    def checked(self, typed: dict[str, str], patient: Patient = PATIENT) -> Checked:
        return answers.check_answers(self.form, typed, patient, self.prefill())

    def prefill(self) -> dict[str, Any]:
        return prefilled(self.form, self.case, self.outcomes)


def asked(
    catalogue: Catalogue, drug: str = "omalizumab", payer: str = "commercial", **chart: Any
) -> Asked:
    words = {**NOTHING_ON_FILE, **chart}
    read = scenario_chart.chart(words, catalogue.terms, ON, scenario._given)
    line = OrderLine(
        "MedicationRequest/1",
        "MedicationRequest",
        codes=(Code("hcpcs", catalogue.drug(drug, ON).hcpcs or ""),),
        names=(drug,),
        dose=Present(Dose(mg(300))),
        date_of_service=ON,
    )
    (order,) = drug_orders([line], catalogue, ON)
    case = case_of(order, (order,), read, catalogue, PayerChoice(payer, "named"))
    return Asked(case, reviewed(case).outcomes, form_for(case))
