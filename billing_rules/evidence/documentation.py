"""What several rules say in the same words: evidence of an order line, plain lists, reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

from billing_rules.model.chart import NOT_ASKED, Measured, Problem
from billing_rules.model.entities import (
    Amount,
    Code,
    ContainerCount,
    Criteria,
    Drug,
    Evidence,
    Need,
    OrderLine,
    Source,
)
from billing_rules.model.findings import NotChecked, Silent
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown, a_year_apart
from billing_rules.orders.case import Case

T = TypeVar("T")
FROM_TEXT = "The drug was recognised from the order's words only, the least reliable way."


def seen(line: OrderLine, what: str, value: object) -> Evidence:
    """Evidence from an order line."""
    return Evidence(line.place, what, str(value), line.date_of_service)


def told(state: State[T], what: str, words: Callable[[T], str] = str) -> str:
    """The value in words, "no lot" when there is none, "lot not readable" when nobody knows."""
    if isinstance(state, Present):
        return words(state.value)
    return f"no {what}" if isinstance(state, Nothing) else f"{what} not readable"


def dose_seen(case: Case) -> tuple[Evidence, ...]:
    """The dose as each prescription wrote it, and the weight it was worked out with."""
    doses = tuple(
        seen(line, "dose", line.dose.value)
        for line in case.order.prescriptions
        if isinstance(line.dose, Present)
    )
    return doses + (_weight_seen(case) if any("/kg" in d.value for d in doses) else ())


def _weight_seen(case: Case) -> tuple[Evidence, ...]:
    if not isinstance(case.chart.weights, Present):
        return ()
    latest = case.chart.weights.value[0]
    return (Evidence(latest.reference, "weight", latest.as_written, latest.on),)


def dose_amount(case: Case) -> str:
    """The dose in mg, or "unknown amount"."""
    return str(case.order.dose.value) if isinstance(case.order.dose, Present) else "unknown amount"


def containers_seen(case: Case) -> tuple[Evidence, ...]:
    """The containers opened, where they are stated or how they were computed."""
    if not case.plan.opened:
        return ()
    what = "containers, computed" if case.plan.computed else "containers"
    reference = "" if case.plan.computed else case.order.references[0]
    return (Evidence(reference, what, listed(case.plan.opened)),)


def discarded_seen(case: Case) -> tuple[Evidence, ...]:
    """The records of the discarded amount: what an auditor asks for first."""
    return tuple(
        seen(line, "discarded amount", line.discarded.value)
        for line in (*case.order.prescriptions, *case.order.wasted)
        if isinstance(line.discarded, Present)
    )


def billed_seen(lines: Iterable[OrderLine]) -> tuple[Evidence, ...]:
    """The billed units of those lines that state any."""
    return tuple(
        seen(line, "billed units", line.billed.value)
        for line in lines
        if isinstance(line.billed, Present)
    )


def payer_seen(case: Case) -> tuple[Evidence, ...]:
    """The coverage the payer was recognised from."""
    return case.payer_choice.evidence


def listed(items: Iterable[object]) -> str:
    """ "a, b and c"."""
    words = [str(item) for item in items]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1] if words else ""]))


def capital(text: str) -> str:
    """The text with its first letter large; str.capitalize would lower the others."""
    return text[:1].upper() + text[1:]


def sentence(clause: str) -> str:
    """A clause, as a reason is stated, as a sentence of its own."""
    return f"{capital(clause)}."


def sources(*candidates: Source | None) -> tuple[Source, ...]:
    """The sources that there are, each once."""
    return tuple(dict.fromkeys(s for s in candidates if s is not None))


def drug_sources(case: Case, *values: str) -> tuple[Source, ...]:
    """The sources of these values of the drug."""
    return sources(*(case.drug.sources.get(value) for value in values))


def criteria_sources(case: Case, *values: str) -> tuple[Source, ...]:
    """The sources of these values of what the payer wants for the drug and indication."""
    stated = case.criteria.sources if case.criteria else {}
    return sources(*(stated.get(value) for value in values))


def items(state: State[tuple[T, ...]]) -> tuple[T, ...]:
    """What is there; none where there is nothing, or where nobody knows."""
    return state.value if isinstance(state, Present) else ()


def because(state: State[object], nothing: str) -> str:
    """Why a state has no value; `nothing` is what to say when there simply was none."""
    if isinstance(state, Unknown):
        return state.because
    assert isinstance(state, Nothing)
    return nothing


def text_caveat(case: Case) -> tuple[str, ...]:
    """What the card must admit when only words said which drug it is."""
    agreed = any(case.drug.hcpcs in line.codes_of("hcpcs") for line in case.order.lines)
    return (FROM_TEXT,) if case.order.identity.by == "text" and not agreed else ()


def payer_caveat(case: Case) -> tuple[str, ...]:
    """What the card must admit when no payer's rules could be applied."""
    if case.payer.known:
        return ()
    return (f"Payer rules were not applied: {case.payer_choice.because}.",)


def own_code(case: Case) -> Code | None:
    """The drug's own HCPCS code in force, as a coding to write."""
    if case.drug.hcpcs is None:
        return None
    known = case.codes.code(case.drug.hcpcs)
    return Code("hcpcs", case.drug.hcpcs, known.meaning if known else case.drug.name)


def money(case: Case, units: int) -> str:
    """ " (about $627.35)" for `units` when the site configured a price of the code, else ""."""
    price = case.site.prices.get(case.drug.hcpcs or "")
    if price is None or units <= 0:
        return ""
    return f" (about ${(price * units).quantize(Decimal('0.01'), ROUND_HALF_UP):,})"


def labelled(opened: Sequence[ContainerCount]) -> Decimal:
    """The labelled milligrams of `opened`."""
    return sum((c.labelled.to("mg").value for c in opened), Decimal(0))


def units_word(count: int) -> str:
    return f"{count:,} unit" if count == 1 else f"{count:,} units"


# ----------------------------------------------------------------------
# Doses of this order's drug that were given before it, and when its therapy began.
#
# A biosimilar and its reference product are one therapy. Records of doses not given do not count,
# nor does the order itself when it is an administration.


def dose_days(case: Case) -> State[tuple[date, ...]]:
    """The days the drug was given up to the date of service, oldest first. A dose whose date is
    not known, or one that was not read, makes the whole answer unknown: it could stand anywhere.
    """
    visits = case.past_visits
    if not isinstance(visits, Present):
        return visits
    if gap := case.chart.why_not("administrations"):
        return Unknown(gap)
    if any(_same_therapy(drug_id, case) for drug_id in case.history.undated):
        return Unknown(f"a past dose of {case.drug.name} has no date")
    days = {v.date_of_service for v in visits.value if _same_therapy(v.drug_id, case)}
    return Present(tuple(sorted(days))) if days else NOTHING


def start_of_therapy(case: Case) -> State[date]:
    """The first dose on file, else the date of service; unknown when doses could not be read."""
    days = case.once(dose_days)
    if isinstance(days, Unknown):
        return days
    return Present(days.value[0] if isinstance(days, Present) else case.order.date_of_service)


def last_of_earlier_course(days: tuple[date, ...], on: date) -> date | None:
    """The last dose before the course that `on` belongs to; None when there was no earlier one.

    A year or more without a dose ends a course: the label then wants total IgE tested again.
    """
    later = on
    for day in sorted(days, reverse=True):
        if a_year_apart(day, later):
            return day
        later = day
    return None


def _same_therapy(drug_id: str, case: Case) -> bool:
    other = case.history.drugs[drug_id]
    return (other.biosimilar_of or other.id) == (case.drug.biosimilar_of or case.drug.id)


# ----------------------------------------------------------------------
# How often a drug is given, and which payer criteria an order stands under.


def planned_interval(case: Case) -> int | None:
    """The days between two doses that the order states, else the shortest labelled ones."""
    stated = [line.interval for line in case.order.prescriptions]
    days = _in_days(s.value for s in stated if isinstance(s, Present))
    if days:
        return min(days)
    chosen = case.indication.indication
    labelled = chosen.intervals if chosen and chosen.intervals else case.drug.intervals
    return min(_in_days(labelled), default=None)


def interval_source(case: Case) -> Source | None:
    """Where the labelled interval stands."""
    chosen = case.indication.indication
    if chosen and chosen.intervals and "intervals" in chosen.sources:
        return chosen.sources["intervals"]
    return case.drug.sources.get("intervals")


def longest_interval(drug: Drug) -> int | None:
    """The longest labelled days between two doses: how long one dose is meant to last."""
    return max(_in_days(drug.intervals), default=None)


def payer_criteria(case: Case) -> State[Criteria]:
    """What the payer wants for this order: none when it states nothing for the drug or the
    indication, unknown when it does but the indication could not be told."""
    if not any(drug_id == case.drug.id for drug_id, _ in case.payer.criteria):
        return NOTHING
    if case.indication.indication is None:
        return Unknown(f"the indication is not known: {case.indication.because}")
    return Present(case.criteria) if case.criteria else NOTHING


def no_criteria(case: Case) -> str:
    """Why there is nothing to compare with."""
    if not case.payer.known:
        return f"payer rules were not applied: {case.payer_choice.because}"
    return f"nothing of the kind is known of {case.payer.name} for this drug and indication"


def _in_days(amounts: Iterable[Amount]) -> list[int]:
    return [int(a.to("d").value) for a in amounts if a.is_a("time")]


# ----------------------------------------------------------------------
# What the documentation rules share: whether a rule applies, and what it saw in the chart.


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
