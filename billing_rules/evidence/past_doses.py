"""Doses of this order's drug that were given before it, and when its therapy began.

A biosimilar and its reference product are one therapy. Records of doses not given do not count,
nor does the order itself when it is an administration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from billing_rules.model.amounts import Amount
from billing_rules.model.dates import a_year_apart
from billing_rules.model.entities import Criteria, Drug, Source
from billing_rules.model.states import NOTHING, Present, State, Unknown
from billing_rules.orders.case import Case


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
