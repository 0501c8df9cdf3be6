"""The dosing picture: the labelled table, the patient's values in it, and the ordered dose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from flask import Blueprint

from billing_rules.evidence.documentation import dated
from billing_rules.evidence.pretreatment import (
    TOTAL_IGE,
    Labelled,
    Reading,
    age_at_start,
    baseline_total_ige,
    current_weight,
    labelled_now,
    table_for,
    weights_by,
)
from billing_rules.model.entities import Amount, DosingCell, DosingTable, plain
from billing_rules.model.states import Present, State, Unknown
from billing_rules.orders.case import Case
from smart_app.chart.requirements import requirements
from smart_app.screens.order_page import no_order, open_order, page

# ----------------------------------------------------------------------
# The labelled dosing table as a picture: bands, doses, how much that is, where the patient is.


LEVELS = 5  # shades, besides none

# Why a result that could be total IgE counts for the dose, or does not.
WHY: dict[Reading, str] = {
    "usable": "counts: drawn before treatment",
    "comparator": "from before treatment, but not an exact value",
    "other unit": "does not count: its unit cannot be compared with IU/mL",
    "preliminary": "does not count: preliminary",
    "on treatment": "does not count: drawn on treatment or within a year of it, when IgE is raised",
    "before the last course": "does not count: a year or more without a dose calls for a new one",
    "not told apart": "does not count: its code and words disagree on what was measured",
    "undated": "does not count: without a date it cannot be told from one on treatment",
}


@dataclass(frozen=True, slots=True)
class TableCell:
    """One cell: its words, its shade (0: no dose) and whether it is the patient's."""

    words: str
    level: int
    is_patients: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Weight bands across, IgE bands down; the lowest bounds are inclusive."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[TableCell, ...]], ...]


def picture(table: DosingTable, patients: DosingCell | None) -> Picture:
    """The table with the patient's cell marked."""
    weights = sorted({(c.weight_over, c.weight_to) for c in table.cells})
    bands = sorted({(c.ige_over, c.ige_to) for c in table.cells})
    cells = {(c.ige_over, c.ige_to, c.weight_over, c.weight_to): c for c in table.cells}
    shades = _shades(table.cells)
    rows = tuple(
        (
            _band(ige, bands),
            tuple(_shown(cells.get((*ige, *weight)), shades, patients) for weight in weights),
        )
        for ige in bands
    )
    return Picture(tuple(_band(weight, weights) for weight in weights), rows)


def dose_words(dose: Amount, interval: Amount) -> str:
    return f"{dose} every {interval}"


def _band(band: tuple[Decimal, Decimal], bands: list[tuple[Decimal, Decimal]]) -> str:
    words = f"{plain(band[0])} to {plain(band[1])}"
    return words if band == bands[0] else f"over {words}"


def _shown(
    cell: DosingCell | None, shades: dict[Decimal, int], patients: DosingCell | None
) -> TableCell:
    is_patients = cell is not None and cell == patients
    if cell is None or cell.dose is None or cell.interval is None:
        return TableCell("no dose", 0, is_patients)
    return TableCell(dose_words(cell.dose, cell.interval), shades[_a_week(cell)], is_patients)


def _a_week(cell: DosingCell) -> Decimal:
    assert cell.dose and cell.interval
    return cell.dose.to("mg").value / cell.interval.to("wk").value


def _shades(cells: Iterable[DosingCell]) -> dict[Decimal, int]:
    """The amount a week to a shade from 1 to LEVELS."""
    amounts = sorted({_a_week(c) for c in cells if c.dose and c.interval})
    last = max(len(amounts) - 1, 1)
    return {amount: 1 + place * (LEVELS - 1) // last for place, amount in enumerate(amounts)}


# ----------------------------------------------------------------------
# The dosing picture: the labelled table, the patient's values in it, and the ordered dose.


def blueprint() -> Blueprint:
    made = Blueprint("dosing", __name__)
    made.add_url_rule("/dosing", view_func=show, endpoint="show")
    return made


def show() -> str:
    at = open_order()
    if at.order is None:
        return no_order(at)
    case = at.order.case
    age, labelled = age_at_start(case), labelled_now(case)
    table = table_for(case, age.value) if isinstance(age, Present) else None
    found = labelled.value if isinstance(labelled, Present) else None
    baseline = baseline_total_ige(case)
    return page(
        "dosing.html",
        at,
        case=case,
        indication=case.indication,
        table=table,
        picture=picture(table, found.cell if found else None) if table else None,
        sentence=sentence(case, table, labelled),
        results=baseline.value.results if isinstance(baseline, Present) else (),
        counted=baseline.value.value if isinstance(baseline, Present) else None,
        no_results=_because(baseline),
        ige_wanted=table is not None or case.need(TOTAL_IGE) is not None,
        why=WHY,
        weights=weights_by(case, case.order.date_of_service)[:5],
        no_weight=_because(current_weight(case)),
        fixed=_fixed(case),
        point=next(r for r in requirements(at.order.review) if r.rule == "labelled_dose"),
    )


def sentence(case: Case, table: DosingTable | None, labelled: State[Labelled]) -> str:
    """The picture in words, for those who cannot see it or would rather read."""
    ordered = _ordered(case)
    if isinstance(labelled, Unknown):
        return f"Where the patient stands in a dosing table cannot be told: {labelled.because}."
    if table is None or not isinstance(labelled, Present):
        return f"No dosing table by total IgE and weight applies here. Ordered is {ordered}."
    found = labelled.value
    ige, weight = found.ige, found.weight
    values = (
        f"Total IgE {ige.as_written} {dated(ige.on)} and weight {weight.as_written} "
        f"{dated(weight.on)}"
    )
    if found.dose is None:
        return f"{values} have no labelled dose in this table. Ordered is {ordered}."
    words = dose_words(*found.dose)
    agrees = "the same" if words == ordered else "not the same"
    return f"{values} lead to {words}. Ordered is {ordered}: {agrees}."


def _ordered(case: Case) -> str:
    if not isinstance(case.order.dose, Present):
        return "no dose that could be read"
    intervals = [
        p.interval.value for p in case.order.prescriptions if isinstance(p.interval, Present)
    ]
    dose = case.order.dose.value
    if not intervals:
        return f"{dose} without an interval"
    weeks = intervals[0].to("d").value % 7 == 0
    return dose_words(dose, intervals[0].to("wk") if weeks else intervals[0])


def _fixed(case: Case) -> tuple[str, ...]:
    """The labelled doses that depend on neither IgE nor weight, or on weight alone."""
    chosen = case.indication.indication
    if case.drug.labelled_dose_per_weight:
        return (str(case.drug.labelled_dose_per_weight),)
    if chosen and chosen.tables:
        return ()
    return tuple(map(str, (chosen.doses if chosen else ()) or case.drug.labelled_doses))


def _because(state: State[object]) -> str:
    if isinstance(state, Unknown):
        return f"Could not be checked, because {state.because}."
    return "" if isinstance(state, Present) else "None is on file."
