"""Which labelled indication the order serves, and whether the chart names it well enough.

A drug claim without a diagnosis its label or the payer's policy covers is denied as not
medically necessary. Nothing on file is said only when the conditions were read completely.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.evidence.documentation import (
    criteria_sources,
    indication,
    indication_seen,
    items,
    listed,
    sources,
)
from billing_rules.model.entities import Evidence, Source
from billing_rules.model.findings import Finding, NotChecked, Outcome, Severity, Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.rule import BOOKING, ORDERS, Place, Record, Rule, Stated


def check(case: Case) -> Stated:
    choice = case.indication
    if choice.answer == "not labelled":
        return Silent(choice.because, applies=False)
    elif choice.answer == "unknown":
        return NotChecked(choice.because)
    elif choice.answer == "several":
        return Finding(
            kind="several-indications",
            summary=f"Name the reason for this order: "
            f"{len(case.indication.candidates)} are on file",
            found=(f"On file: {listed(case.indication.candidates)}.",),
            basis=indication_seen(case),
            sources=_label_sources(case),
            unchecked=("What label and payer want for the indication, until one is named.",),
        )
    elif choice.answer == "none":
        unread = _unread_reasons(case)
        return NotChecked(unread) if unread else _none(case)
    else:
        return _chosen(case)


def _chosen(case: Case) -> Iterator[Outcome]:
    choice = case.indication
    if not choice.diagnoses:
        yield Finding(
            kind="diagnosis-not-coded",
            summary="The diagnosis is written in words only: add its ICD-10-CM code",
            found=(f"Found in words, without a code: {indication(case)}.",),
            basis=indication_seen(case),
            sources=_chosen_source(case),
        )
    elif not choice.specific:
        wanted = case.criteria is not None and case.criteria.wants_severity
        who = case.payer.name if wanted else "The label"
        codes = listed(dict.fromkeys(c.code for c in case.indication.diagnoses))
        yield Finding(
            kind="unspecified-diagnosis",
            severity=Severity.WARNING if wanted else Severity.INFO,
            summary=f"Diagnosis {codes[:40]} leaves the severity or kind open: "
            "add the specific code",
            found=(f"{who} speaks of {indication(case)}; {codes} does not say as much.",),
            basis=indication_seen(case),
            sources=_chosen_source(case),
        )
    if not choice.certain:
        yield Finding(
            kind="diagnosis-not-confirmed",
            summary="The diagnosis is on file as provisional only: confirm it if it is",
            found=("No confirmed diagnosis of the indication was found.",),
            basis=indication_seen(case),
            sources=_chosen_source(case),
        )
    if choice.diagnoses and choice.specific and choice.certain:
        named = choice.indication.name if choice.indication else ""
        yield Silent(
            f"{named}, {choice.because}",
            basis=choice.evidence,
            sources=_chosen_source(case),
        )


def _unread_reasons(case: Case) -> str:
    """Why the order's own reasons could not be followed: a condition that was not among those
    read may well be the indication."""
    read = [condition.reference for condition in items(case.chart.conditions)]
    for line in case.order.lines:
        for reference in line.reason_references:
            if not any(reference.endswith(known) for known in read):
                return f"the order's reason {reference} was not among the conditions read"
    return ""


def _none(case: Case) -> Finding:
    active = [c for c in items(case.chart.conditions) if c.active and c.kind == "condition"]
    names = listed(dict.fromkeys(i.name for i in case.drug.indications))
    return Finding(
        kind="no-indication-on-file",
        summary=f"No labelled indication of {case.drug.name} is on file: add the diagnosis",
        found=(
            f"{case.indication.because.capitalize()}.",
            f"Labelled for: {names}.",
        ),
        basis=(
            *_order_reasons(case),
            Evidence("", "active conditions read", str(len(active))),
        ),
        sources=_label_sources(case),
    )


def _order_reasons(case: Case) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(line.place, "reason", f"{code.code} {code.display}".strip(), line.date_of_service)
        for line in case.order.lines
        for code in line.reasons
    )


def _label_sources(case: Case) -> tuple[Source, ...]:
    return sources(*(i.sources.get("labelled") for i in case.drug.indications))


def _chosen_source(case: Case) -> tuple[Source, ...]:
    chosen = case.indication.indication
    label = chosen.sources.get("labelled") if chosen else None
    return sources(*criteria_sources(case, "wants_severity"), label)


RULE = Rule(
    id="indication",
    check=check,
    topic=Topic.DOCUMENTATION,
    rank=10,
    warns=("no-indication-on-file", "unspecified-diagnosis"),
    informs=(
        "several-indications",
        "diagnosis-not-coded",
        "unspecified-diagnosis",
        "diagnosis-not-confirmed",
    ),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("conditions",),
    form_groups=("diagnosis", "severity"),
    record=Record(
        name="indication",
        title="The indication the order serves",
        says=(
            "The order's reason or an active condition must be a labelled indication of the drug."
        ),
        prevents="A denial as not medically necessary because no fitting diagnosis is on file.",
        denials=("medical-necessity-documentation", "diagnosis-or-test-missing"),
        citations=("label", "policies"),
        reads=("indication.labelled", "criteria.wants_severity"),
    ),
)
