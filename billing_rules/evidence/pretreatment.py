"""What the labelled dose rests on: total IgE before treatment, weight, age at start, the table.

Total IgE rises on treatment and stays up for a year after it (label), so only values drawn before
a course of treatment count. Nothing is converted that is not exactly convertible: ng/mL is asked
about, and an allergen-specific IgE is never taken for the total.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from billing_rules.evidence.documentation import dose_days, last_of_earlier_course, start_of_therapy
from billing_rules.model.chart import Measured
from billing_rules.model.entities import Amount, DosingCell, DosingTable, Source, plain
from billing_rules.model.states import (
    Nothing,
    Present,
    State,
    Unknown,
    a_year_apart,
    age_on,
    days_between,
)
from billing_rules.orders.case import Case

TOTAL_IGE = "total_ige"

# ---------------------------------------------------------------- age and table


def age_at_start(case: Case) -> State[int]:
    """Completed years at the first dose on file; on the date of service when there is none."""
    birth, start = case.chart.birth_date, start_of_therapy(case)
    if not isinstance(birth, Present):
        return birth
    if isinstance(start, Unknown):
        return Unknown(f"the start of therapy is not known: {start.because}")
    assert isinstance(start, Present)
    return Present(age_on(birth.value, start.value))


def table_for(case: Case, age: int) -> DosingTable | None:
    """The indication's dosing table for an age at start of therapy."""
    chosen = case.indication.indication
    for table in chosen.tables if chosen else ():
        if table.age_from <= age and (table.age_below is None or age < table.age_below):
            return table
    return None


class IgeWindow(msgspec.Struct, frozen=True):
    """The total IgE (IU/mL) a dose is labelled for. `firm`: seen in the label itself."""

    lowest: Decimal | None
    highest: Decimal | None
    firm: bool
    name: str
    source: Source | None

    def __str__(self) -> str:
        if self.lowest is None or self.highest is None:
            bound, word = (self.lowest, "from") if self.highest is None else (self.highest, "up to")
            return f"{word} {plain(bound or Decimal(0))} IU/mL"
        return f"{plain(self.lowest)} to {plain(self.highest)} IU/mL"


def ige_window(case: Case) -> IgeWindow | None:
    """The window of the dosing table for the age at start, else the indication's own; None when
    neither states one."""
    age = age_at_start(case)
    table = table_for(case, age.value) if isinstance(age, Present) else None
    if table:
        lowest, highest = (min(c.ige_over for c in table.cells), max(c.ige_to for c in table.cells))
        return IgeWindow(lowest, highest, table.verified, table.name, table.source)
    chosen = case.indication.indication
    if chosen is None or (chosen.ige_from is None and chosen.ige_to is None):
        return None
    source = chosen.sources.get("total_ige")
    return IgeWindow(chosen.ige_from, chosen.ige_to, False, chosen.name, source)


# ---------------------------------------------------------------- total IgE

Reading = Literal[
    "usable",
    "comparator",
    "other unit",
    "preliminary",
    "on treatment",
    "before the last course",
    "not told apart",
    "undated",
]


class IgeResult(msgspec.Struct, frozen=True):
    """A result that could be total IgE, and what it can be used for."""

    result: Measured
    reading: Reading


class Baseline(msgspec.Struct, frozen=True):
    """The pre-treatment total IgE: the newest comparable value, if any, and what else was seen.

    `doses` is unknown when it cannot be told whether a value was drawn before the first dose.
    """

    value: Measured | None
    results: tuple[IgeResult, ...]
    doses: State[tuple[date, ...]]

    def of(self, reading: Reading) -> tuple[Measured, ...]:
        return tuple(r.result for r in self.results if r.reading == reading)


def baseline_total_ige(case: Case) -> State[Baseline]:
    """The chart's total IgE results judged; none when there are none at all."""
    results = case.chart.results
    if not isinstance(results, Present):
        return results
    if TOTAL_IGE not in case.terms.observations:
        return Unknown("the catalogue does not say which results are total IgE")
    doses = case.once(dose_days)
    judged = _judged(results.value, case, doses)
    if not judged:
        return Nothing()
    newest = sorted(judged, key=_newest_first)
    usable = next((r.result for r in newest if r.reading in ("usable", "comparator")), None)
    return Present(Baseline(usable, tuple(newest), doses))


def _judged(
    results: Iterable[Measured], case: Case, doses: State[tuple[date, ...]]
) -> list[IgeResult]:
    on = case.order.date_of_service
    past = [r for r in results if r.on is None or r.on <= on]
    kinds = [(r, case.terms.is_kind(r, TOTAL_IGE)) for r in past]
    return [
        IgeResult(r, _reading(r, doses, on) if kind == "yes" else "not told apart")
        for r, kind in kinds
        if kind != "no"
    ]


def _reading(result: Measured, doses: State[tuple[date, ...]], on: date) -> Reading:
    if not result.final:
        return "preliminary"
    if result.value is None or not result.value.is_a("IgE concentration"):
        return "other unit"
    timing = _timing(result.on, doses.value, on) if isinstance(doses, Present) else "usable"
    if timing == "usable" and result.comparator:
        return "comparator"
    return timing


def _timing(drawn: date | None, doses: tuple[date, ...], on: date) -> Reading:
    """Where a value stands among the doses. One drawn on the day of a first dose counts: blood
    is drawn before the injection."""
    if drawn is None:
        return "undated"
    before = [day for day in doses if day < drawn]
    if before and not a_year_apart(before[-1], drawn):
        return "on treatment"
    ended = last_of_earlier_course(doses, on)
    if ended and drawn <= ended:
        return "before the last course"
    return "usable"


def _newest_first(judged: IgeResult) -> tuple[int, bool]:
    """By date, undated last; of one day the exact value before one with a comparator."""
    day = judged.result.on
    return (-day.toordinal() if day else 0, bool(judged.result.comparator))


# ---------------------------------------------------------------- weight


def weights_by(case: Case, on: date) -> tuple[Measured, ...]:
    """The readable weights up to `on`, newest first; undated ones last."""
    weights = case.chart.weights.value if isinstance(case.chart.weights, Present) else ()
    usable = [w for w in weights if w.value and w.value.is_a("mass") and w.value.value > 0]
    past = [w for w in usable if w.on is None or w.on <= on]
    return tuple(sorted(past, key=lambda w: -w.on.toordinal() if w.on else 0))


def kilograms(weight: Measured) -> Amount:
    """A readable weight in kg, exactly."""
    assert weight.value is not None
    return weight.value.to("kg")


def current_weight(case: Case) -> State[Measured]:
    """The newest readable weight up to the date of service."""
    if not isinstance(case.chart.weights, Present):
        return case.chart.weights
    found = weights_by(case, case.order.date_of_service)
    return Present(found[0]) if found else Unknown("no weight on file could be read")


HEAVIEST_KG = Decimal(227)  # 500 lb: above it, pounds entered as kilograms are the likelier story
LIGHTEST_KG = Decimal(2)
# Pounds for kilograms is a factor of 2.2; the bounds leave room for a real change beside it.
_UNIT_MIX_FROM, _UNIT_MIX_TO = Decimal("1.9"), Decimal("2.5")
_GROWN_UP, _GROWTH_DAYS = 18, 365


def doubtful_weight(case: Case) -> tuple[Measured, ...]:
    """The newest weight when it cannot well be right, with the earlier one it does not fit to."""
    found = weights_by(case, case.order.date_of_service)
    if not found:
        return ()
    newest = found[0]
    value = kilograms(newest).value
    if not LIGHTEST_KG <= value <= HEAVIEST_KG:
        return (newest,)
    jump = (w for w in found[1:] if _mixed_units(value, kilograms(w).value))
    other = next((w for w in jump if _no_growth_between(w, newest, case)), None)
    return (newest, other) if other else ()


def _mixed_units(one: Decimal, other: Decimal) -> bool:
    ratio = max(one, other) / min(one, other)
    return _UNIT_MIX_FROM <= ratio <= _UNIT_MIX_TO


def _no_growth_between(earlier: Measured, newest: Measured, case: Case) -> bool:
    """Whether a child's growth cannot explain the change."""
    if earlier.on is None or newest.on is None:
        return False
    birth = case.chart.birth_date
    grown = isinstance(birth, Present) and age_on(birth.value, earlier.on) >= _GROWN_UP
    return grown or days_between(earlier.on, newest.on) <= _GROWTH_DAYS


# ---------------------------------------------------------------- the labelled cell


class Labelled(msgspec.Struct, frozen=True):
    """The table's cell for a baseline IgE and a weight, and what it was read from."""

    table: DosingTable
    cell: DosingCell | None
    ige: Measured
    weight: Measured

    @property
    def ige_fits(self) -> bool:
        value = _iu(self.ige)
        cells = self.table.cells
        return min(c.ige_over for c in cells) <= value <= max(c.ige_to for c in cells)

    @property
    def dose(self) -> tuple[Amount, Amount] | None:
        """Dose and interval; None where the label recommends none."""
        cell = self.cell
        if cell is None or cell.dose is None or cell.interval is None:
            return None
        return cell.dose.to("mg"), cell.interval


def labelled_now(case: Case) -> State[Labelled]:
    """The labelled cell for the newest weight; none when no table is for the age at start."""
    ige = _exact_baseline(case)
    weight = case.once(current_weight)
    table = _table(case)
    if not isinstance(table, Present):
        return table
    if isinstance(ige, Unknown):
        return ige
    if not isinstance(weight, Present):
        return Unknown(weight.because if isinstance(weight, Unknown) else "no weight is on file")
    assert isinstance(ige, Present)
    return Present(_labelled(table.value, ige.value, weight.value))


def labelled_at_last_dose(case: Case, now: Labelled) -> Labelled | None:
    """The cell for the weight that was the newest at the last dose; None without one."""
    days = case.once(dose_days)
    then = weights_by(case, days.value[-1]) if isinstance(days, Present) else ()
    dated = [weight for weight in then if weight.on is not None]
    return _labelled(now.table, now.ige, dated[0]) if dated else None


def _labelled(table: DosingTable, ige: Measured, weight: Measured) -> Labelled:
    return Labelled(table, table.cell(_iu(ige), kilograms(weight).value), ige, weight)


def _iu(result: Measured) -> Decimal:
    assert result.value is not None
    return result.value.to("[IU]/mL").value


def _table(case: Case) -> State[DosingTable]:
    age = age_at_start(case)
    if not isinstance(age, Present):
        return Unknown(age.because if isinstance(age, Unknown) else "no birth date is on file")
    table = table_for(case, age.value)
    return Present(table) if table else Nothing()


def _exact_baseline(case: Case) -> State[Measured]:
    """The exact pre-treatment total IgE, or why there is none to look a dose up by."""
    baseline = case.once(baseline_total_ige)
    if isinstance(baseline, Unknown):
        return baseline
    if isinstance(baseline, Nothing):
        gap = case.chart.why_not("results")  # results that were entered may stand beside it
        return Unknown(gap or "no total IgE is on file")
    if baseline.value.value is None or baseline.value.value.comparator:
        return Unknown("no exact total IgE from before treatment is on file")
    if isinstance(baseline.value.doses, Unknown):
        return baseline.value.doses
    return Present(baseline.value.value)
