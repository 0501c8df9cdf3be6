"""The HCPCS code belongs to the drug that is ordered.

J2356 is tezepelumab-ekko 1 mg, J2357 omalizumab 5 mg: neighbours that published billing pages mix
up. A wrong code is also a wrong unit, so the units are judged against the right code.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.evidence.documentation import drug_sources, own_code, seen, sources, text_caveat
from billing_rules.model.entities import Code, Evidence, OrderLine
from billing_rules.model.findings import Finding, ReplaceCode, Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, hcpcs_code

DRUG_CODE_LETTERS = ("J", "Q", "C", "S")


def check(case: Case) -> Stated:
    found: list[Finding] = []
    for line in case.order.lines:
        for code in _foreign_codes(case, line):
            right = own_code(case)
            known = case.codes.code(code)
            sure = right is not None and case.order.identity.conflict is None
            finding = Finding(
                kind=_kind(case, code),
                summary=_summary(case, code, right),
                found=(_meaning(case, code), _right(case, right)),
                basis=(seen(line, "HCPCS code", code), _identity(case, line)),
                sources=sources(case.drug.sources.get("hcpcs"), known.source if known else None),
                unchecked=text_caveat(case),
                corrections=_corrections(line, code, right) if sure else (),
                correction_label=f"Change {code} to {right.code}" if right and sure else "",
            )
            found.append(finding)
    return found or Silent(
        f"every drug code on the order is right for {case.drug.name}",
        basis=tuple(
            seen(line, "code", code) for line in case.order.lines for code in line.codes_of("hcpcs")
        ),
        sources=drug_sources(case, "hcpcs"),
    )


def _foreign_codes(case: Case, line: OrderLine) -> Iterator[str]:
    for code in dict.fromkeys(line.codes_of("hcpcs")):
        known = case.codes.code(code)
        other_kind = known is not None and known.kind != "drug"
        if code != case.drug.hcpcs and code.startswith(DRUG_CODE_LETTERS) and not other_kind:
            yield code


def _kind(case: Case, code: str) -> str:
    if case.codes.drug_ever(code) == case.drug.id:
        return "code-not-in-force"
    return "code-of-another-drug" if case.codes.code(code) else "code-not-of-this-drug"


def _summary(case: Case, code: str, right: Code | None) -> str:
    if case.codes.drug_ever(code) == case.drug.id:
        return f"{code} is not in force on the date of service: use an unclassified code"
    if case.order.identity.conflict is not None or right is None:
        return f"{code} is not the code of {case.drug.name}: correct the code or the drug"
    return f"{code} is not {case.drug.name}: change it to {right.code}"


def _meaning(case: Case, code: str) -> str:
    if case.codes.drug_ever(code) == case.drug.id:
        return f"{code} is {case.drug.name}'s code, but not on {case.order.date_of_service}."
    known = case.codes.code(code)
    if known is None:
        return f"{code} is not a code of {case.drug.name}, nor of any other drug in the catalogue."
    return f"{code} means {known.meaning}."


def _right(case: Case, right: Code | None) -> str:
    if right is None:
        codes = ", ".join(case.drug.unclassified_codes)
        return f"{case.drug.name.capitalize()} has no code of its own that day; payers use {codes}."
    return f"{case.drug.name.capitalize()} is {right.code}, {case.drug.billing_unit} a unit."


def _identity(case: Case, line: OrderLine) -> Evidence:
    identity = case.order.identity
    return seen(line, f"drug, by {identity.by}", identity.shown(case.drug))


def _corrections(line: OrderLine, code: str, right: Code | None) -> tuple[ReplaceCode, ...]:
    if right is None:
        return ()
    return (ReplaceCode(line.reference, line.item, Code("hcpcs", code), right),)


RULE = Rule(
    id="wrong_code",
    check=check,
    requires=(hcpcs_code,),
    topic=Topic.BILLING,
    rank=20,
    warns=("code-of-another-drug", "code-not-of-this-drug", "code-not-in-force"),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    suggests=(ReplaceCode,),
    hooks=ORDERS,
    record=Record(
        name="wrong code",
        title="The code is this drug's own",
        says=(
            "The HCPCS code must belong to the ordered drug; J2356 is tezepelumab, J2357 is "
            "omalizumab."
        ),
        prevents="A claim under another drug's code, paid wrongly or denied.",
        denials=("wrong-code",),
        citations=("hcpcs",),
        reads=("drug.hcpcs", "code.drug"),
    ),
)
