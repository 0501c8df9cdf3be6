"""ServiceRequest carrying a billing code: its quantity is the billing units."""

from __future__ import annotations

from billing_rules.fhir import quantities
from billing_rules.fhir.codes import concept
from billing_rules.fhir.drafts import Draft, references
from billing_rules.fhir.shapes import ServiceRequestResource
from billing_rules.fhir.timing import day_of
from billing_rules.fhir.tolerant import absent
from billing_rules.model import Counted, OrderLine
from billing_rules.states import State, Unknown


def read(draft: Draft) -> tuple[OrderLine, ...]:
    """One line a ServiceRequest; docs/order-content.md says which element each field is."""
    order: ServiceRequestResource = draft.resource
    notes = draft.notes
    said = concept(order.code, draft.systems, notes)
    billed: State[Counted] = Unknown("the quantity is not one number")
    if absent(order.quantityRange) and absent(order.quantityRatio):
        billed = quantities.billed(order, "quantityQuantity", notes)
    if not said.codes and not said.names:
        notes.add("no service is named that could be read")
    return (
        OrderLine(
            draft.reference,
            draft.kind,
            codes=said.codes,
            names=said.names,
            billed=billed,
            modifiers=said.modifiers,
            date_of_service=day_of(order, "occurrence", notes),
            reasons=draft.reasons(order.reasonCode),
            reason_references=references(order.reasonReference),
            coverages=references(order.insurance),
            unread=draft.unread,
        ),
    )
