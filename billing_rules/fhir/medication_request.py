"""MedicationRequest: what is ordered, how often, and what is dispensed."""

from __future__ import annotations

from billing_rules.fhir.dosage import ordered_dose, route
from billing_rules.fhir.drafts import Draft, reasons, references
from billing_rules.fhir.medications import product
from billing_rules.fhir.quantities import Supply, dispensed
from billing_rules.fhir.timing import first_day, interval
from billing_rules.model import OrderLine
from billing_rules.states import Unknown


def read(draft: Draft) -> tuple[OrderLine, ...]:
    """One line a MedicationRequest; docs/order-content.md says which element each field is."""
    node = draft.node
    drug = product(draft, "medication")
    dosages = node.objs("dosageInstruction")
    supply = _supply(draft, drug.concept.billed)
    if not drug.concept.codes and not drug.concept.names:
        node.note("no medication is named that could be read")
    return (
        OrderLine(
            draft.reference,
            draft.kind,
            codes=drug.concept.codes,
            names=drug.concept.names,
            dose=ordered_dose(node),
            billed=supply.billed,
            containers=supply.containers,
            supplied=supply.supplied,
            modifiers=drug.concept.modifiers,
            date_of_service=first_day([t for d in dosages for t in d.objs("timing")]),
            interval=interval(dosages),
            route=route(dosages, draft.systems),
            reasons=reasons(draft),
            reason_references=references(node.objs("reasonReference")),
            coverages=references(node.objs("insurance")),
            lot=drug.lot,
            unread=draft.unread,
        ),
    )


def _supply(draft: Draft, coded_in_hcpcs: bool) -> Supply:
    request = draft.node.obj("dispenseRequest")
    if not request and draft.node.has("dispenseRequest"):
        doubt = Unknown("the dispense request could not be read")
        return Supply(billed=doubt, containers=doubt, supplied=doubt)
    return dispensed(request, "quantity", coded_in_hcpcs)
