"""Which order a card's link meant: the appContext of the launch, if it can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from smart_app.settings import RegisteredEhr


@dataclass(frozen=True, slots=True, repr=False)
class Meant:
    """The order and the rules that spoke there; or `note`, the sentence why they are not known."""

    order: str = ""
    rules: tuple[str, ...] = ()
    note: str = ""


def meant(text: Any, patient_id: str, ehr: RegisteredEhr, key: bytes) -> Meant:
    """What `text` stands for, for this patient at this EHR; never an error."""
    return Meant()
