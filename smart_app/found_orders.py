"""The orders of catalogued drugs in a chart, each reviewed as a card would have reviewed it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from billing_rules.case import Case
from billing_rules.catalogue import Catalogue
from billing_rules.chart import Chart
from billing_rules.fhir import reading
from billing_rules.fhir.draft_orders import READERS
from billing_rules.fhir.given import Given
from billing_rules.fhir.references import Resource, same
from billing_rules.fhir.tolerant import as_day
from billing_rules.model import OrderLine
from billing_rules.recognise import concerns_catalogue
from billing_rules.review import OrderReview, cases, reviewed
from ehr_access.resources import encounter_id

CURRENT = ("draft", "active", "on-hold", "")  # what is not to be carried out any more is no order


@dataclass(frozen=True, slots=True, repr=False)
class FoundOrder:
    """One order of a catalogued drug: what the rules saw and said, and the resources it is.

    `case` is what the rules were given; `written` the day it was written, `status` as the EHR
    has it.
    """

    case: Case
    review: OrderReview
    resources: tuple[Resource, ...]
    written: date | None
    status: str

    @property
    def reference(self) -> str:
        """The reference that stands for the order in addresses."""
        return self.review.order.references[0]

    def is_named(self, reference: str) -> bool:
        return any(same(own, reference) for own in self.review.order.references)


def current_orders(resources: Iterable[Resource], named: Iterable[Resource]) -> list[Resource]:
    """Every order resource once, those that were withdrawn left out; `named` ones always."""
    found: dict[str, Resource] = {}
    for resource in named:
        if resource.get("resourceType") in READERS:
            found[reference_of(resource)] = resource
    for resource in resources:
        if resource.get("resourceType") in READERS and (resource.get("status") or "") in CURRENT:
            found.setdefault(reference_of(resource), resource)
    return list(found.values())


def reference_of(resource: Resource) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def reviewed_orders(
    found: Iterable[Resource],
    along: Iterable[Resource],
    doses: Sequence[Given],
    chart: Chart,
    catalogue: Catalogue,
    today: date,
) -> tuple[FoundOrder, ...]:
    """Those of catalogued drugs among `found`, newest first; `along` are Medications they name.

    A dose that was given is read with what was opened and discarded for it, which stand on records
    of their own: `doses` are all the doses of the chart.
    """
    resolve = reading.resolver(list(along))
    orders: list[FoundOrder] = []
    for group in _groups(found):
        lines = _of_its_day(group, doses) or reading.draft_orders(
            group, catalogue.systems, resolve
        )
        if concerns_catalogue(lines, catalogue):
            orders += (_found(c, group) for c in cases(lines, chart, catalogue, today))
    return tuple(sorted(orders, key=_newest_first))


def _of_its_day(group: Iterable[Resource], doses: Sequence[Given]) -> tuple[OrderLine, ...]:
    """The lines of the day of a dose in `group`; () where it holds none."""
    own = {reference_of(r) for r in group if r.get("resourceType") == "MedicationAdministration"}
    days = {d.line.date_of_service for d in doses if d.line.reference in own}
    return tuple(d.line for d in doses if d.line.date_of_service in days)


def _found(case: Case, group: Iterable[Resource]) -> FoundOrder:
    own = tuple(r for r in group if reference_of(r) in case.order.references)
    first = own[0] if own else {}
    status = first.get("status")
    shown = status if isinstance(status, str) else ""
    return FoundOrder(case, reviewed(case), own, written_on(first), shown)


def _groups(found: Iterable[Resource]) -> Iterator[list[Resource]]:
    """Orders that were written together and are judged together, as a hook request holds them."""
    groups: dict[tuple[object, ...], list[Resource]] = {}
    for resource in found:
        groups.setdefault(_together(resource), []).append(resource)
    yield from groups.values()


def _together(resource: Resource) -> tuple[object, ...]:
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


def written_on(resource: Resource) -> date | None:
    return as_day(resource.get("authoredOn")) or as_day(resource.get("occurrenceDateTime"))


def _newest_first(order: FoundOrder) -> tuple[int, str]:
    day = order.written or order.review.order.date_of_service
    return -day.toordinal(), order.reference
