"""Amounts: a Decimal with a UCUM unit, converted exactly or refused.

UCUM codes and the factors between them are facts of the Unified Code for Units of Measure
(https://ucum.org/ucum, tables 1-5; [lb_av] = 0.45359237 kg exactly).
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

# unit -> (dimension, factor to that dimension's base unit)
_UNITS: dict[str, tuple[str, Decimal]] = {
    "kg": ("mass", Decimal(1000)),
    "g": ("mass", Decimal(1)),
    "mg": ("mass", Decimal("0.001")),
    "ug": ("mass", Decimal("0.000001")),
    "ng": ("mass", Decimal("0.000000001")),
    "[lb_av]": ("mass", Decimal("453.59237")),
    "[oz_av]": ("mass", Decimal("28.349523125")),
    "L": ("volume", Decimal(1000)),
    "mL": ("volume", Decimal(1)),
    "uL": ("volume", Decimal("0.001")),
    "mg/kg": ("dose per body weight", Decimal(1)),
    "ug/kg": ("dose per body weight", Decimal("0.001")),
    "g/kg": ("dose per body weight", Decimal(1000)),
    "mg/mL": ("concentration", Decimal(1)),
    "g/L": ("concentration", Decimal(1)),
    "[IU]/mL": ("IgE concentration", Decimal(1)),
    "ng/mL": ("mass concentration", Decimal(1)),
    "[IU]": ("international units", Decimal(1)),
    "d": ("time", Decimal(1)),
    "wk": ("time", Decimal(7)),
    "/uL": ("cell count", Decimal(1)),
    "10*3/uL": ("cell count", Decimal(1000)),
    "mm": ("length", Decimal(1)),
    "cm": ("length", Decimal(10)),
    "%": ("fraction", Decimal("0.01")),
    "{score}": ("score", Decimal(1)),
}

# What orders and laboratories really write, mapped to the UCUM code that means the same.
# One [IU]/mL is one k[IU]/L: the same number. `Mg` (megagram) and `M` are not here on purpose.
_SPELLINGS: dict[str, str] = {
    "milligram": "mg",
    "milligrams": "mg",
    "mgs": "mg",
    "MG": "mg",
    "mg.": "mg",
    "gram": "g",
    "grams": "g",
    "gm": "g",
    "gms": "g",
    "G": "g",
    "microgram": "ug",
    "micrograms": "ug",
    "mcg": "ug",
    "MCG": "ug",
    "µg": "ug",
    "μg": "ug",
    "kilogram": "kg",
    "kilograms": "kg",
    "kgs": "kg",
    "KG": "kg",
    "Kg": "kg",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "pound": "[lb_av]",
    "pounds": "[lb_av]",
    "LB": "[lb_av]",
    "LBS": "[lb_av]",
    "lb_av": "[lb_av]",
    "oz": "[oz_av]",
    "ounce": "[oz_av]",
    "ounces": "[oz_av]",
    "ml": "mL",
    "ML": "mL",
    "cc": "mL",
    "milliliter": "mL",
    "milliliters": "mL",
    "millilitre": "mL",
    "millilitres": "mL",
    "milliliter (iso1000)": "mL",
    "l": "L",
    "liter": "L",
    "litre": "L",
    "µL": "uL",
    "μL": "uL",
    "mg/Kg": "mg/kg",
    "MG/KG": "mg/kg",
    "mcg/kg": "ug/kg",
    "mg/ml": "mg/mL",
    "MG/ML": "mg/mL",
    "k[IU]/L": "[IU]/mL",
    "kU/L": "[IU]/mL",
    "KU/L": "[IU]/mL",
    "kIU/L": "[IU]/mL",
    "IU/mL": "[IU]/mL",
    "IU/ml": "[IU]/mL",
    "U/mL": "[IU]/mL",
    "U/ml": "[IU]/mL",
    "[iU]/mL": "[IU]/mL",
    "k[iU]/L": "[IU]/mL",
    "[IU]/ml": "[IU]/mL",
    "m[IU]/uL": "[IU]/mL",
    "IU": "[IU]",
    "[iU]": "[IU]",
    "int. unit": "[IU]",
    # kUA/L is written for the IgE to one allergen; code and words tell it from the total.
    "kUA/L": "[IU]/mL",
    "kU(A)/L": "[IU]/mL",
    "kAU/L": "[IU]/mL",
    "days": "d",
    "day": "d",
    "weeks": "wk",
    "week": "wk",
    "cells/uL": "/uL",
    "{cells}/uL": "/uL",
    "cells/µL": "/uL",
    "cells/mcL": "/uL",
    "/mm3": "/uL",
    "cells/mm3": "/uL",
    "cells/cmm": "/uL",
    "/mcL": "/uL",
    "#/uL": "/uL",
    "10*6/L": "/uL",
    "10^3/uL": "10*3/uL",
    "10*3/mm3": "10*3/uL",
    "10*9/L": "10*3/uL",
    "10^9/L": "10*3/uL",
    "x10E3/uL": "10*3/uL",
    "x10^3/uL": "10*3/uL",
    "x10*3/uL": "10*3/uL",
    "10^3/mcL": "10*3/uL",
    "10x3/uL": "10*3/uL",
    "10E3/uL": "10*3/uL",
    "x10^9/L": "10*3/uL",
    "K/uL": "10*3/uL",
    "k/uL": "10*3/uL",
    "K/mcL": "10*3/uL",
    "K/mm3": "10*3/uL",
    "thou/uL": "10*3/uL",
    "Thousand/uL": "10*3/uL",
    "10*3/µL": "10*3/uL",
    "10^3/µL": "10*3/uL",
    "millimeter": "mm",
    "millimeters": "mm",
    "millimetre": "mm",
    "centimeter": "cm",
    "percent": "%",
    "% predicted": "%",
    "%{predicted}": "%",
    "%pred": "%",
    "score": "{score}",
    "{Score}": "{score}",
    "points": "{score}",
    "{points}": "{score}",
}


class UnitNotUnderstood(ValueError):
    """A unit that is no amount this product can compute with. The message names the unit."""


class UnitsDiffer(ValueError):
    """Two amounts of different unit or dimension were added, compared or converted."""


class Amount(msgspec.Struct, frozen=True):
    """A quantity: exact decimal `value` and UCUM `unit`. Mixing units raises `UnitsDiffer`."""

    value: Decimal
    unit: str

    def __post_init__(self) -> None:
        if self.unit not in _UNITS:
            raise UnitNotUnderstood(f"'{self.unit}' is no unit Vialwise computes with")

    @classmethod
    def parse(cls, text: str) -> Amount:
        """`"150 mg"` as an Amount. Raises UnitNotUnderstood or ValueError for anything else."""
        number, _, unit = text.strip().partition(" ")
        try:
            value = Decimal(number)
        except ArithmeticError:
            raise ValueError(f"'{text}' is no amount: write a number, a space and a unit") from None
        return cls(value, canonical_unit(unit))

    def to(self, unit: str) -> Amount:
        """The same amount in `unit`, exactly. Raises UnitsDiffer across dimensions."""
        if unit == self.unit:
            return self
        dimension, factor = _UNITS[self.unit]
        other_dimension, other_factor = _UNITS[unit]
        if dimension != other_dimension:
            raise UnitsDiffer(f"{self} is a {dimension}, {unit} a {other_dimension}")
        return Amount(self.value * factor / other_factor, unit)

    def is_a(self, dimension: str) -> bool:
        return _UNITS[self.unit][0] == dimension

    @property
    def dimension(self) -> str:
        return _UNITS[self.unit][0]

    def _same_unit(self, other: Amount) -> Decimal:
        if self.unit != other.unit:
            raise UnitsDiffer(f"{self} and {other} have different units")
        return other.value

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.value + self._same_unit(other), self.unit)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.value - self._same_unit(other), self.unit)

    def __mul__(self, times: int | Decimal) -> Amount:
        return Amount(self.value * times, self.unit)

    def __lt__(self, other: Amount) -> bool:
        return self.value < self._same_unit(other)

    def __le__(self, other: Amount) -> bool:
        return self.value <= self._same_unit(other)

    def __gt__(self, other: Amount) -> bool:
        return self.value > self._same_unit(other)

    def __ge__(self, other: Amount) -> bool:
        return self.value >= self._same_unit(other)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and (self.unit, self.value) == (other.unit, other.value)

    def __hash__(self) -> int:
        return hash((self.value, self.unit))

    def __str__(self) -> str:
        unit = _SHOWN.get(self.unit, self.unit)
        exponent = self.value.as_tuple().exponent
        if not isinstance(exponent, int) or exponent >= -3:
            return f"{plain(self.value)} {unit}"
        # A weight in pounds makes endless decimals; people are told that two are shown.
        rounded = round(self.value, 2)
        about = "" if rounded == self.value else "about "
        return f"{about}{plain(rounded)} {unit}"


_SHOWN = {
    "[lb_av]": "lb",
    "[oz_av]": "oz",
    "[IU]/mL": "IU/mL",
    "ug": "mcg",
    "wk": "weeks",
    "/uL": "cells/uL",
    "{score}": "points",
}


def canonical_unit(spelling: str) -> str:
    """The UCUM code for a unit as written. Raises UnitNotUnderstood; never guesses."""
    text = spelling.strip()
    if text in _UNITS:
        return text
    for candidate in (text, text.lower()):
        if candidate in _SPELLINGS:
            return _SPELLINGS[candidate]
    raise UnitNotUnderstood(f"'{spelling}' is no unit Vialwise computes with")


def whole_units_up(amount: Amount, unit: Amount) -> int:
    """How many whole `unit`s cover `amount`: administered units round up (ACR, The Rheumatologist,
    2023; the CMS sentence itself was not retrievable)."""
    return int((amount.to(unit.unit).value / unit.value).to_integral_value(ROUND_CEILING))


def whole_units_down(amount: Amount, unit: Amount) -> int:
    """How many whole `unit`s fit into `amount` (discarded units are rounded down)."""
    return int((amount.to(unit.unit).value / unit.value).to_integral_value(ROUND_FLOOR))


def plain(number: Decimal) -> str:
    """A decimal as people write it: no exponent, no trailing zeros, thousands separated."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
