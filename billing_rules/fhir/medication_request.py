"""MedicationRequest: what is ordered, how often, and what is dispensed."""

from __future__ import annotations

from billing_rules.fhir.dosage import ordered_dose, route
from billing_rules.fhir.drafts import Draft, references
from billing_rules.fhir.medications import product
from billing_rules.fhir.quantities import Supply, dispensed
from billing_rules.fhir.shapes import MedicationRequestResource, unreadable
from billing_rules.fhir.timing import first_day, interval
from billing_rules.model import OrderLine
from billing_rules.states import Unknown


def read(draft: Draft) -> tuple[OrderLine, ...]:
    """One line a MedicationRequest; docs/order-content.md says which element each field is."""
    order: MedicationRequestResource = draft.resource
    notes = draft.notes
    drug = product(draft, "medication")
    supply = Supply()
    if order.dispenseRequest:
        supply = dispensed(order.dispenseRequest, "quantity", drug.concept.billed, notes)
    elif unreadable(order, "dispenseRequest"):
        doubt = Unknown("the dispense request could not be read")
        supply = Supply(billed=doubt, containers=doubt, supplied=doubt)
    if not drug.concept.codes and not drug.concept.names:
        notes.add("no medication is named that could be read")
    return (
        OrderLine(
            draft.reference,
            draft.kind,
            codes=drug.concept.codes,
            names=drug.concept.names,
            dose=ordered_dose(order, order.dosageInstruction, notes),
            billed=supply.billed,
            containers=supply.containers,
            supplied=supply.supplied,
            modifiers=drug.concept.modifiers,
            date_of_service=first_day([d.timing for d in order.dosageInstruction], notes),
            interval=interval(order.dosageInstruction, notes),
            route=route(order.dosageInstruction, draft.systems, notes),
            reasons=draft.reasons(order.reasonCode),
            reason_references=references(order.reasonReference),
            coverages=references(order.insurance),
            lot=drug.lot,
            unread=draft.unread,
        ),
    )
