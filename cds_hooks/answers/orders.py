"""order-select and order-sign: drafts before they are signed (CDS Hooks Library 1.0.1)."""

from __future__ import annotations

from billing_rules.fhir import reading
from cds_hooks import drafts, selection
from cds_hooks.answers import drafted
from cds_hooks.answers.call import Call, Reviewed
from cds_hooks.contexts import OrderContext


def reviewed(call: Call) -> Reviewed | None:
    """The drafts that are meant, with all that the chart says of them."""
    context = call.hook.context
    assert isinstance(context, OrderContext)
    resources = tuple(reading.entries(context.draft_orders))
    orders = drafted.Orders(resources, context.draft_orders, context.selections)
    found = drafted.reviews(call, orders, call.service.needs)
    if found is None:
        return None
    correctable = drafts.correctable(resources, context.selections)
    spoken = selection.spoken_of(found, context.selections)
    return Reviewed(spoken, correctable, frozenset(correctable))
