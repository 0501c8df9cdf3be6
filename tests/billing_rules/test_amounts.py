"""Amounts convert exactly or are refused."""

from decimal import Decimal

import pytest

from billing_rules.model.entities import (
    Amount,
    UnitNotUnderstood,
    UnitsDiffer,
    canonical_unit,
    plain,
)


@pytest.mark.parametrize(
    ("given", "unit", "value"),
    [
        ("0.3 g", "mg", "300"),
        ("300000 mcg", "mg", "300"),
        ("300000 ug", "mg", "300"),
        ("1 [lb_av]", "kg", "0.45359237"),
        ("70 kg", "g", "70000"),
        ("1 k[IU]/L", "[IU]/mL", "1"),
    ],
)
def test_exact_conversion(given: str, unit: str, value: str) -> None:
    assert Amount.parse(given).to(unit).value == Decimal(value)


@pytest.mark.parametrize("spelling", ["[IU]/mL", "k[IU]/L", "kU/L", "kIU/L", "IU/mL"])
def test_ige_units_are_one_and_the_same_number(spelling: str) -> None:
    assert canonical_unit(spelling) == "[IU]/mL"


def test_ige_mass_concentration_is_not_converted() -> None:
    with pytest.raises(UnitsDiffer):
        Amount.parse("240 ng/mL").to("[IU]/mL")


@pytest.mark.parametrize("unit", ["{pill}", "tablet", "Mg", "M", "", "mg/m2", "stone"])
def test_refused_units(unit: str) -> None:
    with pytest.raises(UnitNotUnderstood):
        canonical_unit(unit)


@pytest.mark.parametrize("text", ["", "mg", "a lot mg", "150", "150mg"])
def test_refused_amounts(text: str) -> None:
    with pytest.raises(ValueError):
        Amount.parse(text)


def test_mixing_units_raises() -> None:
    with pytest.raises(UnitsDiffer):
        _ = Amount.parse("1 mg") + Amount.parse("1 g")
    with pytest.raises(UnitsDiffer):
        _ = Amount.parse("1 mg") < Amount.parse("1 g")


def test_shown_as_people_write_it() -> None:
    assert str(Amount.parse("150.00 mg")) == "150 mg"
    assert str(Amount.parse("154.5 lb")) == "154.5 lb"
    assert plain(Decimal("1E+3")) == "1,000"
    assert plain(Decimal("0.50")) == "0.5"
