"""ServiceRequest carrying a billing code: its quantity is the billing units."""

from __future__ import annotations

from billing_rules.fhir import quantities
from billing_rules.fhir.codes import concept
from billing_rules.fhir.drafts import Draft, reasons, references
from billing_rules.fhir.timing import day_of
from billing_rules.model import Counted, OrderLine
from billing_rules.states import State, Unknown


def read(draft: Draft) -> tuple[OrderLine, ...]:
    """One line a ServiceRequest; docs/order-content.md says which element each field is."""
    node = draft.node
    said = concept(node.obj("code"), draft.systems)
    billed = _billed(draft)
    if not said.codes and not said.names:
        node.note("no service is named that could be read")
    return (
        OrderLine(
            draft.reference,
            draft.kind,
            codes=said.codes,
            names=said.names,
            billed=billed,
            modifiers=said.modifiers,
            date_of_service=day_of(node, "occurrence"),
            reasons=reasons(draft),
            reason_references=references(node.objs("reasonReference")),
            coverages=references(node.objs("insurance")),
            unread=draft.unread,
        ),
    )


def _billed(draft: Draft) -> State[Counted]:
    if draft.node.has("quantityRange") or draft.node.has("quantityRatio"):
        return Unknown("the quantity is not one number")
    return quantities.billed(draft.node, "quantityQuantity")
