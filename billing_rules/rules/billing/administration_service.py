"""The drug and its administration are two lines: neither code stands for the other.

J codes bill the drug. Giving it is a service of its own: for an injection usually 96372; 96401 is
asked for by few payers and never picked here. No code of an infusion is in the catalogue. CPT
descriptors are the AMA's, so only the codes are named.
"""

from __future__ import annotations

import re

from billing_rules.evidence.documentation import drug_sources, seen, text_caveat
from billing_rules.model.entities import OrderLine
from billing_rules.model.findings import Finding, Silent, Topic
from billing_rules.model.states import Present
from billing_rules.orders.case import Case
from billing_rules.rules.rule import (
    BILLING_KINDS,
    ORDERS,
    Place,
    Record,
    Rule,
    Stated,
    billing_line,
)

_ADMINISTRATION = re.compile(
    r"\b(administration|administering|injection (service|visit|procedure|fee)|nurse visit)\b", re.I
)


def check(case: Case) -> Stated:
    lines = case.drug_lines
    misused = [line for line in lines if _bills_administration(case, line)]
    services = [line for line in case.order.services if line.kind in BILLING_KINDS]
    administered = [line for line in services if case.is_service(line)]
    drug_billed = [line for line in lines if line.kind in BILLING_KINDS]
    if misused:
        usually = ", usually 96372" if case.drug.giving == "injection" else ""
        return [
            Finding(
                kind="drug-code-for-administration",
                summary=f"Bill the {_giving(case)} on a line of its own{usually}: "
                "a J code bills the drug",
                found=(f"{line.place} uses a drug code for the administration.",),
                basis=(seen(line, "codes", ", ".join(c.code for c in line.codes)),),
                sources=drug_sources(case, "hcpcs"),
                unchecked=text_caveat(case),
            )
            for line in misused
        ]
    elif administered and not drug_billed:
        return _service_without_drug(case, administered[0])
    elif drug_billed and not services and any(line.kind == "Claim" for line in drug_billed):
        return _drug_without_service(case, drug_billed[0])
    elif not services and not drug_billed:
        return Silent("the order bills no lines", applies=False)
    else:
        return Silent("drug and administration each have a line, or charges are still coming")


def _bills_administration(case: Case, line: OrderLine) -> bool:
    """One line with both codes, or a single drug unit whose words name the administration."""
    kinds = {
        known.kind
        for code in line.codes_of("hcpcs") + line.codes_of("cpt")
        if (known := case.codes.code(code))
    }
    if kinds >= {"drug", "administration"}:
        return True
    worded = any(_ADMINISTRATION.search(name) for name in line.names)
    one = isinstance(line.billed, Present) and line.billed.value.value == 1
    return "drug" in kinds and worded and (one or not isinstance(line.billed, Present))


def _service_without_drug(case: Case, line: OrderLine) -> Finding:
    return Finding(
        kind="administration-without-drug",
        summary=f"The {_giving(case)} is billed but not the drug: "
        f"add a {case.drug.hcpcs or 'drug'} line",
        found=(f"{line.place} bills the administration; no line bills {case.drug.name}.",),
        basis=(seen(line, "codes", ", ".join(c.code for c in line.codes)),),
        sources=drug_sources(case, "hcpcs"),
        unchecked=("Whether another supplier bills the drug.",),
    )


def _drug_without_service(case: Case, line: OrderLine) -> Finding:
    return Finding(
        kind="drug-without-administration",
        summary=f"No line bills the {_giving(case)} itself: "
        "add the administration service if given here",
        found=(f"{line.reference} bills {case.drug.name} without an administration service.",),
        basis=(seen(line, "codes", ", ".join(c.code for c in line.codes)),),
        sources=drug_sources(case, "hcpcs"),
        unchecked=("Whether the administration is billed on another claim.",),
    )


def _giving(case: Case) -> str:
    """ "injection" or "infusion"; a dose is what the drug's own line bills."""
    return "administration" if case.drug.giving == "dose" else case.drug.giving


RULE = Rule(
    id="administration_service",
    check=check,
    requires=(billing_line,),
    topic=Topic.BILLING,
    rank=150,
    warns=("drug-code-for-administration", "administration-without-drug"),
    informs=("drug-without-administration",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    hooks=ORDERS,
    record=Record(
        name="administration service",
        title="Drug and administration are two lines",
        says=(
            "The injection or infusion is billed by its own code, never by the drug's and never"
            " inside it."
        ),
        prevents="A claim on which drug and administration stand for each other.",
        denials=("administration-billed-as-drug",),
        citations=("rac", "contractor-article"),
        reads=("drug.hcpcs", "code.administration"),
    ),
)
