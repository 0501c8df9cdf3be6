"""medication[x] and Medication to codes, names and lot.

The drug can stand in a CodeableConcept, in a contained Medication, in one elsewhere, or only in
the display of a reference nobody can follow (Epic, standards.md A6.4). In mixtures the codes may
stand on the ingredients while `code` has only text (Oracle, D1.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from billing_rules.fhir.codes import Concept, concept, joined, named
from billing_rules.fhir.drafts import Draft
from billing_rules.fhir.references import contained
from billing_rules.fhir.tolerant import Node, as_day, shown
from billing_rules.states import NOTHING, Present, State, Unknown

_PRODUCTS = ("Medication", "Substance", "")


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
    later = draft.node.obj(stem) if stem in draft.node.value else Node({})
    said = joined(
        concept(node, draft.systems)
        for node in (draft.node.obj(f"{stem}CodeableConcept"), later.obj("concept"))
    )
    reference = draft.node.obj(f"{stem}Reference") or later.obj("reference")
    if not reference:
        return Product(said)
    medication = _medication(draft, reference)
    parts = [said, named(reference.text("display"))]
    if medication:
        parts.append(_said_of(draft, medication))
        return Product(joined(parts), _lot(medication), _expires(medication))
    return Product(joined(parts))


def _medication(draft: Draft, reference: Node) -> Node:
    """The Medication a reference means, or an empty Node and a note why it could not be seen."""
    target = reference.text("reference")
    nowhere = Node({}, "", draft.node.unread)
    if not target:
        draft.node.note("the medication is named without a reference, so only its name was read")
        return nowhere
    found = contained(draft.node, target) if target.startswith("#") else _elsewhere(draft, target)
    if not found or found.text("resourceType") not in _PRODUCTS:
        draft.node.note(
            f"the medication {shown(target)} could not be looked up, so only its name was read"
        )
        return nowhere
    return found


def _elsewhere(draft: Draft, target: str) -> Node:
    resource = draft.resolve(target)
    return Node(resource if isinstance(resource, dict) else {}, "Medication", draft.node.unread)


def _said_of(draft: Draft, medication: Node) -> Concept:
    return joined(
        [
            concept(medication.obj("code"), draft.systems),
            *(_ingredient(draft, medication, node) for node in medication.objs("ingredient")),
        ]
    )


def _ingredient(draft: Draft, medication: Node, ingredient: Node) -> Concept:
    coded = concept(ingredient.obj("itemCodeableConcept"), draft.systems)
    reference = ingredient.obj("itemReference")
    parts = [coded, named(reference.text("display"))]
    for item in _referenced(draft, medication, reference.text("reference")):
        parts.append(concept(item.obj("code"), draft.systems))
    return joined(parts)


def _referenced(draft: Draft, medication: Node, target: str) -> Iterator[Node]:
    """The ingredient's own resource, one step deep: contained here or there, or elsewhere."""
    if target.startswith("#"):
        yield contained(medication, target) or contained(draft.node, target)
    elif target:
        yield _elsewhere(draft, target)


def _lot(medication: Node) -> State[str]:
    batch = medication.obj("batch")
    if not batch:
        return Unknown("the batch could not be read") if medication.has("batch") else NOTHING
    lot = batch.text("lotNumber")
    return Present(shown(lot)) if lot else NOTHING


def _expires(medication: Node) -> State[date]:
    """The day the batch expires; a month alone is asked about."""
    said = medication.obj("batch").text("expirationDate")
    day = as_day(said)
    if day is None:
        return Unknown("the expiry date is no whole day") if said else NOTHING
    return Present(day)
