"""No unclassified code where the drug has a code of its own on the date of service.

Not otherwise classified codes are only for drugs without a valid HCPCS code (AAO; CMS ASP pages).
"""

from __future__ import annotations

from billing_rules.evidence.documentation import own_code, seen, sources, text_caveat
from billing_rules.model.entities import Code, OrderLine
from billing_rules.model.findings import Finding, ReplaceCode, Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, unclassified_code


def check(case: Case) -> Stated:
    carrying = [
        (line, code)
        for line in case.order.lines
        for code in line.codes_of("hcpcs")
        if (known := case.codes.code(code)) and known.kind == "unclassified"
    ]
    right = own_code(case)
    if right is None:
        codes = ", ".join(sorted({code for _, code in carrying}))
        return Silent(f"{case.drug.name} has no code of its own: {codes} can be right")
    return [_finding(case, line, code, right) for line, code in carrying]


def _finding(case: Case, line: OrderLine, code: str, right: Code) -> Finding:
    known = case.codes.code(code)
    sure = case.order.identity.conflict is None
    return Finding(
        kind="specific-code-exists",
        summary=f"{code} is unclassified, but {case.drug.name} has its own code: use {right.code}",
        found=(
            f"{code} is for drugs without a code of their own.",
            f"{case.drug.name.capitalize()} is {right.code}, {case.drug.billing_unit} a unit.",
        ),
        basis=(seen(line, "HCPCS code", code),),
        sources=sources(case.drug.sources.get("hcpcs"), known.source if known else None),
        unchecked=text_caveat(case),
        corrections=(ReplaceCode(line.reference, line.item, Code("hcpcs", code), right),)
        if sure
        else (),
        correction_label=f"Change {code} to {right.code}" if sure else "",
    )


RULE = Rule(
    id="unclassified_code",
    check=check,
    requires=(unclassified_code,),
    topic=Topic.BILLING,
    rank=30,
    warns=("specific-code-exists",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    suggests=(ReplaceCode,),
    hooks=ORDERS,
    record=Record(
        name="unclassified code",
        title="No unclassified code where the drug has its own",
        says=(
            "Unclassified codes are only for drugs without a code of their own on the date of "
            "service."
        ),
        prevents="An unclassified line that is returned because a specific code exists.",
        denials=("wrong-code",),
        citations=("hcpcs",),
        reads=("drug.hcpcs", "drug.unclassified_codes", "code.unclassified"),
    ),
)
