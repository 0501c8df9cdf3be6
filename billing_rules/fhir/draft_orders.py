"""Draft orders to lines in billing words: one module per resource type, none voids the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from billing_rules.fhir import (
    charge_item,
    claim,
    medication_administration,
    medication_request,
    service_request,
)
from billing_rules.fhir.codes import CodeSystems
from billing_rules.fhir.drafts import Draft
from billing_rules.fhir.references import Resolve, Resource, resolver, selected
from billing_rules.model import OrderLine

READERS: Mapping[str, Callable[[Draft], tuple[OrderLine, ...]]] = {
    "MedicationRequest": medication_request.read,
    "ServiceRequest": service_request.read,
    "ChargeItem": charge_item.read,
    "Claim": claim.read,
    "MedicationAdministration": medication_administration.read,
}
_WITHDRAWN = ("entered-in-error", "cancelled")


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

    def find(reference: str) -> Resource | None:
        found = inside(reference)
        return found if found is not None else resolve(reference)

    drafts = (
        Draft.of(resource, position, known, find)
        for position, resource in enumerate(everything)
        if isinstance(resource, dict)
    )
    return tuple(
        line
        for draft in drafts
        if draft.kind in READERS and selected(draft.reference, only) and not _withdrawn(draft)
        for line in READERS[draft.kind](draft)
    )


def _withdrawn(draft: Draft) -> bool:
    status = draft.node.text("status").lower()
    return status in _WITHDRAWN or draft.node.value.get("doNotPerform") is True
