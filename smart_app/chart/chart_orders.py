"""The orders of catalogued drugs in a chart, each reviewed as a card would have reviewed it.

Most pages show one order of however many there are, so an order is reviewed when it is looked at.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from billing_rules.assess import PatientChart, read_orders
from billing_rules.fhir.json.decoding import JsonObject, same
from billing_rules.fhir.json.values import as_day
from billing_rules.fhir.read.orders import READERS
from billing_rules.fhir.read.therapies import Given
from billing_rules.model.entities import DrugOrder, OrderLine, Stage
from billing_rules.orders.case import Case
from billing_rules.orders.drug_orders import concerns_catalogue
from billing_rules.review import OrderReview, cases, reviewed
from ehr_access.resources import encounter_id
from service_parts.log_events import fault

log = logging.getLogger("smart_app")

CURRENT = ("draft", "active", "on-hold", "")  # what is withdrawn or done is left out


@dataclass(frozen=True, repr=False)  # without slots: cached_property keeps its value in __dict__
class FoundOrder:
    """One order of a catalogued drug: the resources it is, and what the rules saw and said of it.

    `judge` makes the case; `written` is the day it was written, `status` as the EHR has it.
    """

    order: DrugOrder
    judge: Callable[[], Case]
    resources: tuple[JsonObject, ...]
    written: date | None
    status: str

    @cached_property
    def case(self) -> Case:
        """What the rules are given."""
        return self.judge()

    @cached_property
    def review(self) -> OrderReview:
        return reviewed(self.case, _log_fault)

    @property
    def reference(self) -> str:
        """The reference that stands for the order in addresses."""
        return self.order.references[0]

    def is_named(self, reference: str) -> bool:
        return any(same(own, reference) for own in self.order.references)


def _log_fault(what: str, error: Exception) -> None:
    """One rule that fails costs no page: it stands as not checked."""
    log.error("%s: %s", what, fault(error))


def current_orders(
    resources: Iterable[JsonObject], named: Iterable[JsonObject]
) -> list[JsonObject]:
    """Every order resource once, those that were withdrawn left out; `named` ones always."""
    current = (one for one in resources if (one.get("status") or "") in CURRENT)
    found: dict[str, JsonObject] = {}
    for resource in (*named, *current):
        if resource.get("resourceType") in READERS:
            found.setdefault(reference_of(resource), resource)
    return list(found.values())


def reference_of(resource: JsonObject) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def reviewed_orders(
    found: Iterable[JsonObject],
    along: Iterable[JsonObject],
    doses: Sequence[Given],
    patient: PatientChart,
    together: Sequence[str] = (),
) -> tuple[FoundOrder, ...]:
    """Those of catalogued drugs among `found`, newest first; `along` are Medications they name,
    `doses` all that the chart has as given, `together` the orders that a card judged together."""
    beside, catalogue = list(along), patient.catalogue
    orders: list[FoundOrder] = []
    for group in _groups(found, together):
        lines = read_orders(group, catalogue, [beside])
        if concerns_catalogue(lines, catalogue):
            own = {line.reference for line in lines}
            dosed = _with_their_day(lines, doses)
            orders += (
                _found(order, case, group)
                for order, case in cases(
                    dosed, patient.chart, catalogue, patient.day, past=patient.past
                )
                if own & set(order.references)
            )
    return tuple(sorted(orders, key=_newest_first))


def _with_their_day(lines: Sequence[OrderLine], doses: Sequence[Given]) -> Sequence[OrderLine]:
    """The lines; for a dose that was given, everything charted of its day, as the card judges it.

    The containers opened stand on a dispense, the discarded amount in a record of its own: the
    administration alone would be called uncharted.
    """
    days = {line.date_of_service for line in lines if line.stage is Stage.GIVEN}
    charted = [dose.line for dose in doses if dose.line.date_of_service in days]
    known = {line.reference for line in charted}
    return (*charted, *(line for line in lines if line.reference not in known))


def _found(order: DrugOrder, judge: Callable[[], Case], group: Iterable[JsonObject]) -> FoundOrder:
    own = tuple(r for r in group if reference_of(r) in order.references)
    first = own[0] if own else {}
    status = first.get("status")
    return FoundOrder(
        order, judge, own, written_on(first), status if isinstance(status, str) else ""
    )


def _groups(found: Iterable[JsonObject], together: Sequence[str]) -> Iterator[list[JsonObject]]:
    """Orders that are judged together: those of the card that the app was opened from, and of the
    others those that were written together, as a hook request would hold them.

    What the card did not see is never added to what it saw: another draft of the same day and visit
    would make its dose a larger one.
    """
    groups: dict[tuple[object, ...], list[JsonObject]] = {}
    for resource in found:
        reference = reference_of(resource)
        of_card = any(same(one, reference) for one in together)
        groups.setdefault(("card",) if of_card else _together(resource), []).append(resource)
    yield from groups.values()


def _together(resource: JsonObject) -> tuple[object, ...]:
    """The requisition an order belongs to; where it names none, the day and visit of its writing.

    Drafts go with drafts only: those signed already are another order.
    """
    drafted = resource.get("status") == "draft"
    identifier = resource.get("groupIdentifier") or resource.get("requisition")
    if isinstance(identifier, dict) and identifier.get("value"):
        return drafted, json.dumps(identifier, sort_keys=True, default=str)
    written = written_on(resource)
    if written is None and not drafted:
        return drafted, reference_of(resource)
    return drafted, written, encounter_id(resource)


def written_on(resource: JsonObject) -> date | None:
    return as_day(resource.get("authoredOn")) or as_day(resource.get("occurrenceDateTime"))


def _newest_first(order: FoundOrder) -> tuple[int, str]:
    day = order.written or order.order.date_of_service
    return -day.toordinal(), order.reference
