"""What each service makes of a request: the reviews its cards are written from.

One module a service; each is one function `reviewed`, read from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cds_hooks import services
from cds_hooks.answers import appointment, dispatch, given, orders
from cds_hooks.answers.call import Call, Reviewed

__all__ = ["ANSWERS", "Call", "Reviewed"]

# None: there is nothing of ours in the request
ANSWERS: Mapping[str, Callable[[Call], Reviewed | None]] = {
    services.ORDERS.id: orders.reviewed,
    services.DISPATCH.id: dispatch.reviewed,
    services.GIVEN.id: given.reviewed,
    services.APPOINTMENT.id: appointment.reviewed,
}
