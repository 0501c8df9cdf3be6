"""Modifiers that the payer's contractor or the clinic itself wants on its drug lines.

JB where a contractor asks for the route, TB or JG for 340B drugs: only what a payer or site file
states. Where nothing is stated nothing is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.case import Case
from billing_rules.claim_lines import EXEMPT_SETTINGS
from billing_rules.findings import Finding, NotChecked, Outcome, SetModifiers, Severity, Silent
from billing_rules.model import OrderLine, Source, WantedModifiers
from billing_rules.rules.common import listed, payer_seen, seen, sources

RULE = "contractor_modifier"
MODIFIER_KINDS = ("Claim", "ChargeItem", "ServiceRequest")  # resources that can carry modifiers


def check(case: Case) -> Iterator[Outcome]:
    wanted = _wanted(case)
    lines = [line for line in case.drug_lines() if line.kind in MODIFIER_KINDS]
    not_there = [code for code in wanted if case.codes.modifier(code) is None]
    if not wanted:
        yield Silent(RULE, "neither payer nor site states one", applies=False)
    elif case.setting in EXEMPT_SETTINGS:
        yield Silent(RULE, EXEMPT_SETTINGS[case.setting], applies=False)
    elif not_there:
        yield NotChecked(RULE, f"{listed(not_there)} is not in force on this date of service")
    elif not lines:
        yield Silent(RULE, f"no claim line yet: bill with {listed(wanted)}")
    else:
        yield from _lacking(case, wanted, lines)


def _wanted(case: Case) -> dict[str, Source]:
    """Each wanted modifier, with who says so."""
    stated: list[WantedModifiers] = [
        said[key]
        for said in (case.payer.wanted_modifiers, case.site.wanted_modifiers)
        for key in (case.drug.hcpcs or "", "all")
        if key in said
    ]
    return {code: one.source for one in stated for code in one.codes}


def _lacking(case: Case, wanted: dict[str, Source], lines: list[OrderLine]) -> Iterator[Outcome]:
    lacking = [(x, [c for c in wanted if c not in x.modifiers]) for x in lines]
    lacking = [(line, codes) for line, codes in lacking if codes]
    if not lacking:
        yield Silent(RULE, f"every drug line carries {listed(wanted)}")
        return
    codes = list(dict.fromkeys(code for _, missing in lacking for code in missing))
    known = [m for code in codes if (m := case.codes.modifier(code))]
    corrections = tuple(
        SetModifiers(line.reference, line.item, add=tuple(missing))
        for line, missing in lacking
        if line.item is not None
    )
    yield Finding(
        rule=RULE,
        kind="wanted-modifier-missing",
        severity=Severity.WARNING,
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
