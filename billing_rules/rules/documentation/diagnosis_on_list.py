"""The diagnosis is on the payer's list for this drug.

A diagnosis off the list is denied as not covered. Lists are of ICD-10-CM codes: a diagnosis in
SNOMED CT only cannot be compared, and an empty list means that none is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.case import Case
from billing_rules.documentation import indication_seen, without_indication
from billing_rules.findings import Finding, NotChecked, Outcome, Severity, Silent, Topic
from billing_rules.model import Source
from billing_rules.rules.common import listed, payer_seen, sources

RULE = "diagnosis_on_list"


def check(case: Case) -> Iterator[Outcome]:
    listed_codes = case.criteria.diagnoses if case.criteria else frozenset()
    codes = list(dict.fromkeys(c.code for c in case.indication.diagnoses if c.system == "icd10cm"))
    if stopped := without_indication(case, RULE):
        yield stopped
    elif not listed_codes:
        yield Silent(RULE, f"no list of diagnoses of {case.payer.name} is known", applies=False)
    elif not codes:
        why = "the diagnosis has no ICD-10-CM code to compare with the payer's list: name it"
        yield NotChecked(RULE, why)
    elif on_list := [code for code in codes if code in listed_codes]:
        yield Silent(
            RULE,
            f"{listed(on_list)} is on the list of {case.payer.name}",
            basis=indication_seen(case),
            sources=_list_source(case),
        )
    else:
        yield _finding(case, codes)


def _list_source(case: Case) -> tuple[Source, ...]:
    return sources(case.criteria.sources.get("diagnoses") if case.criteria else None)


def _finding(case: Case, codes: list[str]) -> Finding:
    criteria = case.criteria
    known = sorted(criteria.diagnoses) if criteria else []
    return Finding(
        rule=RULE,
        kind="diagnosis-not-on-list",
        severity=Severity.WARNING,
        summary=f"{listed(codes)[:40]} is not on the payer's list for {case.drug.name}: check it",
        found=(
            f"{listed(codes)} is none of the diagnoses {case.payer.name} lists.",
            f"Listed: {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}.",
        ),
        basis=(*indication_seen(case), *payer_seen(case)),
        sources=_list_source(case),
        topic=Topic.DOCUMENTATION,
    )
