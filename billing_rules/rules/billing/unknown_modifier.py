"""Every HCPCS modifier on the order exists on the date of service.

JN, which some published billing pages describe, is no modifier; research uses Q0 and Q1. Numeric
modifiers are CPT's and are not judged here.
"""

from __future__ import annotations

from billing_rules.evidence.documentation import seen, sources
from billing_rules.model.entities import OrderLine
from billing_rules.model.findings import Finding, SetModifiers, Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, modifier


def check(case: Case) -> Stated:
    carried = [(line, m) for line in case.order.lines for m in dict.fromkeys(line.modifiers)]
    unknown = [(line, m) for line, m in carried if not m.isdigit() and not case.codes.modifier(m)]
    if not unknown:
        return Silent("every modifier on the order exists on the date of service")
    return [_finding(case, line, modifier) for line, modifier in unknown]


def _finding(case: Case, line: OrderLine, modifier: str) -> Finding:
    starts = case.codes.starts_later(modifier)
    shown = modifier[:10]
    if starts:
        summary = f"Modifier {shown} starts on {starts}: take it off this date of service"
        found: tuple[str, ...] = (f"{shown} is not in force on {case.order.date_of_service}.",)
    else:
        summary = f"{shown} is not a HCPCS modifier: remove it before the claim goes out"
        found = (f"{shown} is in no CMS Level II modifier file.", *_mixed_up(case, modifier))
    corrections: tuple[SetModifiers, ...] = ()
    if line.item is not None:
        corrections = (SetModifiers(line.reference, line.item, remove=(modifier,)),)
    jw = case.codes.modifier("JW")
    return Finding(
        kind="modifier-not-in-force" if starts else "modifier-does-not-exist",
        summary=summary,
        found=found,
        basis=(seen(line, "modifier", modifier),),
        sources=sources(jw.source if jw else None),
        corrections=corrections,
        correction_label=f"Remove modifier {shown}" if corrections else "",
    )


def _mixed_up(case: Case, modifier: str) -> tuple[str, ...]:
    if case.codes.not_a_modifier(modifier) is None:
        return ()
    return ("In an approved research study the modifiers are Q0 and Q1.",)


RULE = Rule(
    id="unknown_modifier",
    check=check,
    requires=(modifier,),
    topic=Topic.BILLING,
    rank=70,
    warns=("modifier-does-not-exist", "modifier-not-in-force"),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    suggests=(SetModifiers,),
    hooks=ORDERS,
    record=Record(
        name="unknown modifier",
        title="Every modifier exists",
        says=("A modifier must be in force on the date of service; JN never was a HCPCS modifier."),
        prevents="A line returned for an invalid modifier.",
        denials=("modifier-use",),
        citations=("hcpcs",),
        reads=("modifier.JW", "modifier.JZ"),
    ),
)
