"""Modifiers that the payer's contractor or the clinic itself wants on its drug lines.

JB where a contractor asks for the route, TB or JG for 340B drugs: only what a payer or site file
states. Where nothing is stated nothing is asked.
"""

from __future__ import annotations

from billing_rules.evidence.documentation import listed, payer_seen, seen, sources
from billing_rules.model.entities import OrderLine, Source, WantedModifiers
from billing_rules.model.findings import Finding, NotChecked, Outcome, SetModifiers, Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import EXEMPT_SETTINGS
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, modifiers_of_payer_or_site

MODIFIER_KINDS = ("Claim", "ChargeItem", "ServiceRequest")  # resources that can carry modifiers


def check(case: Case) -> Stated:
    wanted = _wanted(case)
    lines = [line for line in case.drug_lines if line.kind in MODIFIER_KINDS]
    not_there = [code for code in wanted if case.codes.modifier(code) is None]
    if case.setting in EXEMPT_SETTINGS:
        return Silent(EXEMPT_SETTINGS[case.setting], applies=False)
    elif not_there:
        return NotChecked(f"{listed(not_there)} is not in force on this date of service")
    elif not lines:
        return Silent(f"no claim line yet: bill with {listed(wanted)}")
    else:
        return _lacking(case, wanted, lines)


def _wanted(case: Case) -> dict[str, Source]:
    """Each wanted modifier, with who says so."""
    stated: list[WantedModifiers] = [
        said[key]
        for said in (case.payer.wanted_modifiers, case.site.wanted_modifiers)
        for key in (case.drug.hcpcs or "", "all")
        if key in said
    ]
    return {code: one.source for one in stated for code in one.codes}


def _lacking(case: Case, wanted: dict[str, Source], lines: list[OrderLine]) -> Outcome:
    lacking = [(x, [c for c in wanted if c not in x.modifiers]) for x in lines]
    lacking = [(line, codes) for line, codes in lacking if codes]
    if not lacking:
        return Silent(f"every drug line carries {listed(wanted)}")
    codes = list(dict.fromkeys(code for _, missing in lacking for code in missing))
    known = [m for code in codes if (m := case.codes.modifier(code))]
    corrections = tuple(
        SetModifiers(line.reference, line.item, add=tuple(missing))
        for line, missing in lacking
        if line.item is not None
    )
    return Finding(
        kind="wanted-modifier-missing",
        summary=f"Add {listed(codes)} to each line of {case.drug.name}: payer or site wants it",
        found=tuple(f"{m.code}: {m.descriptor}." for m in known),
        basis=(
            *(seen(line, "modifiers", listed(line.modifiers) or "none") for line, _ in lacking),
            *payer_seen(case),
        ),
        sources=sources(*(wanted[code] for code in codes), *(m.source for m in known)),
        corrections=corrections,
        correction_label=f"Add {listed(codes)}" if corrections else "",
    )


RULE = Rule(
    id="contractor_modifier",
    check=check,
    requires=(modifiers_of_payer_or_site,),
    topic=Topic.BILLING,
    rank=180,
    warns=("wanted-modifier-missing",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    suggests=(SetModifiers,),
    hooks=ORDERS,
    record=Record(
        name="contractor modifier",
        title="Modifiers a contractor or the site asks for",
        says=(
            "Modifiers that a payer or site file states, such as JB or TB, must be on each drug"
            " line."
        ),
        prevents="A line returned or repriced for a modifier this contractor wants.",
        denials=("modifier-use",),
        citations=("hcpcs",),
        reads=("payer.wanted_modifiers", "modifier.JB", "modifier.JG", "modifier.TB"),
    ),
)
