"""Draft orders to lines in billing words: one module per resource type, none voids the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from billing_rules.fhir import (
    charge_item,
    claim,
    medication_administration,
    medication_request,
    service_request,
)
from billing_rules.fhir.codes import CodeSystems, concept
from billing_rules.fhir.decoding import WITHDRAWN, decoded
from billing_rules.fhir.drafts import Draft
from billing_rules.fhir.lenient import Notes
from billing_rules.fhir.references import Resolve, Resource, own_reference, resolver, selected
from billing_rules.fhir.shapes import MedicationRequestResource, ServiceRequestResource
from billing_rules.model import OrderLine

READERS: Mapping[str, Callable[[Draft], tuple[OrderLine, ...]]] = {
    "MedicationRequest": medication_request.read,
    "ServiceRequest": service_request.read,
    "ChargeItem": charge_item.read,
    "Claim": claim.read,
    "MedicationAdministration": medication_administration.read,
}


def named_by_themselves(
    resources: Iterable[Resource], systems: Mapping[str, str]
) -> tuple[OrderLine, ...] | None:
    """What the drafts are for, when each says it in its own codes and words: lines that hold these
    alone. None when any could say more (by a reference, in extensions, in items): then only
    `draft_orders` tells. Most drafts are for nothing that concerns us, and this is all to be read
    of them.
    """
    known = CodeSystems(systems)
    lines: list[OrderLine] = []
    for position, written in enumerate(resources):
        kind = written.get("resourceType") if isinstance(written, dict) else None
        if not isinstance(kind, str) or kind.strip() not in READERS:
            continue
        resource = decoded(dict(written))
        if isinstance(resource, MedicationRequestResource):
            if resource.medicationReference or resource.medication:
                return None
            said = concept(resource.medicationCodeableConcept, known)
        elif isinstance(resource, ServiceRequestResource):
            said = concept(resource.code, known)
        else:
            return None
        if not said.codes and not said.names:
            return None
        if resource.doNotPerform is not True and resource.status.strip().lower() not in WITHDRAWN:
            reference = own_reference(written, position)
            lines.append(OrderLine(reference, resource.kind, codes=said.codes, names=said.names))
    return tuple(lines)


def draft_orders(
    resources: Iterable[Resource],
    systems: Mapping[str, str],
    resolve: Resolve,
    only: frozenset[str] | None = None,
) -> tuple[OrderLine, ...]:
    """The lines of all draft orders among `resources`, in their order. Never raises for JSON.

    `systems` is the catalogue's URI -> short name; `resolve` finds a Medication that is not among
    `resources`, or answers None; `only` holds references to judge (order-select's selections).
    Resources of other types, withdrawn ones and orders not to do something give no line.
    """
    everything = list(resources)
    known = CodeSystems(systems)
    inside = resolver(everything)

    def find(reference: str) -> object:
        found = inside(reference)
        return found if found is not None else resolve(reference)

    lines: list[OrderLine] = []
    for position, written in enumerate(everything):
        kind = written.get("resourceType") if isinstance(written, dict) else None
        if not isinstance(kind, str) or kind.strip() not in READERS:
            continue
        reference = own_reference(written, position)
        resource: Any = decoded(dict(written)) if selected(reference, only) else None
        if resource is None or resource.doNotPerform is True:
            continue
        if resource.status.strip().lower() not in WITHDRAWN:
            draft = Draft(resource, reference, known, find, Notes(resource))
            lines += READERS[resource.kind](draft)
    return tuple(lines)
