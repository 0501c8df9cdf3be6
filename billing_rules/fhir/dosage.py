"""Dosage to one dose and one route: what is given at one visit, or why that is not known.

Epic sends several `doseAndRate` for one dose, told apart by type (calculated, admin-amount,
ordered; standards.md A6.5). The ordered one counts; nothing is added up and nothing is taken by
its position.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from billing_rules.amounts import Amount
from billing_rules.fhir import quantities
from billing_rules.fhir.codes import CodeSystems, Concept, concept
from billing_rules.fhir.lenient import Notes
from billing_rules.fhir.shapes import Dosage, DoseAndRate, Element, unreadable
from billing_rules.fhir.tolerant import absent
from billing_rules.model import Dose
from billing_rules.states import NOTHING, Nothing, Present, State, Unknown

_PREFERRED = ("ordered", "calculated")
_ROUTES = {  # SNOMED CT, free set of 2020 (billing_facts_addendum.md section 5)
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
    return quantities.dose(rate, "doseQuantity", notes)


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
    said = [
        concept(dosage.route, systems, notes)
        for dosage in dosages
        if dosage and (dosage.route or unreadable(dosage, "route"))
    ]
    return route_of(said) if said else NOTHING


def route_of(said: Iterable[Concept]) -> State[str]:
    """The one route that all of `said` name."""
    routes = [_route(concept) for concept in said]
    words = list(dict.fromkeys(r.value if isinstance(r, Present) else "" for r in routes))
    if not words:
        return NOTHING
    if "" in words:
        return Unknown("the route could not be read")
    return Present(words[0]) if len(words) == 1 else Unknown("several routes are stated")


def _route(read: Concept) -> State[str]:
    known = (_ROUTES.get(code.code) for code in read.codes if code.system == "snomed")
    coded = next((name for name in known if name), None)
    if coded:
        return Present(coded)
    return Present(read.names[0].lower()) if read.names else Unknown("the route has no words")
