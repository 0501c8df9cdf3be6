"""Research is marked with Q0 or Q1, and nothing else is.

Some published billing pages name a modifier JN for this; it does not exist (unknown_modifier says
so). Which of the two belongs on the line depends on the study, so it is asked.
"""

from __future__ import annotations

from billing_rules.evidence.documentation import items, not_sure, seen, sources
from billing_rules.model.chart import Study
from billing_rules.model.entities import Evidence, OrderLine
from billing_rules.model.findings import Finding, Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.rule import (
    BOOKING,
    ORDERS,
    RESEARCH,
    Place,
    Record,
    Rule,
    Stated,
    study_or_research_modifier,
)


def check(case: Case) -> Stated:
    carried = [(line, m) for line in case.order.lines for m in line.modifiers if m in RESEARCH]
    active = [s for s in items(case.chart.studies) if _on(case, s)]
    if active and not carried:
        return _finding(
            case,
            "study-without-modifier",
            "Is this dose part of the research study? Then Q0 or Q1 belongs on the claim line",
            "The patient takes part in a research study on this day.",
            tuple(_seen(study) for study in active),
        )
    elif carried and not active:
        return not_sure(case, "studies") or _finding(
            case,
            "modifier-without-study",
            f"Check {carried[0][1]}: no active research study of this patient is on file",
            "Q0 and Q1 say that the service is part of an approved clinical research study.",
            _lines_seen(carried),
        )
    else:
        return Silent("marked as research" if active else "no active study is on file")


def _on(case: Case, study: Study) -> bool:
    on = case.order.date_of_service
    begun = study.start is None or study.start <= on
    return study.active and begun and (study.end is None or on <= study.end)


def _seen(study: Study) -> Evidence:
    period = f"{study.start or 'start not stated'} to {study.end or 'end not stated'}"
    return Evidence(study.reference, "study", f"{study.study[:60]}, {period}", study.start)


def _lines_seen(carried: list[tuple[OrderLine, str]]) -> tuple[Evidence, ...]:
    return tuple(seen(line, "modifier", modifier) for line, modifier in carried)


def _finding(
    case: Case,
    kind: str,
    summary: str,
    found: str,
    basis: tuple[Evidence, ...],
) -> Finding:
    known = [case.codes.modifier(code) for code in RESEARCH]
    meant = tuple(f"{m.code}: {m.descriptor}." for m in known if m)
    return Finding(
        kind=kind,
        summary=summary,
        found=(found, *meant),
        basis=basis,
        sources=sources(*(m.source for m in known if m)),
    )


RULE = Rule(
    id="research_modifier",
    check=check,
    requires=(study_or_research_modifier,),
    topic=Topic.DOCUMENTATION,
    rank=180,
    warns=("modifier-without-study",),
    informs=("study-without-modifier",),
    corrected_at={Topic.BILLING: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("studies",),
    record=Record(
        name="research modifier",
        title="Research is marked with Q0 or Q1",
        says="A patient on an active study, or Q0 or Q1 without one, is pointed out.",
        prevents="A line processed under the wrong rules because research is marked wrongly.",
        denials=("modifier-use",),
        citations=("hcpcs",),
        reads=("modifier.Q0", "modifier.Q1"),
        limits=(
            ("It does not know whether a service is routine care or research; that is asked."),
        ),
    ),
)
