"""The quantity of an NDC on a claim line: another number than the HCPCS units beside it.

Liquid is counted in millilitres (ML), powder for injection in vials (UN). Where the catalogue does
not say what a container holds, or how many millilitres, the quantity is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from billing_rules.amounts import Amount, plain
from billing_rules.model import Container, Source
from billing_rules.states import Present, State, Unknown


def _source(quote: str) -> Source:
    return Source(
        "Community First Health Plans, NDC billing guidelines",
        "https://communityfirsthealthplans.com/hhsc-news/provider-notice-ndc-billing-guidelines",
        date(2026, 11, 24),
        "B",
        quote,
    )


# what each qualifier rests on
SOURCES = {
    "UN": _source("UN (Unit) — Powder-filled vials for injection (needs to be reconstituted)"),
    "ML": _source("ML (Milliliter) — Liquid, solution, or suspension"),
}
_PLACES = Decimal("0.001")  # "numeric quantity ... followed by three decimal places" (Medi-Cal)


@dataclass(frozen=True, slots=True)
class Quantity:
    """`number` of `qualifier`: UN is a unit, here a vial; ML a millilitre."""

    number: Decimal
    qualifier: Literal["UN", "ML"]

    def __str__(self) -> str:
        return f"{self.qualifier}{plain(self.number).replace(',', '')}"


def quantity_of(drug_amount: Amount, container: Container) -> State[Quantity]:
    """The quantity that holds `drug_amount`, of one kind of container."""
    share = drug_amount.to(container.strength.unit).value / container.strength.value
    if container.contents == "powder":
        return Present(Quantity(_rounded(share), "UN"))
    if container.contents == "not stated":
        return Unknown("the catalogue does not say whether it holds powder or liquid")
    if container.volume is None:
        return Unknown("the catalogue does not say how many millilitres it holds")
    return Present(Quantity(_rounded(share * container.volume.to("mL").value), "ML"))


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(_PLACES, ROUND_HALF_UP).normalize()
