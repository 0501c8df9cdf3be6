"""FHIR Quantity to amounts of drug, counts of containers and billing units.

The unit decides what a number is, and it is never guessed: UCUM code first, then the unit text.
Where code and text contradict each other the quantity is unknown and says so. What each place
counts is settled in docs/how-cards-decide.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from billing_rules.fhir.json.codes import plain_uri
from billing_rules.fhir.json.shapes import Element, WrittenQuantity, unreadable
from billing_rules.fhir.json.values import Notes, as_number, shown
from billing_rules.model.amounts import Amount, UnitNotUnderstood, canonical_unit, plain
from billing_rules.model.entities import Counted, Dose
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown

_UCUM = ("http://unitsofmeasure.org", "https://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8")
_DOSE_DIMENSIONS = ("mass", "volume", "dose per body weight", "international units")
_SUPPLY_DIMENSIONS = ("mass", "volume")
_CONTAINER_WORDS = frozenset(
    word + ending
    for word in (
        "vial",
        "syringe",
        "pen",
        "autoinjector",
        "injector",
        "cartridge",
        "container",
        "package",
        "pkg",
        "pack",
        "carton",
        "kit",
    )
    for ending in ("", "s")
) | {"box", "boxes", "each", "ea"}
_BILLING_WORDS = frozenset(
    ("unit", "units", "un", "billing unit", "billing units", "hcpcs unit", "hcpcs units")
)
# X12 837 CTP05, the unit of an NDC quantity on a claim.
_NDC_COUNT, _NDC_UNITS = frozenset(("un", "unit", "units")), {"ml": "mL", "gr": "g", "me": "mg"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit as written, and the amount it is when the unit is one.

    `contradiction` is a clause when the unit's code and its text say different things.
    """

    value: Decimal
    unit: str
    amount: Amount | None
    contradiction: str = ""
    comparator: str = ""

    @property
    def counted(self) -> Counted:
        return Counted(self.value, self.unit)

    def is_a(self, dimensions: tuple[str, ...]) -> bool:
        return self.amount is not None and self.amount.dimension in dimensions

    def __str__(self) -> str:
        return f"{plain(self.value)} {shown(self.unit, 40)}".strip()


def quantity(parent: Element, key: str, what: str, notes: Notes | None = None) -> State[Quantity]:
    """The exact Quantity under `key`. `what` names it in sentences: "the dose"."""
    found = compared(parent, key, what, notes)
    if isinstance(found, Present) and found.value.comparator:
        return Unknown(f"{what} is given as '{found.value.comparator} {found.value}', not exactly")
    return found


def compared(parent: Element, key: str, what: str, notes: Notes | None = None) -> State[Quantity]:
    """The Quantity under `key`, which a comparator may make a bound."""
    written: WrittenQuantity | None = getattr(parent, key)
    if written is None:
        return Unknown(f"{what} could not be read") if unreadable(parent, key) else NOTHING
    value = as_number(written.value)
    if value is None:
        if written.value is None and not unreadable(written, "value"):
            return Unknown(f"{what} has no number")
        if notes:
            notes.unread(written, "value")
        return Unknown(f"{what} could not be read")
    code, unit = written.code.strip(), written.unit.strip()
    canonical, contradiction = _amount_unit(code, plain_uri(written.system) in _UCUM, unit)
    as_written = unit or ("" if code == "1" else code)
    amount = Amount(value, canonical) if canonical else None
    comparator = shown(written.comparator.strip(), 5) if written.comparator else ""
    return Present(Quantity(value, shown(as_written), amount, contradiction, comparator))


def _amount_unit(code: str, ucum: bool, written: str) -> tuple[str | None, str]:
    """The unit the two spellings agree on, or None, with the contradiction between them."""
    by_code = _known_unit(code)
    by_text = by_code if written == code else _known_unit(written)
    if by_code and by_code == by_text:
        return by_code, ""
    clash = f"the unit is coded as '{shown(code)}' but written as '{shown(written)}'"
    if by_code and by_text:
        return None, clash
    if not ucum or not code:
        return by_text or by_code, ""
    if by_code:
        return (None, clash) if _counts_something(written) else (by_code, "")
    return (None, clash) if by_text else (None, "")


def _known_unit(spelling: str) -> str | None:
    try:
        return canonical_unit(spelling) if spelling else None
    except UnitNotUnderstood:
        return None


def _words(unit: str) -> str:
    return " ".join(re.sub(r"[{}\[\]()]", "", unit.lower()).split())


def is_container_word(unit: str) -> bool:
    """Whether a unit counts containers: "{vial}", "pre-filled syringe(s)", "EA"."""
    return not _CONTAINER_WORDS.isdisjoint(re.findall(r"[a-z]+", _words(unit)))


def is_billing_word(unit: str) -> bool:
    """Whether a unit is the billing unit of a HCPCS code: "unit(s)", "{unit}", "UN"."""
    return _words(unit) in _BILLING_WORDS


def _counts_something(unit: str) -> bool:
    return is_container_word(unit) or is_billing_word(unit)


# ---------------------------------------------------------------- what a quantity is


def dose(parent: Element, key: str, notes: Notes | None = None) -> State[Dose]:
    """A dose: an amount where the unit is one, else the count as written. Never zero or less."""
    found = quantity(parent, key, "the dose", notes)
    if not isinstance(found, Present):
        return found
    read = found.value
    if read.value <= 0:
        return Unknown(f"the dose is {read}")
    if read.contradiction:
        return Unknown(f"of the dose {read.contradiction}")
    if read.amount is not None and read.is_a(_DOSE_DIMENSIONS):
        return Present(Dose(read.amount))
    return Present(Dose(read.counted))


def billed(parent: Element, key: str, notes: Notes | None = None) -> State[Counted]:
    """A quantity where the resource keeps billing units by definition, with its unit as written."""
    found = quantity(parent, key, "the quantity", notes)
    return Present(found.value.counted) if isinstance(found, Present) else found


@dataclass(frozen=True, slots=True)
class Supply:
    """What a quantity counts, told by its unit."""

    billed: State[Counted] = NOTHING
    containers: State[Counted] = NOTHING
    supplied: State[Amount] = NOTHING


def dispensed(
    parent: Element, key: str, coded_in_hcpcs: bool, notes: Notes | None = None
) -> Supply:
    """A dispensed quantity: billing units, containers or an amount, by its unit.

    Without a unit it counts billing units when the medication is coded in HCPCS.
    """
    found = quantity(parent, key, "the dispensed quantity", notes)
    if isinstance(found, Unknown):
        return Supply(billed=found, containers=found, supplied=found)
    if isinstance(found, Nothing):
        return Supply()
    read = found.value
    if is_billing_word(read.unit) or (not read.unit and coded_in_hcpcs):
        return Supply(billed=Present(read.counted))
    return _containers_or_amount(read, "the dispensed quantity")


def of_an_ndc(parent: Element, key: str, notes: Notes | None = None) -> Supply:
    """The quantity beside an NDC on a claim: UN counts containers, ML, GR and ME are amounts."""
    found = quantity(parent, key, "the NDC quantity", notes)
    if isinstance(found, Unknown):
        return Supply(containers=found, supplied=found)
    if isinstance(found, Nothing):
        return Supply()
    read = found.value
    word = _words(read.unit)
    if word in _NDC_COUNT:
        return Supply(containers=Present(read.counted))
    if word in _NDC_UNITS and read.amount is None and not read.contradiction:
        read = Quantity(read.value, read.unit, Amount(read.value, _NDC_UNITS[word]))
    return _containers_or_amount(read, "the NDC quantity")


def _containers_or_amount(read: Quantity, what: str) -> Supply:
    if read.contradiction:
        doubt = f"of {what} {read.contradiction}"
    elif read.value <= 0:
        doubt = f"{what} is {read}"
    elif read.amount is not None and read.is_a(_SUPPLY_DIMENSIONS):
        return Supply(supplied=Present(read.amount))
    elif is_container_word(read.unit):
        return Supply(containers=Present(read.counted))
    elif read.unit:
        doubt = f"{what} of {read} is neither containers, billing units nor an amount of drug"
    else:
        doubt = f"{what} of {read} has no unit"
    return Supply(containers=Unknown(doubt), supplied=Unknown(doubt))
