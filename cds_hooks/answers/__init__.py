"""What each service answers: the reviews that its cards are written from.

One module a service; each is one function `reviewed`, read from top to bottom. All of them read
with billing_rules.assess and judge with it, through judging.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from billing_rules.review import OrderReview
from cds_hooks import services
from cds_hooks.answers import administered, appointment, dispatch, order_review
from cds_hooks.answers.judging import Basis
from cds_hooks.hook_request import HookRequest
from cds_hooks.services import Service

__all__ = ["ANSWERS", "Basis", "reviewed"]

Reviewed = tuple[OrderReview, ...] | None  # None: nothing in the request is for a catalogued drug

ANSWERS: Mapping[str, Callable[[HookRequest, Basis], Reviewed]] = {
    services.ORDERS.id: order_review.reviewed,
    services.DISPATCH.id: dispatch.reviewed,
    services.GIVEN.id: administered.reviewed,
    services.APPOINTMENT.id: appointment.reviewed,
}


def reviewed(hook: HookRequest, service: Service, basis: Basis) -> Reviewed:
    """The reviews that `service` writes cards from. Raises Refused (412, 413) for a request that
    it cannot answer, and AnotherPatient when any of it is about somebody else."""
    return ANSWERS[service.id](hook, basis)
