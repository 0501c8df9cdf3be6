"""Orders that were given, and what is entered to close them out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from billing_rules.catalogue import Catalogue
from billing_rules.claims.administration_record import Closing, OpenedContainers
from billing_rules.model.chart import Chart
from billing_rules.model.entities import Amount, Code, Dose, OrderLine, ndc_candidates
from billing_rules.model.states import Present
from billing_rules.review import OrderReview, review

ON = date(2026, 11, 23)
VIAL, SYRINGE_150, SYRINGE_75 = "50242-040-62", "50242-215-01", "50242-214-01"
CHART = Chart()


def mg(value: str | int) -> Amount:
    return Amount(Decimal(str(value)), "mg")


def row(code: str = VIAL, count: int = 2, lot: str = "FX1", expires: date | None = None) -> Any:
    return OpenedContainers(ndc_candidates(code)[0], count, lot, expires)


def closing(dose: str | int = 225, *opened: OpenedContainers, **more: Any) -> Closing:
    said = {"discarded": mg(75), "sites": ("left arm",), "observed": "10:05 to 12:05"}
    return Closing(ON, mg(dose), opened or (row(),), **{**said, **more})


def planned(
    catalogue: Catalogue,
    dose: str = "225",
    drug: str = "omalizumab",
    payer: str = "medicare-part-b",
) -> OrderReview:
    line = OrderLine(
        "MedicationRequest/1",
        "MedicationRequest",
        codes=(Code("hcpcs", catalogue.drug(drug, ON).hcpcs or ""),),
        names=(drug,),
        dose=Present(Dose(mg(dose))),
        date_of_service=ON,
    )
    (found,) = review([line], CHART, catalogue, ON, payer)
    return found
