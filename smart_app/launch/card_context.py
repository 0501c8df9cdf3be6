"""Which order a card's link meant: the appContext of the launch, if it can be used.

It comes through the EHR, which may drop it, and through whatever carried it there; a bad one costs
nothing but the short cut to the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ehr_access.app_context import Refusal, opened
from smart_app.settings import RegisteredEhr


@dataclass(frozen=True, slots=True, repr=False)
class CardOrder:
    """The order, the rules that spoke there and the orders it was judged together with; or `note`,
    the sentence why they are not known."""

    order: str = ""
    rules: tuple[str, ...] = ()
    note: str = ""
    together: tuple[str, ...] = ()


def order_of_card(
    text: Any, patient_id: str, ehr: RegisteredEhr, key: bytes, now: datetime
) -> CardOrder:
    """What `text` stands for, for this patient at this EHR; never an error."""
    if not isinstance(text, str) or not text:
        return CardOrder()
    found = opened(text, key, patient_id, ehr.fhir_base, now) if key else Refusal.FOREIGN
    if isinstance(found, Refusal):
        return CardOrder(note=f"The link of the card cannot be used: {found.value}.")
    return CardOrder(found.order, found.rules, together=found.together)
