"""The diagnosis is on the payer's list for this drug.

A diagnosis off the list is denied as not covered. Lists are of ICD-10-CM codes: a diagnosis in
SNOMED CT only cannot be compared, and an empty list means that none is known.
"""

from __future__ import annotations

from billing_rules.evidence.documentation import (
    criteria_sources,
    indication_seen,
    listed,
    payer_seen,
)
from billing_rules.model.findings import Finding, NotChecked, Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.rule import (
    BOOKING,
    ORDERS,
    Place,
    Record,
    Rule,
    Stated,
    chosen_indication,
    payers_list_of_diagnoses,
)


def check(case: Case) -> Stated:
    listed_codes = case.criteria.diagnoses if case.criteria else frozenset()
    codes = list(dict.fromkeys(c.code for c in case.indication.diagnoses if c.system == "icd10cm"))
    if not codes:
        why = "the diagnosis has no ICD-10-CM code to compare with the payer's list: name it"
        return NotChecked(why)
    elif on_list := [code for code in codes if code in listed_codes]:
        return Silent(
            f"{listed(on_list)} is on the list of {case.payer.name}",
            basis=indication_seen(case),
            sources=criteria_sources(case, "diagnoses"),
        )
    else:
        criteria = case.criteria
        known = sorted(criteria.diagnoses) if criteria else []
        return Finding(
            kind="diagnosis-not-on-list",
            summary=f"{listed(codes)[:40]} is not on the payer's list for "
            f"{case.drug.name}: check it",
            found=(
                f"{listed(codes)} is none of the diagnoses {case.payer.name} lists.",
                f"Listed: {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}.",
            ),
            basis=(*indication_seen(case), *payer_seen(case)),
            sources=criteria_sources(case, "diagnoses"),
        )


RULE = Rule(
    id="diagnosis_on_list",
    check=check,
    requires=(chosen_indication, payers_list_of_diagnoses),
    topic=Topic.DOCUMENTATION,
    rank=20,
    warns=("diagnosis-not-on-list",),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("conditions",),
    record=Record(
        name="diagnosis on list",
        title="The diagnosis is on the payer's list",
        says="The ICD-10-CM code must be on the list the payer covers the drug for.",
        prevents="A denial because the diagnosis is not covered.",
        denials=("coverage-criteria", "diagnosis-or-test-missing"),
        citations=("contractor-article", "policies"),
        codes=("CO-50",),
        reads=("criteria.diagnoses",),
        limits=("It speaks only for payers whose list was read to its end.",),
    ),
)
