"""What the documentation rules share: whether a rule applies, and what it saw in the chart."""

from __future__ import annotations

from datetime import date

from billing_rules.model.chart import NOT_ASKED, Measured, Problem
from billing_rules.model.entities import Evidence, Need, Source
from billing_rules.model.findings import NotChecked, Silent
from billing_rules.model.states import Present
from billing_rules.orders.case import Case

YEAR = 365


def without_need(case: Case, what: str) -> Silent | NotChecked | None:
    """Why a rule on one need has nothing to look at; None when label or payer wants it here."""
    return without_indication(case) or (
        None
        if case.need(what)
        else Silent(f"neither label nor payer wants it for {indication(case)}", applies=False)
    )


def without_indication(case: Case) -> Silent | NotChecked | None:
    """Why a rule that depends on the indication cannot look; None when one was chosen."""
    choice = case.indication
    if choice.answer == "chosen":
        return None
    if choice.answer == "not labelled":
        return Silent(choice.because, applies=False)
    if choice.answer == "none":
        return Silent(f"{choice.because}: that is asked first", applies=False)
    return NotChecked(f"the indication is not known: {choice.because}")


def not_sure(case: Case, *parts: str) -> NotChecked | None:
    """Why a rule may not call missing what it did not find in these parts of the chart; None when
    all of them were read completely."""
    reasons = [f"{part}: {why}" for part in parts if (why := case.chart.why_not(part))]
    return NotChecked("; ".join(reasons)) if reasons else None


def only_coded(case: Case, part: str) -> tuple[str, ...]:
    """What a finding must admit when only certain codes of a part were asked for."""
    if part not in case.chart.asked_by_code:
        return ()
    return ("Only results with standard (LOINC) codes were asked for; others were not seen.",)


def form_unread(case: Case) -> tuple[str, ...]:
    """What a finding that something is missing must admit: where Vialwise's own form could not be
    read, it may have been entered there. The chart's own records decide all the same, since many
    an EHR keeps no forms (docs/decisions.md)."""
    if case.chart.answers == NOT_ASKED:
        return ()
    gap = case.chart.why_not("answers")
    return (f"What was entered in Vialwise's form: {gap}.",) if gap else ()


def entered(day: date | None) -> str:
    """What is put behind the name of evidence that only Vialwise's form holds; "" else."""
    return f", entered in Vialwise's form on {day}" if day else ""


def indication(case: Case) -> str:
    chosen = case.indication.indication
    return chosen.name if chosen else "this order"


def indication_seen(case: Case) -> tuple[Evidence, ...]:
    """The diagnosis the indication was recognised by."""
    return case.indication.evidence


def wanted_by(case: Case, need: Need) -> str:
    """ "the payer" or "the label": who wants it."""
    payer = case.criteria.needs if case.criteria else ()
    return case.payer.name if need in payer else "the label"


def need_sources(need: Need | None) -> tuple[Source, ...]:
    return (need.source,) if need else ()


def measured_seen(found: Measured, what: str = "") -> Evidence:
    """A measurement as a finding shows it: as it was written, with its date."""
    name = f"{what or found.text or 'result'}{entered(found.entered_on)}"
    return Evidence(found.reference, name, found.as_written, found.on)


def problem_seen(found: Problem) -> Evidence:
    said = found.text or next((c.display for c in found.codes if c.display), "")
    codes = ", ".join(dict.fromkeys(c.code for c in found.codes if c.code))
    return Evidence(found.reference, found.kind, f"{codes} {said}".strip(), found.on)


def birth_seen(case: Case) -> tuple[Evidence, ...]:
    birth = case.chart.birth_date
    if not isinstance(birth, Present):
        return ()
    return (Evidence("Patient", "birth date", str(birth.value)),)


def dated(day: date | None) -> str:
    """ "of 2026-01-10", or that it has no date."""
    return f"of {day}" if day else "without a date"
