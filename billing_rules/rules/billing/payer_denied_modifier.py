"""No JW line for a payer that denies them: the waste is charted, not billed."""

from __future__ import annotations

from collections.abc import Sequence

from billing_rules.evidence.documentation import payer_seen, seen, sources
from billing_rules.model.entities import OrderLine
from billing_rules.model.findings import Correction, Finding, RemoveLine, Silent, Topic
from billing_rules.model.states import Present
from billing_rules.orders.case import Case
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, payer_that_denies_jw


def check(case: Case) -> Stated:
    lines = [line for line in case.drug_lines if "JW" in line.modifiers]
    removed = tuple(c for group in case.billed_together for c in _without_jw(case, group))
    if not lines:
        return Silent(f"{case.payer.name} denies JW lines, and there is none")
    return Finding(
        kind="payer-denies-jw",
        summary="This payer denies JW lines: remove the JW line and chart the discarded amount",
        found=(f"{case.payer.name} denies lines with JW.",),
        basis=(
            *(seen(line, "modifiers", ", ".join(line.modifiers)) for line in lines),
            *payer_seen(case),
        ),
        sources=sources(case.payer.sources.get("jw")),
        corrections=removed,
        correction_label="Remove the JW line" if removed else "",
    )


def _without_jw(case: Case, group: Sequence[OrderLine]) -> tuple[Correction, ...]:
    """The JW lines of a draft claim taken out, when what stays bills the dose exactly: a claim
    whose lines are not clear is for its biller to sort."""
    jw = [line for line in group if "JW" in line.modifiers]
    stay = [line for line in group if line not in jw]
    billed = [line.billed.value.value for line in stay if isinstance(line.billed, Present)]
    clear = bool(stay) and len(billed) == len(stay) and not case.order.identity.conflict
    if not clear or sum(billed) != case.plan.administered_units:
        return ()
    if any("JZ" in line.modifiers for line in jw):
        return ()
    return tuple(RemoveLine(line.reference, line.item) for line in jw if line.item is not None)


RULE = Rule(
    id="payer_denied_modifier",
    check=check,
    requires=(payer_that_denies_jw,),
    topic=Topic.BILLING,
    rank=90,
    warns=("payer-denies-jw",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    suggests=(RemoveLine,),
    hooks=ORDERS,
    queries=("coverage",),
    record=Record(
        name="payer-denied modifier",
        title="No JW line for a payer that denies it",
        says=("Some plans deny JW lines; there the discarded amount is charted and not billed."),
        prevents="A JW line that this payer always denies.",
        denials=("modifier-use",),
        citations=("payer-manuals",),
        reads=("payer.jw",),
    ),
)
