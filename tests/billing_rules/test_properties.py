"""What holds for every dose, unit and container: hypothesis looks for the exception."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_rules.model.entities import (
    Amount,
    Container,
    Source,
    UnitsDiffer,
    labelled_total,
    whole_units_down,
    whole_units_up,
)
from billing_rules.orders.claim_lines import discarded_units_of, units_of
from billing_rules.orders.drug_orders import NoContainerPlan, least_discarded

SOURCE = Source("test", "https://example.org", date(2026, 1, 1), "S")
doses = st.decimals("0.1", "1500", places=1).map(lambda d: Amount(d, "mg"))
strengths = st.lists(st.sampled_from([10, 30, 40, 75, 100, 150, 210, 300]), min_size=1, max_size=4)
units = st.sampled_from([Decimal(1), Decimal(5), Decimal(10), Decimal("0.5")]).map(
    lambda d: Amount(d, "mg")
)


def containers(sizes: list[int]) -> tuple[Container, ...]:
    return tuple(
        Container(
            ndc=f"{place:011d}",
            ndc_shown=f"{place:011d}",
            form="vial",
            strength=Amount(Decimal(size), "mg"),
            volume=None,
            per_package=1,
            dose_status="single-dose",
            marketed_from=None,
            marketed_until=None,
            source=SOURCE,
        )
        for place, size in enumerate(sizes)
    )


@given(doses, strengths, units)
def test_billed_and_discarded_units_never_exceed_what_was_opened(
    dose: Amount, sizes: list[int], unit: Amount
) -> None:
    opened = labelled_total(least_discarded(dose, containers(sizes)))
    billed = units_of(dose, unit)
    discarded = discarded_units_of(dose, opened, unit)
    assert billed > 0 and discarded >= 0
    assert billed + discarded <= whole_units_up(opened, unit)
    assert discarded * unit.value <= (opened - dose).value
    assert (billed - 1) * unit.value < dose.value <= billed * unit.value


@given(doses, strengths)
def test_the_container_plan_holds_the_dose_and_nothing_in_it_is_spare(
    dose: Amount, sizes: list[int]
) -> None:
    plan = least_discarded(dose, containers(sizes))
    total = labelled_total(plan)
    assert total >= dose
    assert all((total - c.container.strength).value < dose.value for c in plan)


small = st.decimals("1", "600", places=0).map(lambda d: Amount(d, "mg"))


@given(small, st.lists(st.sampled_from([75, 100, 150, 210, 300]), min_size=1, max_size=3))
def test_the_container_plan_is_optimal_against_brute_force(dose: Amount, sizes: list[int]) -> None:
    choices = sorted(set(sizes))
    most = [int(dose.value) // size + 1 for size in choices]
    covers = [
        (sum(n * s for n, s in zip(counts, choices, strict=True)), sum(counts))
        for counts in product(*(range(m + 1) for m in most))
    ]
    best = min((total, count) for total, count in covers if total >= dose.value)
    plan = least_discarded(dose, containers(sizes))
    assert (labelled_total(plan).value, sum(c.count for c in plan)) == best


def test_no_plan_without_containers_or_for_a_dose_out_of_proportion() -> None:
    with pytest.raises(NoContainerPlan):
        least_discarded(Amount(Decimal(75), "mg"), ())
    with pytest.raises(NoContainerPlan):
        least_discarded(Amount(Decimal(10) ** 30, "mg"), containers([75]))


masses = st.sampled_from(["kg", "g", "mg", "ug", "ng", "[lb_av]"])


@given(st.decimals("0.001", "1000", places=3), masses, masses)
def test_converting_there_and_back_changes_nothing_measurable(
    value: Decimal, unit: str, other: str
) -> None:
    there = Amount(value, unit).to(other)
    assert abs(there.to(unit).value - value) < Decimal("1e-18") * max(1, value)


@given(doses, st.sampled_from(["mL", "[IU]/mL", "d", "mg/kg", "[IU]"]))
def test_a_mass_is_never_another_dimension(dose: Amount, unit: str) -> None:
    with pytest.raises(UnitsDiffer):
        dose.to(unit)
    with pytest.raises(UnitsDiffer):
        _ = dose + Amount(Decimal(1), unit)


@given(doses, units)
def test_rounding_up_and_down_differ_by_at_most_one(dose: Amount, unit: Amount) -> None:
    assert 0 <= whole_units_up(dose, unit) - whole_units_down(dose, unit) <= 1
