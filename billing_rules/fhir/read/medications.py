"""Dosage to one dose and one route: what is given at one visit, or why that is not known.

Epic sends several `doseAndRate` for one dose, told apart by type (calculated, admin-amount,
ordered; conformance A6.5). The ordered one counts; nothing is added up and nothing is taken by
its position."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from billing_rules.fhir.json import values
from billing_rules.fhir.json.decoding import Resolve, contained, decoded, unversioned
from billing_rules.fhir.json.shapes import (
    CodeableConcept,
    Dosage,
    DoseAndRate,
    Element,
    Ingredient,
    MedicationResource,
    Period,
    Reference,
    Resource,
    Timing,
    unreadable,
)
from billing_rules.fhir.json.values import (
    BILLING_SYSTEMS,
    CodeSystems,
    Concept,
    Notes,
    absent,
    as_day,
    as_number,
    concept,
    joined,
    named,
    shown,
)
from billing_rules.model.entities import Amount, Code, Dose, plain
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown

_PREFERRED = ("ordered", "calculated")
_ROUTES = {  # SNOMED CT, the Global Patient Set of 2020
    "34206005": "subcutaneous",
    "47625008": "intravenous",
    "78421000": "intramuscular",
}


def route_code(route: str) -> str | None:
    """The SNOMED CT code of a route in our word, None for one without."""
    return next((code for code, name in _ROUTES.items() if name == route), None)


def ordered_dose(
    order: Element, dosages: Sequence[Dosage], notes: Notes | None = None
) -> State[Dose]:
    """The dose of one visit from the `dosageInstruction` of an order, the same in each or
    unknown."""
    if unreadable(order, "dosageInstruction"):
        return Unknown("the dosage instruction could not be read")
    doses = [_of_instruction(dosage, notes) for dosage in dosages]
    stated = [dose for dose in doses if not isinstance(dose, Nothing)]
    return agreed(stated, "the dosage instructions state different doses")


def _of_instruction(dosage: Dosage, notes: Notes | None) -> State[Dose]:
    if unreadable(dosage, "doseAndRate"):
        return Unknown("the dose could not be read")
    rates = dosage.doseAndRate or (dosage,)  # STU3 had the dose on Dosage itself
    dose = _preferred(rates, notes)
    if isinstance(dose, Nothing) and dosage.text.strip():
        return Unknown("the dose is free text")
    return dose


def _preferred(rates: Sequence[DoseAndRate], notes: Notes | None) -> State[Dose]:
    """The ordered dose, else the calculated one, else the only one."""
    typed = [(_kind(rate), _one(rate, notes)) for rate in rates]
    for kind in _PREFERRED:
        doses = [dose for its, dose in typed if its == kind and not isinstance(dose, Nothing)]
        if doses:
            return agreed(doses, f"several different {kind} doses are stated")
    doses = [dose for _, dose in typed if not isinstance(dose, Nothing)]
    return agreed(doses, "several doses are stated and none is marked as the ordered one")


def _kind(rate: DoseAndRate) -> str:
    """The type of a doseAndRate: "ordered", "calculated", or "" for any other or none."""
    if rate.type is None:
        return ""
    words = [coding.code.strip().lower() for coding in rate.type.coding]
    words.append(rate.type.text.strip().lower())
    return next((word for word in words if word in _PREFERRED), "")


def _one(rate: DoseAndRate, notes: Notes | None) -> State[Dose]:
    if not absent(rate.doseRange):
        return Unknown("the dose is a range")
    return values.dose(rate, "doseQuantity", notes)


def agreed(doses: Sequence[State[Dose]], otherwise: str) -> State[Dose]:
    """The one dose that all of `doses` are; unknown if any is, or if two differ."""
    if not doses:
        return NOTHING
    unknown = next((dose for dose in doses if isinstance(dose, Unknown)), None)
    if unknown:
        return unknown
    present = [dose.value for dose in doses if isinstance(dose, Present)]
    same = all(_same(dose, present[0]) for dose in present)
    return Present(present[0]) if same else Unknown(otherwise)


def _same(one: Dose, other: Dose) -> bool:
    a, b = one.amount, other.amount
    if isinstance(a, Amount) and isinstance(b, Amount) and a.dimension == b.dimension:
        return a == b.to(a.unit)
    return a == b


def route(
    dosages: Iterable[Dosage | None], systems: CodeSystems, notes: Notes | None = None
) -> State[str]:
    """The route in words. Local codes are common, so the text is as good as the code."""
    stated = [
        concept(dosage.route, systems, notes)
        for dosage in dosages
        if dosage is not None and (dosage.route is not None or unreadable(dosage, "route"))
    ]
    return route_of(stated) if stated else NOTHING


def route_of(stated: Iterable[Concept]) -> State[str]:
    """The one route that all of `stated` name."""
    words: dict[str, None] = {}
    for read in stated:
        route = read.names[0].lower() if read.names else ""
        for code in read.codes:
            if code.system == "snomed" and code.code in _ROUTES:
                route = _ROUTES[code.code]
                break
        words[route] = None
    if not words:
        return NOTHING
    if "" in words:
        return Unknown("the route could not be read")
    return Present(next(iter(words))) if len(words) == 1 else Unknown("several routes are stated")


# ----------------------------------------------------------------------
# Timing, dateTime and Period to a date of service and an interval between doses.


_CODED = re.compile(r"q\s*(\d{1,3})\s*(w|wk|wks|weeks?|d|days?)")
_WORDED = re.compile(r"every\s+(\d{1,3})\s+(weeks?|days?)")
_SINGLE = {"qw": (1, "wk"), "wk": (1, "wk"), "weekly": (1, "wk"), "qd": (1, "d"), "daily": (1, "d")}


def interval(dosages: Sequence[Dosage], notes: Notes | None = None) -> State[Amount]:
    """The time between doses in days or weeks, the same in every dosage or unknown."""
    found: list[State[Amount]] = []
    for dosage in dosages:
        if dosage.timing:
            repeated = _repeated(dosage.timing, notes)
            found.append(_coded(dosage.timing) if isinstance(repeated, Nothing) else repeated)
        elif unreadable(dosage, "timing"):
            found.append(Unknown("the timing could not be read"))
    stated = [state for state in found if not isinstance(state, Nothing)]
    if not stated:
        return NOTHING
    unknown = next((state for state in stated if isinstance(state, Unknown)), None)
    if unknown:
        return unknown
    present = [state.value for state in stated if isinstance(state, Present)]
    if len({amount.to("d").value for amount in present}) > 1:
        return Unknown("several different intervals are stated")
    return Present(present[0])


def _repeated(timing: Timing, notes: Notes | None) -> State[Amount]:
    repeat = timing.repeat
    if repeat is None or (repeat.period is None and not unreadable(repeat, "period")):
        return NOTHING
    period = as_number(repeat.period)
    if period is None and notes:
        notes.unread(repeat, "period")
    if period is None or period <= 0 or not absent(repeat.periodMax):
        return Unknown("the interval between doses is not one number")
    if not absent(repeat.frequencyMax):
        return Unknown("the interval between doses is not one number")
    stated = repeat.frequency is not None or unreadable(repeat, "frequency")
    if stated and as_number(repeat.frequency) != 1:
        return Unknown("several doses are due in one interval")
    unit = repeat.periodUnit.strip()
    if unit not in ("d", "wk"):
        return Unknown(f"the interval of {plain(period)} '{shown(unit, 20)}' is not days or weeks")
    return Present(Amount(period, unit))


def _coded(timing: Timing) -> State[Amount]:
    code = timing.code
    if code is None:
        return NOTHING
    texts = [text for one in code.coding for text in (one.code, one.display)]
    found = {a for text in [*texts, code.text] if (a := _in_words(text)) is not None}
    if not found:
        return NOTHING
    if len({amount.to("d").value for amount in found}) > 1:
        return Unknown("several different intervals are stated")
    return Present(min(found, key=lambda amount: amount.value))


def _in_words(text: str) -> Amount | None:
    lower = text[:200].lower().strip()
    if lower in _SINGLE:
        number, unit = _SINGLE[lower]
        return Amount(Decimal(number), unit)
    match = _CODED.fullmatch(lower) or _WORDED.search(lower)
    if match is None or int(match[1]) == 0:
        return None
    return Amount(Decimal(match[1]), "wk" if match[2].startswith("w") else "d")


def day(parent: Element | None, key: str, notes: Notes | None = None) -> date | None:
    """The full date in a text element; for any other text None, and a note."""
    text: str = getattr(parent, key) if parent is not None else ""
    if not text or parent is None:
        return None
    found = as_day(text)
    if found is None and notes and text.strip():
        notes.add(f"{notes.at(parent, key)} '{shown(text)}' is not a full date")
    return found


def first_day(timings: Iterable[Timing | None], notes: Notes | None = None) -> date | None:
    """The earliest day that Timings name: their events, or the start of their bounds."""
    days = []
    for timing in filter(None, timings):
        for event in timing.event:
            found = as_day(event)
            if found:
                days.append(found)
            elif notes and event.strip():
                notes.unread(timing, "event")
        start = day(timing.repeat.boundsPeriod, "start", notes) if timing.repeat else None
        days += [start] if start else []
    return min(days, default=None)


def day_of(element: Any, stem: str, notes: Notes | None = None) -> date | None:
    """The day of a choice element: `stem`DateTime, `stem`Date, `stem`Period or `stem`Timing."""
    period: Period | None = getattr(element, f"{stem}Period")
    return (
        day(element, f"{stem}DateTime", notes)
        or day(element, f"{stem}Date", notes)
        or day(period, "start", notes)
        or first_day([getattr(element, f"{stem}Timing")], notes)
    )


def earliest(text: str) -> date | None:
    """The first day a FHIR date can mean: a partial one stands for all its days."""
    return as_day(text) or as_day(f"{text}-01") or as_day(f"{text}-01-01")


def latest(text: str) -> date | None:
    """The last day a FHIR date can mean."""
    start = as_day(f"{text}-01")
    if start:
        return start.replace(day=monthrange(start.year, start.month)[1])
    return as_day(text) or as_day(f"{text}-12-31")


# ----------------------------------------------------------------------
# What every reader of a draft resource is given, and the elements that several types share.


@dataclass(frozen=True, slots=True)
class Draft:
    """One resource being read, what it is called, how to look beyond it, and the notes on what of
    it could not be read. `resource` is a struct of the type that the reader is for."""

    resource: Any
    reference: str
    systems: CodeSystems
    resolve: Resolve
    notes: Notes

    @property
    def kind(self) -> str:
        return str(self.resource.kind)

    @property
    def unread(self) -> tuple[str, ...]:
        return tuple(self.notes.sentences)

    def reasons(self, written: Iterable[CodeableConcept]) -> tuple[Code, ...]:
        """Reasons; one that is only text becomes a Code with a display alone."""
        said = (concept(one, self.systems, self.notes) for one in written)
        return tuple(code for one in said for code in reason(one))


def reason(read: Concept) -> tuple[Code, ...]:
    """A reason's codes; ICD-10 written without dots and system is not taken for HCPCS."""
    codes = tuple(
        Code("" if code.system in BILLING_SYSTEMS else code.system, code.code, code.display)
        for code in read.codes
    )
    return codes or tuple(Code("", "", name) for name in read.names[:1])


def references(written: Iterable[Reference | None]) -> tuple[str, ...]:
    """The reference strings, without versions, nothing twice."""
    found = (unversioned(one.reference) for one in written if one)
    return tuple(dict.fromkeys(text for text in found if text))


# ----------------------------------------------------------------------
# medication[x] and Medication to codes, names and lot.
#
# The drug can stand in a CodeableConcept, in a contained Medication, in one elsewhere, or only in
# the display of a reference nobody can follow (Epic, conformance A6.4). In mixtures the codes
# may stand on the ingredients while `code` has only text (Oracle, D1.5).


@dataclass(frozen=True, slots=True)
class Product:
    """What an order says of its drug."""

    concept: Concept
    lot: State[str] = NOTHING
    expires: State[date] = NOTHING


def product(draft: Draft, stem: str) -> Product:
    """The drug of a choice element: `stem`CodeableConcept, `stem`Reference, or both.

    R5 has `stem`.concept and `stem`.reference in their place; some R4 servers send that.
    """
    resource, systems, notes = draft.resource, draft.systems, draft.notes
    later = getattr(resource, stem)
    said = concept(getattr(resource, f"{stem}CodeableConcept"), systems, notes)
    if later:
        said = joined([said, concept(later.concept, systems, notes)])
    reference = getattr(resource, f"{stem}Reference") or (later.reference if later else None)
    if reference is None:
        return Product(said)
    medication = _medication(draft, reference)
    parts = [said, named(reference.display)]
    if medication is None:
        return Product(joined(parts))
    parts.append(concept(medication.code, systems, notes))
    parts += [_ingredient(draft, medication, one) for one in medication.ingredient]
    return Product(joined(parts), _lot(medication), _expires(medication))


def _medication(draft: Draft, reference: Reference) -> MedicationResource | None:
    """The Medication a reference means, or None and a note why it could not be seen."""
    target = reference.reference.strip()
    if not target:
        draft.notes.add("the medication is named without a reference, so only its name was read")
        return None
    inside = target.startswith("#")
    found = contained(draft.resource, target, draft.notes) if inside else _elsewhere(draft, target)
    if isinstance(found, MedicationResource):
        return found
    draft.notes.add(
        f"the medication {shown(target)} could not be looked up, so only its name was read"
    )
    return None


def _elsewhere(draft: Draft, target: str) -> Resource | None:
    found: Any = draft.resolve(target)
    resource = decoded(found, "Medication") if found else None
    if resource:
        draft.notes.also("Medication", resource)
    return resource


def _ingredient(draft: Draft, medication: MedicationResource, ingredient: Ingredient) -> Concept:
    coded = concept(ingredient.itemCodeableConcept, draft.systems, draft.notes)
    reference = ingredient.itemReference
    if reference is None:
        return coded
    parts = [coded, named(reference.display)]
    target = reference.reference.strip()
    item: Resource | None = None  # the ingredient's own resource, one step deep
    if target.startswith("#"):
        item = contained(medication, target, draft.notes)
        item = item or contained(draft.resource, target, draft.notes)
    elif target:
        item = _elsewhere(draft, target)
    parts.append(concept(getattr(item, "code", None), draft.systems, draft.notes))
    return joined(parts)


def _lot(medication: MedicationResource) -> State[str]:
    batch = medication.batch
    if batch is None:
        unread = unreadable(medication, "batch")
        return Unknown("the batch could not be read") if unread else NOTHING
    lot = batch.lotNumber.strip()
    return Present(shown(lot)) if lot else NOTHING


def _expires(medication: MedicationResource) -> State[date]:
    """The day the batch expires; a month alone is asked about."""
    said = medication.batch.expirationDate.strip() if medication.batch else ""
    day = as_day(said)
    if day is None:
        return Unknown("the expiry date is not a whole day") if said else NOTHING
    return Present(day)
