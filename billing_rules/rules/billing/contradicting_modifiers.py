"""JW and JZ on the order say what dose and containers say, and do not contradict each other.

One or the other, never both, for one administration; JZ only when nothing is discarded; JW only
when a whole unit is; neither on a multiple-dose container (CMS Discarded Drugs page).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from billing_rules.evidence.documentation import (
    because,
    containers_seen,
    dose_seen,
    listed,
    payer_seen,
    seen,
    sentence,
    sources,
    units_word,
)
from billing_rules.model.entities import OrderLine, labelled_total, plain, whole_units_down
from billing_rules.model.findings import (
    AddDiscardedLine,
    Correction,
    Finding,
    NotChecked,
    Outcome,
    SetBilledUnits,
    SetModifiers,
    Silent,
    Topic,
)
from billing_rules.model.states import Present
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import Doubt, WasteAnswer
from billing_rules.rules.rule import ORDERS, WASTE, Place, Record, Rule, Stated, waste_modifier


def check(case: Case) -> Stated:
    return [_judged(case, group) for group in case.billed_together if _carried(group)]


def _carried(group: Sequence[OrderLine]) -> set[str]:
    return {m for line in group for m in line.modifiers if m in WASTE}


def _judged(case: Case, group: Sequence[OrderLine]) -> Outcome:
    carried = _carried(group)
    if carried == set(WASTE):
        return _both(case, group)
    modifier = carried.pop()
    plan = case.plan
    if plan.doubt is Doubt.DOSE:
        return _by_units_alone(case, group, modifier)
    if plan.waste is WasteAnswer.INDETERMINATE or plan.computed:
        why = "the order names no containers" if plan.computed else plan.because
        return NotChecked(f"{modifier} cannot be compared with the containers: {why}")
    if plan.waste is WasteAnswer.NOT_APPLICABLE:
        return _not_applicable(case, group, modifier)
    if plan.waste.value != modifier:
        return _jz_with_waste(case, group) if modifier == "JZ" else _jw_without(case, group)
    if modifier == "JW":
        return _discarded_units(case, group)
    return Silent(f"{modifier} is right: {plan.because}")


def _by_units_alone(case: Case, group: Sequence[OrderLine], modifier: str) -> Outcome:
    """A claim without its order: billed units and containers must still agree with each other."""
    opened, unit = case.order.containers, case.drug.billing_unit
    billed = [line.billed.value.value for line in group if isinstance(line.billed, Present)]
    if not isinstance(opened, Present) or unit is None or len(billed) != len(group):
        return NotChecked(f"{modifier} cannot be judged: {case.plan.because}")
    held = whole_units_down(labelled_total(opened.value), unit)
    if any(c.container.dose_status != "single-dose" for c in opened.value):
        return NotChecked(f"{modifier} cannot be judged: {case.plan.because}")
    total = sum(billed, Decimal(0))
    if total == held:
        return Silent(f"{modifier}: the lines bill the {held} units of the containers")
    if modifier == "JZ" and total < held:
        return _finding(
            case,
            group,
            "jz-with-discarded-amount",
            f"JZ says nothing is discarded, but the containers hold {units_word(held)}: check",
            (f"{listed(opened.value)} hold {units_word(held)}; {plain(total)} are billed.",),
        )
    return _finding(
        case,
        group,
        "units-differ-from-containers",
        f"The lines should bill the {units_word(held)} the containers hold: check dose and waste",
        (f"{listed(opened.value)} hold {units_word(held)}; {plain(total)} are billed.",),
    )


def _both(case: Case, group: Sequence[OrderLine]) -> Finding:
    keep = case.plan.waste.value if not case.plan.computed else ""
    advice = f"keep {keep}" if keep in WASTE else "keep one"
    corrections: tuple[Correction, ...] = ()
    if keep == "JW":
        corrections = tuple(
            SetModifiers(line.reference, line.item, remove=("JZ",))
            for line in group
            if "JZ" in line.modifiers and line.item is not None
        )
    return _finding(
        case,
        group,
        "jw-with-jz",
        f"JW and JZ exclude each other on one dose: {advice}",
        (f"The order carries both JW and JZ; {case.plan.because}.",),
        corrections,
        "Remove JZ" if corrections else "",
    )


def _jz_with_waste(case: Case, group: Sequence[OrderLine]) -> Finding:
    units = case.plan.discarded_units
    line = next(one for one in group if "JZ" in one.modifiers)
    corrections: tuple[Correction, ...] = ()
    if line.item is not None and len(group) == 1 and not case.order.identity.conflict:
        corrections = (
            SetModifiers(line.reference, line.item, remove=("JZ",)),
            AddDiscardedLine(line.reference, line.item, units),
        )
    return _finding(
        case,
        group,
        "jz-with-discarded-amount",
        f"JZ says nothing is discarded, but {case.plan.discarded} is: bill {units_word(units)} JW",
        (sentence(case.plan.because),),
        corrections,
        f"Replace JZ by a JW line of {units_word(units)}" if corrections else "",
    )


def _jw_without(case: Case, group: Sequence[OrderLine]) -> Finding:
    return _finding(
        case,
        group,
        "jw-without-discarded-amount",
        "JW bills a discarded amount, but no whole unit is discarded: use JZ",
        (sentence(case.plan.because),),
    )


def _not_applicable(case: Case, group: Sequence[OrderLine], modifier: str) -> Outcome:
    several = any(c.container.dose_status == "multiple-dose" for c in case.plan.opened)
    if case.payer.jw == "denies" and not several:
        return Silent(f"{case.payer.name} denies JW: judged by that rule", applies=False)
    if "not yet" in (case.payer.jw, case.payer.jz) and not several:
        return Silent(f"{modifier} is not asked for yet: {case.plan.because}", applies=False)
    return _finding(
        case,
        group,
        "modifier-on-multiple-dose-container" if several else "waste-modifier-not-applicable",
        f"{modifier} does not apply here: take it off",
        (sentence(case.plan.because),),
        tuple(
            SetModifiers(line.reference, line.item, remove=(modifier,))
            for line in group
            if modifier == "JZ" and modifier in line.modifiers and line.item is not None
        ),
        f"Remove {modifier}",
    )


def _discarded_units(case: Case, group: Sequence[OrderLine]) -> Outcome:
    """The JW line bills exactly the discarded whole units."""
    lines = [line for line in group if "JW" in line.modifiers]
    right = case.plan.discarded_units
    billed = [line.billed.value.value for line in lines if isinstance(line.billed, Present)]
    if len(billed) != len(lines):
        unsaid = next(line.billed for line in lines if not isinstance(line.billed, Present))
        return NotChecked(because(unsaid, "the JW line states no units"))
    if sum(billed) == right:
        return Silent(f"JW is right: {case.plan.because}")
    fix = len(lines) == 1 and not case.order.identity.conflict
    return _finding(
        case,
        group,
        "discarded-units-differ",
        f"Bill {units_word(right)} on the JW line: {case.plan.discarded} is discarded",
        (sentence(case.plan.because),),
        (SetBilledUnits(lines[0].reference, lines[0].item, right),) if fix else (),
        f"Set {units_word(right)} on the JW line" if fix else "",
    )


def _finding(
    case: Case,
    group: Sequence[OrderLine],
    kind: str,
    summary: str,
    found: tuple[str, ...],
    corrections: tuple[Correction, ...] = (),
    label: str = "",
) -> Finding:
    return Finding(
        kind=kind,
        summary=summary,
        found=found,
        basis=(
            *(
                seen(line, "modifiers", ", ".join(line.modifiers))
                for line in group
                if line.modifiers
            ),
            *dose_seen(case),
            *containers_seen(case),
            *payer_seen(case),
        ),
        sources=sources(*case.plan.sources, case.payer.sources.get("jw")),
        corrections=corrections,
        correction_label=label if corrections else "",
    )


RULE = Rule(
    id="contradicting_modifiers",
    check=check,
    requires=(waste_modifier,),
    topic=Topic.BILLING,
    rank=80,
    warns=(
        "jw-with-jz",
        "jz-with-discarded-amount",
        "jw-without-discarded-amount",
        "units-differ-from-containers",
        "discarded-units-differ",
        "modifier-on-multiple-dose-container",
        "waste-modifier-not-applicable",
    ),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    suggests=(SetModifiers, SetBilledUnits, AddDiscardedLine),
    hooks=ORDERS,
    record=Record(
        name="contradicting modifiers",
        title="JW and JZ say what containers and dose say",
        says=(
            "JW only where a whole unit is discarded, JZ only where none is, never both on one "
            "line."
        ),
        prevents="A waste modifier that the record contradicts.",
        denials=("missing-waste-modifier", "modifier-use"),
        citations=("discarded-drugs",),
        codes=("CO-16", "N823"),
        reads=("payer.jw", "payer.jz", "container.dose_status"),
    ),
)
