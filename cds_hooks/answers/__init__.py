"""What each service answers: the reviews that its cards are written from.

One module a service; each is one function `reviewed`, read from top to bottom. All of them read
with billing_rules.assess and judge with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from billing_rules.review import OrderReview
from cds_hooks import services
from cds_hooks.answers import administered, appointment, dispatch, order_review
from cds_hooks.answers.order_review import Basis
from cds_hooks.request.hook_request import HookRequest

__all__ = ["ANSWERS", "Basis"]

Reviewed = tuple[OrderReview, ...] | None  # None: nothing in the request is for a catalogued drug

# By service id. Each raises Refused (412, 413) for a request that it cannot answer, and
# AnotherPatient when any of it is about somebody else.
ANSWERS: Mapping[str, Callable[[HookRequest, Basis], Reviewed]] = {
    services.ORDERS.id: order_review.reviewed,
    services.DISPATCH.id: dispatch.reviewed,
    services.GIVEN.id: administered.reviewed,
    services.APPOINTMENT.id: appointment.reviewed,
}
