"""The labelled dosing table as a picture: bands, doses, how much that is, where the patient is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from billing_rules.evidence.pretreatment import Reading
from billing_rules.model.amounts import Amount, plain
from billing_rules.model.entities import DosingCell, DosingTable

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
class Shown:
    """One cell: its words, its shade (0: no dose) and whether it is the patient's."""

    words: str
    level: int
    is_patients: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Weight bands across, IgE bands down; the lowest bounds are inclusive."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Shown, ...]], ...]


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
) -> Shown:
    is_patients = cell is not None and cell == patients
    if cell is None or cell.dose is None or cell.interval is None:
        return Shown("no dose", 0, is_patients)
    return Shown(dose_words(cell.dose, cell.interval), shades[_a_week(cell)], is_patients)


def _a_week(cell: DosingCell) -> Decimal:
    assert cell.dose and cell.interval
    return cell.dose.to("mg").value / cell.interval.to("wk").value


def _shades(cells: Iterable[DosingCell]) -> dict[Decimal, int]:
    """The amount a week to a shade from 1 to LEVELS."""
    amounts = sorted({_a_week(c) for c in cells if c.dose and c.interval})
    last = max(len(amounts) - 1, 1)
    return {amount: 1 + place * (LEVELS - 1) // last for place, amount in enumerate(amounts)}
