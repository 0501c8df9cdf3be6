"""An order as it would be with another dose, other containers, another payer or day."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from billing_rules.amounts import Amount
from billing_rules.case import Case
from billing_rules.catalogue import Catalogue
from billing_rules.model import ContainerCount
from billing_rules.payers import PayerChoice
from billing_rules.review import case_of
from billing_rules.states import NOTHING, Present


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked about; None leaves it as it is.

    `opened` empty: the containers that discard least are worked out anew.
    """

    dose: Amount | None = None
    opened: tuple[ContainerCount, ...] | None = None
    payer_id: str | None = None
    on: date | None = None


def changed(case: Case, change: Change, catalogue: Catalogue) -> Case:
    """The case as it would be, with everything resolved for the day that is asked about."""
    order = case.order
    if change.dose is not None:
        order = replace(order, dose=Present(change.dose), dose_as_written=str(change.dose))
    if change.opened is not None:
        containers = Present(change.opened) if change.opened else NOTHING
        order = replace(order, containers=containers)
    if change.on is not None:
        order = replace(order, date_of_service=change.on)
    chosen = PayerChoice(change.payer_id, "asked about here") if change.payer_id else None
    return case_of(order, (order,), case.chart, catalogue, chosen)
