"""Orders of a request, read, recognised and reviewed: the middle of three services.

An order that is not ours is passed over after a look at the orders alone: no chart part is read
and the EHR is not asked. Only when nothing but a reference says what an order is for, that
reference is looked up first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from billing_rules.data_needed import ASKED_BY_CODE, DataNeed
from billing_rules.fhir import reading
from billing_rules.fhir.decoding import Part
from billing_rules.fhir.references import selected
from billing_rules.interest import Interest
from billing_rules.model import OrderLine
from billing_rules.recognise import concerns_catalogue
from billing_rules.review import OrderReview
from cds_hooks import drafts, prefetch, reviewing
from cds_hooks.answers import medications
from cds_hooks.answers.call import Call
from cds_hooks.errors import unobtainable

Resource = Mapping[str, Any]
NO_DRUG = (
    "An order names its drug by a reference alone, and that could be neither found in the request "
    "nor read from the FHIR server."
)


@dataclass(frozen=True, slots=True, repr=False)
class Orders:
    """Order resources, the Bundle or list they stand in, and those that are meant (None: all)."""

    resources: tuple[Resource, ...]
    within: object
    selections: frozenset[str] | None = None

    def lines(self, call: Call, elsewhere: Iterable[Resource] = ()) -> tuple[OrderLine, ...]:
        """The lines, with Medications found `elsewhere`."""
        resolve = reading.resolver(self.within, list(elsewhere))
        return reading.draft_orders(self.resources, call.catalogue.systems, resolve)

    def meant(self, lines: Iterable[OrderLine]) -> list[OrderLine]:
        return [line for line in lines if selected(line.reference, self.selections)]

    def outside(self, call: Call, lines: Iterable[OrderLine]) -> frozenset[str]:
        found = medications.outside(self.resources, lines, call.catalogue)
        resolve = reading.resolver(self.within)
        return frozenset(reference for reference in found if resolve(reference) is None)


def reviews(
    call: Call,
    orders: Orders,
    needs: Iterable[DataNeed],
    parts: Mapping[str, Part] | None = None,
    change: Callable[[OrderLine], OrderLine] = lambda line: line,
    must_tell: bool = True,
) -> tuple[OrderReview, ...] | None:
    """The reviews of `orders`, None when none is for a catalogued drug.

    `parts` are those of the chart that are there already; `change` is done to every line. Raises
    AnotherPatient, and with `must_tell` Refused (412) when not even the drug of an order can be
    told.
    """
    named = reading.named_by_themselves(orders.resources, call.catalogue.systems)
    if named is not None and not concerns_catalogue(orders.meant(named), call.catalogue):
        return None
    lines = orders.lines(call)
    known = _looked_up_first(call, orders, lines, must_tell)
    lines = orders.lines(call, known) if known else lines
    if not concerns_catalogue(orders.meant(lines), call.catalogue):
        return None
    drafts.check_patient(orders.resources, call.hook.context.patient_id)
    asked = {} if known else medications.queries(orders.outside(call, lines), call)
    rest = prefetch.complete(call.hook, needs, call.ehr, asked)
    known = known or medications.answers(asked, rest)
    lines = orders.lines(call, known) if known else lines
    lines = tuple(change(line) for line in lines)
    parts = {**rest, **(parts or {})}
    chart = reading.chart(
        parts, call.catalogue.systems, call.today, ASKED_BY_CODE, Interest(call.catalogue)
    )
    return reviewing.reviews(lines, chart, call.catalogue, call.today)


def _looked_up_first(
    call: Call, orders: Orders, lines: Iterable[OrderLine], must_tell: bool
) -> list[Resource]:
    """The Medications to know before anything else: when no order that is meant is ours, but one
    could be. Raises Refused (412) when that cannot be told."""
    meant = orders.meant(lines)
    if concerns_catalogue(meant, call.catalogue):
        return []
    unknown = [line for line in meant if medications.nameless(line)]
    references = orders.outside(call, unknown) if unknown else frozenset()
    if not references:
        return []
    asked = medications.queries(references, call)
    found = medications.answers(asked, call.ehr.fetch(asked)) if call.ehr and asked else []
    if must_tell and len(found) < len(references) and not _any_ours(call, orders, found):
        raise unobtainable(NO_DRUG)
    return found


def _any_ours(call: Call, orders: Orders, found: Iterable[Resource]) -> bool:
    return concerns_catalogue(orders.meant(orders.lines(call, found)), call.catalogue)
