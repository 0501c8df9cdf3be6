"""The waste modifier this order needs: JW, JZ, not applicable, or indeterminate.

At order time this is a plan. Neither is ever assumed: containers that are not known, or a given
dose that differs from its containers with no discarded amount charted, are asked about.
"""

from __future__ import annotations

from collections.abc import Sequence

from billing_rules.evidence.documentation import (
    containers_seen,
    discarded_seen,
    dose_amount,
    dose_seen,
    listed,
    money,
    payer_caveat,
    payer_seen,
    sentence,
    sources,
    text_caveat,
    units_word,
)
from billing_rules.model.entities import OrderLine, Stage, labelled_total
from billing_rules.model.findings import (
    AddDiscardedLine,
    Correction,
    Finding,
    NotChecked,
    Outcome,
    SetModifiers,
    Severity,
    Silent,
    Topic,
)
from billing_rules.model.states import Nothing, Present, Unknown
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import Doubt, WasteAnswer
from billing_rules.rules.rule import GIVEN, ORDERS, Place, Record, Rule, Stated


def check(case: Case) -> Stated:
    answers = {
        WasteAnswer.JW: _jw,
        WasteAnswer.JZ: _jz,
        WasteAnswer.NOT_APPLICABLE: _not_applicable,
        WasteAnswer.INDETERMINATE: _indeterminate,
    }
    return answers[case.plan.waste](case)


def _modifier_lines(case: Case) -> list[OrderLine]:
    """Lines on which a modifier must be seen: Claim items, and whatever carries one already.

    MedicationRequest, ServiceRequest and ChargeItem have no element for modifiers (R4), so that
    none is there says nothing; for them the answer stays a plan.
    """
    return [line for line in case.drug_lines if line.kind == "Claim" or line.modifiers]


def _has_waste_modifier(lines: Sequence[OrderLine]) -> bool:
    return any(m in ("JW", "JZ") for line in lines for m in line.modifiers)


def _jw(case: Case) -> Outcome:
    lines = _modifier_lines(case)
    if _has_waste_modifier(lines):
        return Silent("a waste modifier is there: judged by contradicting_modifiers")
    plan = case.plan
    if case.order.stage is Stage.GIVEN and not lines:
        return Silent(
            f"the record is complete: bill {listed(plan.lines)}",
            basis=(*dose_seen(case), *containers_seen(case), *discarded_seen(case)),
            sources=plan.sources,
        )
    corrections = _add_jw(case, lines)
    return _finding(
        case,
        kind="needs-jw" if lines else "plan-jw",
        severity=_loudness(case),
        summary=(
            f"Chart and bill {plan.discarded} discarded: {case.drug.hcpcs}-JW x "
            f"{plan.discarded_units:,} on its own line"
        ),
        found=(
            f"{_opened(case)}: the dose of {dose_amount(case)} discards {plan.discarded}, "
            f"{units_word(plan.discarded_units)}{money(case, plan.discarded_units)}.",
            "JW is paid only when the record shows the discarded amount.",
        ),
        corrections=corrections,
        label=f"Add a JW line of {units_word(plan.discarded_units)}" if corrections else "",
    )


def _add_jw(case: Case, lines: Sequence[OrderLine]) -> tuple[Correction, ...]:
    claim = [line for line in lines if line.item is not None]
    if len(claim) != 1 or case.plan.computed or case.order.identity.conflict:
        return ()
    units = case.plan.discarded_units
    return (AddDiscardedLine(claim[0].reference, claim[0].item or 0, units),)


def _jz(case: Case) -> Outcome:
    lines = _modifier_lines(case)
    if not lines:
        return Silent(
            f"bill {listed(case.plan.lines)}, because {case.plan.because}",
            basis=containers_seen(case),
            sources=case.plan.sources,
        )
    if _has_waste_modifier(lines):
        return Silent("a waste modifier is there: judged by contradicting_modifiers")
    claim = [line for line in lines if line.item is not None]
    corrections: tuple[Correction, ...] = ()
    if len(claim) == 1 and not case.plan.computed and not case.order.identity.conflict:
        corrections = (SetModifiers(claim[0].reference, claim[0].item or 0, add=("JZ",)),)
    return _finding(
        case,
        kind="needs-jz",
        severity=_loudness(case),
        summary=f"Add JZ to {case.drug.hcpcs}: nothing is discarded, and the line must say so",
        found=(f"{_opened(case)}: {case.plan.because}.",),
        corrections=corrections,
        label="Add JZ" if corrections else "",
    )


def _loudness(case: Case) -> Severity:
    """A warning where the payer requires the modifier and the order itself names the containers."""
    policy = case.payer.jw if case.plan.waste is WasteAnswer.JW else case.payer.jz
    firm = policy == "required" and not case.plan.computed
    return Severity.WARNING if firm else Severity.INFO


def _not_applicable(case: Case) -> Outcome:
    charted = not isinstance(case.order.containers, Nothing)
    if case.payer.jw == "denies" and charted and not _has_waste_modifier(case.drug_lines):
        left = _left_over(case)
        if left:
            chart_it = "" if isinstance(case.order.discarded, Present) else "; chart it"
            return _finding(
                case,
                kind="discarded-amount-not-billable",
                summary=f"Do not bill the discarded amount: this payer denies JW lines{chart_it}",
                found=(*left, f"{case.plan.because}."),
            )
    return Silent(f"not applicable: {case.plan.because}", applies=False)


def _left(case: Case) -> str:
    if not case.plan.opened or not isinstance(case.order.dose, Present):
        return ""
    left = labelled_total(case.plan.opened) - case.order.dose.value
    return str(left) if left.value > 0 else ""


# kind and what to do, by what the answer waits for
_QUESTIONS = {
    Doubt.CONTAINERS: (
        "containers-needed",
        "Name the NDC and how many containers: JW or JZ depends on them",
    ),
    Doubt.DOSE_STATUS: (
        "dose-status-not-known",
        "Check the label, single-dose or multiple-dose: JW and JZ are for single-dose only",
    ),
    Doubt.PAYER: (
        "payer-rule-not-known",
        "Ask this payer whether it wants the discarded amount on a JW line; chart it in any case",
    ),
}
_OPEN = "until then neither JW nor JZ can be billed"


def _indeterminate(case: Case) -> Outcome:
    plan = case.plan
    if plan.doubt is Doubt.CHARTING:
        return _not_charted(case)
    nothing_left = plan.doubt is Doubt.PAYER and not (plan.discarded and plan.discarded.value)
    if plan.doubt not in _QUESTIONS or nothing_left:
        return NotChecked(plan.because)
    kind, summary = _QUESTIONS[plan.doubt]
    return _finding(
        case,
        kind=kind,
        summary=summary,
        found=(*_left_over(case), sentence(plan.because)),
    )


def _not_charted(case: Case) -> Finding:
    """What the record of the dose lacks, and only that: what is charted is not asked for again,
    and what could not be read is not called missing."""
    order = case.order
    unread = any(isinstance(line.containers, Unknown) for line in order.prescriptions)
    if unread and not isinstance(order.containers, Present):
        summary = f"Check NDC and containers opened, they could not be read: {_OPEN}"
    elif not isinstance(order.containers, Present):
        summary = f"Chart the containers opened, with their NDC: {_OPEN}"
    elif isinstance(order.discarded, Present):
        summary = f"Check dose, containers and discarded amount, they do not add up: {_OPEN}"
    elif isinstance(order.discarded, Unknown):
        summary = f"Check how much was discarded, the record does not tell: {_OPEN}"
    else:
        summary = f"Chart the discarded amount: {_OPEN}"
    return _finding(
        case,
        kind="containers-not-read" if unread else "chart-discarded-amount",
        summary=summary,
        found=(sentence(case.plan.because),),
        topic=Topic.DOCUMENTATION,
    )


def _left_over(case: Case) -> tuple[str, ...]:
    left = _left(case)
    after = f"after the dose of {dose_amount(case)}"
    return (f"Of {_opened(case)}, {left} is left {after}.",) if left else ()


def _opened(case: Case) -> str:
    words = listed(case.plan.opened)
    return f"{words} (computed: the order names no containers)" if case.plan.computed else words


def _finding(
    case: Case,
    *,
    kind: str,
    summary: str,
    found: tuple[str, ...],
    severity: Severity = Severity.INFO,
    corrections: tuple[Correction, ...] = (),
    label: str = "",
    topic: Topic = Topic.BILLING,
) -> Finding:
    return Finding(
        kind=kind,
        severity=severity,
        summary=summary,
        found=found,
        basis=(*dose_seen(case), *containers_seen(case), *payer_seen(case)),
        sources=sources(*case.plan.sources),
        unchecked=(*payer_caveat(case), *text_caveat(case)),
        corrections=corrections,
        correction_label=label,
        topic=topic,
    )


RULE = Rule(
    id="waste_modifier",
    check=check,
    topic=Topic.BILLING,
    rank=100,
    warns=("needs-jw", "needs-jz", "plan-jw", "chart-discarded-amount"),
    informs=(
        "needs-jw",
        "needs-jz",
        "plan-jw",
        "discarded-amount-not-billable",
        "containers-needed",
        "dose-status-not-known",
        "payer-rule-not-known",
        "containers-not-read",
    ),
    corrected_at={Topic.BILLING: Place.CLAIM_PLAN, Topic.DOCUMENTATION: Place.CLOSE_OUT},
    suggests=(SetModifiers, AddDiscardedLine),
    hooks=(*ORDERS, *GIVEN),
    queries=("coverage", "weight", "encounter", "dispenses"),
    record=Record(
        name="waste modifier",
        title="JW or JZ, whichever the containers call for",
        says=("A single-dose drug line needs JW where a unit is discarded and JZ where none is."),
        prevents=(
            "A line returned for a missing waste modifier, or discarded drug that is not paid."
        ),
        denials=("missing-waste-modifier", "dose-lot-and-waste-record"),
        citations=("discarded-drugs", "label-amount"),
        codes=("CO-16", "N822"),
        reads=("payer.jw", "payer.jz", "container.dose_status"),
    ),
)
