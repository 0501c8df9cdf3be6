"""The nouns: amounts, drug codes, what an order, a drug and a payer are to the billing rules.

Frozen values only. Everything FHIR has been translated before these are built
(billing_rules.fhir), and every dated catalogue value has been resolved to the one in force on
the date of service (billing_rules.catalogue), so no rule needs to know a date format or a date.
An amount is a Decimal with a UCUM unit, converted exactly or refused; UCUM codes and the factors
between them are facts of the Unified Code for Units of Measure (https://ucum.org/ucum, tables
1-5; [lb_av] = 0.45359237 kg exactly).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import Enum
from functools import cached_property
from typing import Literal

import msgspec

from billing_rules.model.states import NOTHING, State

# ----------------------------------------------------------------------
# Amounts: a Decimal with a UCUM unit, converted exactly or refused.
#
# UCUM codes and the factors between them are facts of the Unified Code for Units of Measure
# (https://ucum.org/ucum, tables 1-5; [lb_av] = 0.45359237 kg exactly).


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


# ----------------------------------------------------------------------
# National Drug Codes in every spelling, as the 11 digits a claim carries.
#
# FDA assigns 10 digits as labeler-product-package in one of three shapes (4-4-2, 5-3-2, 5-4-1);
# claims carry 5-4-2, each part padded with a leading zero. A hyphenated code pads in one way
# only. Ten digits without hyphens fit all three shapes, so they give three candidates and the
# caller must look which one exists (21 CFR 207.33; NDC/HIPAA 11-digit form).


_HYPHENATED = re.compile(r"^(\d{4,5})-(\d{3,4})-(\d{1,2})$")
_SHAPES = ((4, 4, 2), (5, 3, 2), (5, 4, 1))


def ndc_candidates(text: str) -> tuple[str, ...]:
    """The 11-digit codes that `text` can mean: one, three, or none when it is no NDC."""
    cleaned = text.strip().replace(" ", "")
    hyphenated = _HYPHENATED.match(cleaned)
    if hyphenated:
        labeler, product, package = hyphenated.groups()
        return (labeler.zfill(5) + product.zfill(4) + package.zfill(2),)
    if not cleaned.isascii() or not cleaned.isdigit():
        return ()
    if len(cleaned) == 11:
        return (cleaned,)
    if len(cleaned) == 10:
        return tuple(dict.fromkeys(_padded(cleaned, shape) for shape in _SHAPES))
    return ()


def _padded(ten: str, shape: tuple[int, int, int]) -> str:
    labeler, product, package = shape
    return (
        ten[:labeler].zfill(5)
        + ten[labeler : labeler + product].zfill(4)
        + ten[10 - package :].zfill(2)
    )


def hyphenated_ndc(code: str) -> str:
    """Eleven digits as 5-4-2, as CMS's crosswalk writes them; anything else as it is."""
    if len(code) != 11 or not code.isdecimal():
        return code
    return f"{code[:5]}-{code[5:9]}-{code[9:]}"


def ndc_product(ndc11: str) -> str:
    """Labeler and product, the nine digits all packages of one presentation share."""
    return ndc11[:9]


# ----------------------------------------------------------------------
# The nouns: what an order, a drug, a payer and a chart are to the billing rules.
#
# Frozen values only. Everything FHIR has been translated before these are built
# (billing_rules.fhir), and every dated catalogue value has been resolved to the one in force on
# the date of service (billing_rules.catalogue), so no rule needs to know a date format or a date.


# ---------------------------------------------------------------- sources and evidence


# What the letter of a source says of how certain it is.
CERTAINTY = {
    "A": "federal file or text",
    "B": "contractor, payer or manufacturer, or two secondary sources",
    "C": "one secondary source",
    "S": "the site's own file",
}
Certainty = Literal["A", "B", "C", "S"]


class Source(msgspec.Struct, frozen=True):
    """Where a catalogue value comes from, with the words it stands in; `certainty` is a letter
    of CERTAINTY."""

    title: str
    url: str
    published: date
    certainty: Certainty
    quote: str = ""


class Evidence(msgspec.Struct, frozen=True):
    """One thing a rule looked at: which resource, what it said there, and when."""

    reference: str  # "Observation/ige-1"; "" for what no resource says (site file, catalogue)
    what: str
    value: str
    on: date | None = None


# ---------------------------------------------------------------- catalogue

DoseStatus = Literal["single-dose", "multiple-dose", "unknown"]
Contents = Literal["liquid", "powder", "not stated"]


class Container(msgspec.Struct, frozen=True, dict=True):
    """One marketed presentation of a drug, as its National Drug Code names it.

    `strength` is the labelled amount of one container (never the overfill), `volume` what it
    delivers, `per_package` how many containers the NDC's package holds, `billing_units` the
    HCPCS units of one container where CMS's crosswalk states them.
    """

    ndc: str  # 11 digits, no hyphens
    ndc_shown: str  # as printed on the box: 50242-040-62
    form: Literal["vial", "syringe", "autoinjector", "pen", "container"]
    strength: Amount
    volume: Amount | None
    per_package: int
    dose_status: DoseStatus
    marketed_from: date | None
    marketed_until: date | None
    source: Source
    dose_status_source: Source | None = None
    contents: Contents = "not stated"

    @cached_property
    def name(self) -> str:
        return f"{self.strength} {self.form}"

    def marketed_on(self, day: date) -> bool:
        """True unless a known marketing date excludes `day`; unknown dates exclude nothing."""
        begun = self.marketed_from is None or self.marketed_from <= day
        return begun and (self.marketed_until is None or day <= self.marketed_until)


class ContainerCount(msgspec.Struct, frozen=True):
    """`count` containers of one kind, opened for one dose."""

    container: Container
    count: int

    @property
    def labelled(self) -> Amount:
        return self.container.strength * self.count

    def __str__(self) -> str:
        return f"{self.count} x {self.container.name}{'s' if self.count > 1 else ''}"


def labelled_total(opened: tuple[ContainerCount, ...]) -> Amount:
    """The labelled amount of all containers opened. Raises ValueError when there are none."""
    if not opened:
        raise ValueError("no containers: there is no labelled amount to add up")
    total = opened[0].labelled
    for counted in opened[1:]:
        total = total + counted.labelled.to(total.unit)
    return total


class Need(msgspec.Struct, frozen=True):
    """One thing label or payer wants on file.

    `what` is a kind of evidence: "total_ige", "weight", "sensitisation", or a drug class of
    data/drug_classes.yaml ("inhaled_corticosteroid"). `lasting` is how long a therapy must have
    lasted, `within` how old the newest value may be; both in days, None when not stated.
    """

    what: str
    source: Source
    lasting: int | None = None
    within: int | None = None


class DosingCell(msgspec.Struct, frozen=True):
    """A dose for total IgE (IU/mL) and weight (kg): above the lower, up to the upper bound.

    The first band's lower bound is inclusive. `dose` None: too little data to recommend a dose.
    """

    ige_over: Decimal
    ige_to: Decimal
    weight_over: Decimal
    weight_to: Decimal
    dose: Amount | None
    interval: Amount | None


class DosingTable(msgspec.Struct, frozen=True):
    """A labelled dosing table by total IgE and weight, for ages from `age_from` to below
    `age_below` years at start of therapy. Only a `verified` one may raise a warning."""

    name: str
    verified: bool
    age_from: int
    age_below: int | None
    cells: tuple[DosingCell, ...]
    source: Source

    def cell(self, ige: Decimal, weight: Decimal) -> DosingCell | None:
        """The cell of `ige` IU/mL and `weight` kg; None outside the table."""
        lowest_ige = min(c.ige_over for c in self.cells)
        lowest_weight = min(c.weight_over for c in self.cells)
        for c in self.cells:
            above_ige = c.ige_over < ige or ige == c.ige_over == lowest_ige
            above_weight = c.weight_over < weight or weight == c.weight_over == lowest_weight
            if above_ige and ige <= c.ige_to and above_weight and weight <= c.weight_to:
                return c
        return None


class Indication(msgspec.Struct, frozen=True):
    """A labelled indication of a drug on the date of service, and what its label wants known.

    `icd10cm` and `snomed` are the codes that serve it; the `unspecified` ones name the disease
    without the severity or kind the label speaks of. `words` recognise a condition that has no
    code. Ages are in years; `age_at_start` means at the first dose, not today. `doses` are the
    labelled doses of this indication when they differ from the drug's.
    """

    id: str
    name: str
    icd10cm: frozenset[str]
    icd10cm_unspecified: frozenset[str]
    snomed: frozenset[str]
    snomed_unspecified: frozenset[str]
    words: tuple[str, ...]
    age_from: int | None
    age_below: int | None
    age_at_start: bool
    ige_from: Decimal | None
    ige_to: Decimal | None
    needs: tuple[Need, ...]
    doses: tuple[Amount, ...]
    intervals: tuple[Amount, ...]
    tables: tuple[DosingTable, ...]
    sources: dict[str, Source]


class Criteria(msgspec.Struct, frozen=True):
    """What a payer wants for one drug and indication on the date of service.

    `diagnoses` empty: no list is known. `most_units` is (units, days). Authorization periods are
    in days. `reassessment` are the kinds of result a reauthorization wants ("act", "fev1").
    """

    diagnoses: frozenset[str] = frozenset()
    wants_severity: bool = False
    needs: tuple[Need, ...] = ()
    authorization: bool = False
    first_period: int | None = None
    next_period: int | None = None
    reassessment: tuple[str, ...] = ()
    most_units: tuple[int, int] | None = None
    sources: dict[str, Source] = {}


class Drug(msgspec.Struct, frozen=True):
    """A catalogued drug as it stood on one date of service.

    `hcpcs` and `billing_unit` are None when no code of its own was in force that day (the
    unclassified codes are then the right ones). `sources` has the source of each field by name.
    """

    id: str
    name: str
    brand: str
    group: str
    biosimilar_of: str | None
    hcpcs: str | None
    billing_unit: Amount | None
    medically_unlikely_units: int | None
    opps_status: str | None
    containers: tuple[Container, ...]
    routes: tuple[str, ...]
    labelled_doses: tuple[Amount, ...]
    labelled_dose_per_weight: Amount | None
    intervals: tuple[Amount, ...]
    unclassified_codes: tuple[str, ...]
    sources: dict[str, Source]
    indications: tuple[Indication, ...] = ()
    unread_indications: str | None = None  # what the label has beside `indications`, unread here
    supervised_doses: int | None = None  # first doses the label wants given in a healthcare setting

    def container(self, ndc: str) -> Container | None:
        return next((c for c in self.containers if c.ndc == ndc), None)

    def ndc_shown(self, code: str) -> str:
        """An NDC as printed on the box; one that is not this drug's with hyphens, 5-4-2."""
        known = [c for form in ndc_candidates(code) if (c := self.container(form))]
        return known[0].ndc_shown if len(known) == 1 else hyphenated_ndc(code)

    @property
    def giving(self) -> Literal["injection", "infusion", "dose"]:
        """What staff call giving it, by the label's routes; "dose" where none is catalogued."""
        if not self.routes:
            return "dose"
        return "infusion" if self.routes == ("intravenous",) else "injection"


# "not yet": the payer has a rule, but it starts after this date of service.
ModifierPolicy = Literal["required", "recognised", "denies", "not yet", "not stated"]


class WantedModifiers(msgspec.Struct, frozen=True):
    """Modifiers that payer or site wants on each drug line of a code, and who says so."""

    codes: tuple[str, ...]
    source: Source


class Payer(msgspec.Struct, frozen=True):
    """A payer's billing rules on one date of service. "not stated" is never read as a yes."""

    id: str
    name: str
    known: bool
    jw: ModifierPolicy
    jz: ModifierPolicy
    medically_unlikely_edits: bool
    lines_per_ndc: Literal["one line", "one line per NDC", "not stated"]
    sources: dict[str, Source]
    criteria: dict[tuple[str, str], Criteria] = {}  # (drug, indication)
    wanted_modifiers: dict[str, WantedModifiers] = {}  # by code or "all"


class Modifier(msgspec.Struct, frozen=True):
    """A HCPCS Level II modifier in force on the date of service, with CMS's descriptor."""

    code: str
    descriptor: str
    source: Source


class KnownCode(msgspec.Struct, frozen=True):
    """A HCPCS or CPT code of the field and what it is: a drug's own, unclassified, or a service.

    `meaning` is CMS's descriptor for HCPCS codes; empty for CPT (AMA copyright).
    """

    code: str
    kind: Literal["drug", "unclassified", "administration"]
    meaning: str
    drug_id: str | None
    source: Source


class Site(msgspec.Struct, frozen=True):
    """What the clinic told us of itself: stock, prices and place of service.

    `stocked` holds 11-digit NDCs; empty means every marketed container may be used.
    `prices` is dollars per billing unit by HCPCS code.
    """

    name: str = ""
    stocked: frozenset[str] = frozenset()
    prices: dict[str, Decimal] = {}
    price_source: Source | None = None
    setting: str | None = None
    wanted_modifiers: dict[str, WantedModifiers] = {}  # by code or "all"


# ---------------------------------------------------------------- the order


class Stage(Enum):
    PLANNED = "planned"
    GIVEN = "given"


class Code(msgspec.Struct, frozen=True):
    """A coding in our words: `system` is a short name from code_systems.yaml ("hcpcs", "ndc",
    "rxnorm", ...) or "" when the system is none we know. HCPCS codes are upper case, NDCs have
    11 digits."""

    system: str
    code: str
    display: str = ""


class Counted(msgspec.Struct, frozen=True):
    """A number as an order wrote it, with the unit as written ("" when it had none)."""

    value: Decimal
    unit: str = ""

    def __str__(self) -> str:
        return f"{plain(self.value)} {self.unit}".strip()


class Dose(msgspec.Struct, frozen=True):
    """A dose as ordered or given: an amount, or a count of something ("2 syringe")."""

    amount: Amount | Counted

    def __str__(self) -> str:
        return str(self.amount)


class NamedCount(msgspec.Struct, frozen=True):
    """A count of containers with the NDC it was written beside."""

    ndc: str
    counted: Counted


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One draft resource (or one Claim item) in billing words, before it is known whose drug
    it is. docs/how-cards-decide.md says which FHIR element each field is read from.

    `dose`      what is ordered, or given, at one visit
    `billed`    billing units, when this resource is where the order keeps them
    `containers` how many vials, syringes, pens, packages or each, of the NDC among `codes`
    `containers_by_ndc` the same, where one line names several NDCs, each with its count
    `supplied`  the amount dispensed or supplied, when stated as an amount of drug
    """

    reference: str
    kind: str
    stage: Stage = Stage.PLANNED
    item: int | None = None  # the Claim item's place in Claim.item, from 0
    codes: tuple[Code, ...] = ()
    names: tuple[str, ...] = ()
    dose: State[Dose] = NOTHING
    billed: State[Counted] = NOTHING
    containers: State[Counted] = NOTHING
    containers_by_ndc: tuple[NamedCount, ...] = ()
    supplied: State[Amount] = NOTHING
    modifiers: tuple[str, ...] = ()
    date_of_service: date | None = None
    interval: State[Amount] = NOTHING
    route: State[str] = NOTHING
    site: State[str] = NOTHING
    observed: State[str] = NOTHING  # its times, else "noted"; R4 has no element for it
    reasons: tuple[Code, ...] = ()
    reason_references: tuple[str, ...] = ()
    coverages: tuple[str, ...] = ()
    lot: State[str] = NOTHING
    expires: State[date] = NOTHING  # the batch's own date
    discarded: State[Amount] = NOTHING
    not_given: bool = False
    unread: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where this line stands: "Claim/1 item 2" (counted from 1, as people do)."""
        return self.reference if self.item is None else f"{self.reference} item {self.item + 1}"

    def codes_of(self, system: str) -> tuple[str, ...]:
        return tuple(c.code for c in self.codes if c.system == system)


class Identity(msgspec.Struct, frozen=True):
    """By what an order was recognised as a drug, most trusted first: NDC, RxNorm, HCPCS, text.

    `conflict` is a sentence when product identifiers name different drugs; then nothing may be
    proposed for the order's codes.
    """

    by: Literal["NDC", "RxNorm", "HCPCS", "text"]
    seen: str
    conflict: str | None = None

    def shown(self, drug: Drug) -> str:
        """What was seen, as people read it."""
        return drug.ndc_shown(self.seen) if self.by == "NDC" else self.seen


class DrugOrder(msgspec.Struct, frozen=True, dict=True):
    """All draft lines that make up one dose of one catalogued drug on one date of service."""

    drug_id: str
    group: str
    identity: Identity
    stage: Stage
    date_of_service: date
    prescriptions: tuple[OrderLine, ...]  # where dose and containers are said
    billing: tuple[OrderLine, ...]  # where codes, units and modifiers are billed
    services: tuple[OrderLine, ...]  # CPT-coded lines drafted with it
    dose: State[Amount]
    dose_as_written: str
    containers: State[tuple[ContainerCount, ...]]
    supplied: State[Amount]
    discarded: State[Amount] = NOTHING
    wasted: tuple[OrderLine, ...] = ()  # records of the discarded amount alone

    @cached_property
    def lines(self) -> tuple[OrderLine, ...]:
        return self.prescriptions + tuple(b for b in self.billing if b not in self.prescriptions)

    @cached_property
    def references(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.reference for line in self.lines))

    @cached_property
    def hcpcs_codes(self) -> tuple[str, ...]:
        return tuple(code for line in self.lines for code in line.codes_of("hcpcs"))
