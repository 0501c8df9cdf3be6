"""Reviews as text a biller reads, and as JSON with the same content."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from billing_rules.model.entities import Evidence, Source, Stage
from billing_rules.model.findings import Finding, NotChecked, Outcome, Severity, Silent
from billing_rules.model.states import Present, Unknown
from billing_rules.orders.claim_lines import ClaimPlan
from billing_rules.review import OrderReview
from billing_rules.rule_records import evidence, explained, rule_heading, rule_names
from vialwise import terminal
from vialwise.checking.check import CheckResult

# ----------------------------------------------------------------------
# Reviews as text a biller reads: findings, what could not be checked, the billing plan.


_WORDS = {Severity.WARNING: "WARNING", Severity.INFO: "INFO"}
_COLORS = {Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_URGENCY = list(Severity)  # most urgent first
_GAP = "magenta"
_LABEL = 11


def show(checked: CheckResult, explain: bool) -> None:
    """Everything `vialwise check` says of the orders."""
    if not checked.reviews:
        terminal.say(checked.nothing)
    for place, review in enumerate(checked.reviews, 1):
        if place > 1:
            click.echo()
        _show_order(review, place, len(checked.reviews))
        _show_findings(review)
        _show_plan(review)
        if explain:
            _show_rules(review)
    _show_unread(checked.unread)


def _show_order(review: OrderReview, place: int, total: int) -> None:
    order = review.order
    number = f"Order {place} of {total}: " if total > 1 else ""
    given = "given" if order.stage is Stage.GIVEN else "ordered"
    terminal.heading(f"{number}{review.drug.name} ({review.drug.brand}), {_dose(review)} {given}")
    terminal.fields(
        [
            ("Date of service", str(order.date_of_service)),
            ("Order", ", ".join(order.references)),
            ("Known by", _known_by(review)),
            ("Payer", f"{review.payer.name} ({review.payer_choice.because})"),
        ],
        width=17,
    )


def _known_by(review: OrderReview) -> str:
    identity = review.order.identity
    caveat = ", its words only: the least reliable way" if identity.by == "text" else ""
    return f"{identity.by} {identity.shown(review.drug)}{caveat}"


def _dose(review: OrderReview) -> str:
    dose = review.order.dose
    if isinstance(dose, Present):
        return str(dose.value)
    return review.order.dose_as_written or "no dose"


# ---------------------------------------------------------------- findings


def _show_findings(review: OrderReview) -> None:
    click.echo()
    if not review.findings and not review.not_checked:
        terminal.say("Nothing to do.", "  ", fg="green")
    for finding in sorted(review.findings, key=lambda f: _URGENCY.index(f.severity)):
        show_finding(finding)
    for because, rules in _gaps(review.not_checked).items():
        terminal.say(f"{rules}: could not be checked, because {because}.", "  UNCHECKED  ", fg=_GAP)
    if review.not_checked or not review.findings:
        click.echo()


def _gaps(not_checked: Iterable[NotChecked]) -> dict[str, str]:
    """The rules that each reason held up, as one list a reason."""
    held_up: dict[str, list[str]] = {}
    for gap in not_checked:
        held_up.setdefault(gap.because, []).append(gap.rule)
    return {because: rule_names(rules) for because, rules in held_up.items()}


def show_finding(finding: Finding) -> None:
    """One finding: what to do, what was found, on what it rests, the remedy."""
    label = f"  {_WORDS[finding.severity]}".ljust(_LABEL + 2)
    terminal.say(finding.summary, label, fg=_COLORS[finding.severity])
    below = " " * (_LABEL + 2)
    for sentence in finding.found:
        terminal.say(sentence, below)
    for seen in finding.basis:
        terminal.say(evidence(seen), below + "Seen: ", _LABEL + 8)
    for source in dict.fromkeys(cited(source) for source in finding.sources):
        terminal.say(source, below + "From: ", _LABEL + 8, dim=True)
    for open_question in finding.unchecked:
        terminal.say(open_question, below + "Open: ", _LABEL + 8)
    if finding.correction_label:
        terminal.say(finding.correction_label, below + "Do:   ", _LABEL + 8)
    click.echo()


def cited(source: Source) -> str:
    return f"{source.title} ({source.published})"


# ---------------------------------------------------------------- the billing plan


def _show_plan(review: OrderReview) -> None:
    plan = review.plan
    terminal.heading("Billing plan", 2)
    if plan.lines:
        for line in plan.lines:
            terminal.say(str(line), "    ")
    else:
        terminal.say("No claim line can be planned.", "    ")
    for sentence in plan_reasons(review):
        terminal.say(sentence, "    ", dim=True)


def plan_reasons(review: OrderReview) -> tuple[str, ...]:
    """Why the claim lines are these."""
    plan = review.plan
    opened = ", ".join(str(counted) for counted in plan.opened)
    origin = " (computed: the order names none)" if plan.computed else ""
    sentences = (
        f"Containers: {opened}{origin}." if opened else "",
        f"Waste modifier {plan.waste.value}: {plan.because}." if plan.because else "",
        *(f"Source: {cited(source)}." for source in plan.sources),
    )
    return tuple(sentence for sentence in sentences if sentence)


# ---------------------------------------------------------------- every rule


def _show_rules(review: OrderReview) -> None:
    click.echo()
    terminal.heading("Every rule", 2)
    legend = "FOUND spoke, OPEN could not be checked, ok nothing to say, - does not apply"
    terminal.say(legend, " " * 4)
    rows = [("", "Rule", "What it saw, and why it spoke or kept silent")]
    for outcome in review.outcomes:
        word, text = explained(outcome)
        rows.append((_STATES[word], rule_heading(outcome.rule), text))
    rows += [("note", "The order", sentence) for sentence in _read_from_the_order(review)]
    terminal.columns(rows, indent=4)


_STATES = {"spoke": "FOUND", "could not check": "OPEN", "silent": "ok", "does not apply": "-"}


def _read_from_the_order(review: OrderReview) -> Iterable[str]:
    order = review.order
    states = (("dose", order.dose), ("containers", order.containers), ("supplied", order.supplied))
    for name, state in states:
        if isinstance(state, Unknown):
            yield f"The {name} could not be read: {state.because}."


def _show_unread(unread: Iterable[str]) -> None:
    unread = tuple(unread)
    if unread:
        click.echo()
        terminal.heading("Could not be read")
        terminal.points(unread)


# ----------------------------------------------------------------------
# Reviews as JSON, for programs: the same content that `vialwise check` prints.


def as_json(checked: CheckResult, invalid: Iterable[str], explain: bool) -> dict[str, Any]:
    """Everything, as one object; no key is null."""
    return {
        "orders": [_order(review, explain) for review in checked.reviews],
        "unread": list(checked.unread),
        "invalid": list(invalid),
    }


def _order(review: OrderReview, explain: bool) -> dict[str, Any]:
    order = review.order
    answer: dict[str, Any] = {
        "drug": order.drug_id,
        "stage": order.stage.value,
        "references": list(order.references),
        "dateOfService": str(order.date_of_service),
        "recognisedBy": {"by": order.identity.by, "seen": order.identity.seen},
        "payer": {"id": review.payer.id, "because": review.payer_choice.because},
        "findings": [_finding(finding) for finding in review.findings],
        "notChecked": [{"rule": n.rule, "because": n.because} for n in review.not_checked],
        "plan": _plan(review.plan),
    }
    if isinstance(order.dose, Present):
        answer["dose"] = str(order.dose.value)
    if explain:
        answer["rules"] = [_outcome(outcome) for outcome in review.outcomes]
    return answer


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "kind": finding.kind,
        "severity": finding.severity.value,
        "topic": finding.topic.value,
        "summary": finding.summary,
        "found": list(finding.found),
        "basis": [_evidence(seen) for seen in finding.basis],
        "sources": [_source(source) for source in finding.sources],
        "unchecked": list(finding.unchecked),
        "correction": finding.correction_label,
    }


def _evidence(seen: Evidence) -> dict[str, str]:
    shown = {"reference": seen.reference, "what": seen.what, "value": seen.value}
    return shown | ({"on": str(seen.on)} if seen.on else {})


def _source(source: Source) -> dict[str, str]:
    return {
        "title": source.title,
        "url": source.url,
        "published": str(source.published),
        "certainty": source.certainty,
    }


def _plan(plan: ClaimPlan) -> dict[str, Any]:
    return {
        "lines": [
            {"hcpcs": line.hcpcs, "modifiers": list(line.modifiers), "units": line.units}
            for line in plan.lines
        ],
        "waste": plan.waste.value,
        "because": plan.because,
        "containers": [
            {"ndc": c.container.ndc, "name": c.container.name, "count": c.count}
            for c in plan.opened
        ],
        "containersComputed": plan.computed,
        "sources": [_source(source) for source in plan.sources],
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Finding):
        return {"rule": outcome.rule, "outcome": "spoke", "kind": outcome.kind}
    if isinstance(outcome, NotChecked):
        return {"rule": outcome.rule, "outcome": "not checked", "because": outcome.because}
    assert isinstance(outcome, Silent)
    word = "silent" if outcome.applies else "does not apply"
    return {"rule": outcome.rule, "outcome": word, "because": outcome.because}
