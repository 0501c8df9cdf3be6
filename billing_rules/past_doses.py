"""Doses of this order's drug that were given before it, and when its therapy began.

A biosimilar and its reference product are one therapy. Records of doses not given do not count,
nor does the order itself when it is an administration.
"""

from __future__ import annotations

from datetime import date

from billing_rules.case import Case
from billing_rules.dates import a_year_apart
from billing_rules.states import NOTHING, Present, State, Unknown


def dose_days(case: Case) -> State[tuple[date, ...]]:
    """The days the drug was given up to the date of service, oldest first. A dose whose date is
    not known, or one that was not read, makes the whole answer unknown: it could stand anywhere.
    """
    visits = case.history.before(case.order)
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
