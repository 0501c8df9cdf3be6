"""What every reader of a draft resource is given, and the elements that several types share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from billing_rules.fhir.json.codes import (
    BILLING_SYSTEMS,
    CodeSystems,
    Concept,
    concept,
    joined,
    named,
)
from billing_rules.fhir.json.decoding import contained, decoded
from billing_rules.fhir.json.references import Resolve, unversioned
from billing_rules.fhir.json.shapes import (
    CodeableConcept,
    Ingredient,
    MedicationResource,
    Reference,
    Resource,
    unreadable,
)
from billing_rules.fhir.json.values import Notes, as_day, shown
from billing_rules.model.entities import Code
from billing_rules.model.states import NOTHING, Present, State, Unknown


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
