"""order-select and order-sign: drafts before they are signed (CDS Hooks Library 1.0.1)."""

from __future__ import annotations

from dataclasses import replace

from billing_rules.fhir import reading
from billing_rules.review import OrderReview
from billing_rules.rules import DOCUMENTATION_NAMES
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
    if call.hook.hook == "order-select" and not call.settings.documentation_at_select:
        spoken = tuple(_without_documentation(review) for review in spoken)
    return Reviewed(spoken, correctable, frozenset(correctable))


def _without_documentation(review: OrderReview) -> OrderReview:
    """Documentation is asked for when the order is signed."""
    kept = (o for o in review.outcomes if o.rule not in DOCUMENTATION_NAMES)
    return replace(review, outcomes=tuple(kept))
