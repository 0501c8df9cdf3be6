"""The chart of a window's patient: everything the rules need, and the orders reviewed with it.

Read anew for every page, so that nothing shown is older than the page and no chart is kept. A
large chart is read in rounds: what is there after the first is shown, the page asks for the next
round by itself, and each has more time and pages than the one before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from billing_rules.assess import read_orders, read_patient
from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import OLDER_LEFT
from billing_rules.fhir.json.decoding import JsonObject, Part, same
from billing_rules.fhir.read.orders import READERS
from billing_rules.fhir.read.therapies import Given, given
from billing_rules.model.chart import Chart
from billing_rules.model.states import NOTHING, Present, Unknown
from billing_rules.orders.drug_orders import concerns_catalogue
from ehr_access import limits as reasons
from ehr_access.base import FhirBase
from ehr_access.client import fetch_allowed, query_of
from ehr_access.limits import Deadline, Limits
from ehr_access.query import Query, queries_for
from ehr_access.resources import (
    AnotherPatient,
    about,
    decoded_resource,
    encounter_id,
    of_patient,
    references,
    resources_of,
)
from service_parts.log_events import Event
from smart_app.chart.chart_orders import FoundOrder, current_orders, reference_of, reviewed_orders
from smart_app.launch.error_pages import ANOTHER_PATIENT, Stopped
from smart_app.launch.window import Window

log = logging.getLogger("smart_app")

# Orders as they stand in the chart, by the type each is searched by. Claims and charges are not
# orders: they are reviewed with the order they bill, when they are drafted with it.
ORDER_TYPES = ("MedicationRequest", "ServiceRequest")
NAMED = "order"  # the key of the order a card's link meant
# The parts that are long in a long chart: asked for last.
_LONG = ("administrations", "dispenses", "medications", "statements", "observations")
_MOST_MEDICATIONS = 20
_PAGE = "200"  # resources asked for on one page; servers cap it as they like
# One round each: the first must leave time to show a page within a second, so it takes no more than
# what orders and most charts need.
ROUNDS = (
    Limits(seconds=0.5, pages=2, parallel=4),
    Limits(seconds=4.0, pages=40, parallel=8),
    Limits(seconds=20.0, pages=200, parallel=8),
)
# Of a round's time, for what is asked first: the rest is for what only those answers can name.
_FIRST_SHARE = 0.75
_NOT_YET = (reasons.TOO_LATE.because, reasons.TOO_MANY_PAGES.because)


@dataclass(frozen=True, slots=True, repr=False)
class PatientRecord:
    """What was read of the patient, and the orders of catalogued drugs, newest first.

    `parts` are the chart's parts by the keys of billing_rules.data_needed. `unread_orders` says,
    by resource type, why there may be more orders than these. `more_to_read` names the parts that
    a further round could read on; () when nothing is left or no round is.
    """

    patient: JsonObject | None
    parts: Mapping[str, Part]
    chart: Chart
    given: tuple[Given, ...]
    orders: tuple[FoundOrder, ...]
    unread_orders: Mapping[str, str] = field(default_factory=dict)
    named_order: Part = NOTHING
    more_to_read: tuple[str, ...] = ()
    count: int = 0

    def order(self, reference: str) -> FoundOrder | None:
        """The order that `reference` names, alone or with others of the same dose."""
        return next((o for o in self.orders if reference and o.is_named(reference)), None)

    def resource(self, reference: str) -> JsonObject | None:
        """The resource that a finding's evidence names, decoded; None when it was not read."""
        for order in self.orders:
            for resource in order.resources:
                if same(reference_of(resource), reference):
                    return resource
        for part in self.parts.values():
            for raw in part.value if isinstance(part, Present) else ():
                if isinstance(raw, Unknown):
                    continue
                subject = about(raw)
                if subject and same(f"{subject.kind}/{subject.id}", reference):
                    return decoded_resource(raw)
        return None


def read(
    window: Window,
    catalogue: Catalogue,
    today: date,
    order: str = "",
    limits: Limits = ROUNDS[-1],
) -> PatientRecord:
    """The record, with the orders there are and the one `order` names ("MedicationRequest/1"), as
    they stand `today`.

    Never raises for what a server does, but Stopped when anything is about somebody else: then no
    page may be shown.
    """
    try:
        return _read(window, catalogue, today, order, limits)
    except AnotherPatient as error:
        raise refused(error) from None


def refused(error: AnotherPatient) -> Stopped:
    """The end of a page that would have shown another patient's data, and a line in the log."""
    log.warning(Event("security: data of another patient", {"part": error.where}))
    return Stopped(ANOTHER_PATIENT)


def _read(
    window: Window, catalogue: Catalogue, today: date, order: str, limits: Limits
) -> PatientRecord:
    until = Deadline.after(limits.seconds)
    first = until.sooner(limits.seconds * _FIRST_SHARE)
    parts = _fetched(window, limits, _queries(window, order), first)
    named = resources_of(parts.get(NAMED))
    found = current_orders((r for k in ORDER_TYPES for r in resources_of(parts[k])), named)
    given_of_old = resources_of(parts.get("administrations"))
    further = _second_queries(window, [*found, *given_of_old], named or found, catalogue)
    parts |= _fetched(window, limits, further, until)
    along = [r for key in further if key != "encounter" for r in resources_of(parts.pop(key))]
    own = {key: part for key, part in parts.items() if key not in (*ORDER_TYPES, NAMED)}
    doses_part = own.get("administrations")
    if along and isinstance(doses_part, Present):  # Medications, beside what refers to them
        own["administrations"] = Present((*doses_part.value, *(dict(r) for r in along)))
    own.setdefault("encounter", Unknown("no encounter is known"))
    patient = read_patient(own, catalogue, today)
    doses = given(own, catalogue.systems)
    # What was not read to its end for want of time or pages.
    unfinished = tuple(key for key, part in parts.items() if gap(part) in _NOT_YET)
    return PatientRecord(
        patient=next(iter(resources_of(parts.get("patient"))), None),
        parts=own,
        chart=patient.chart,
        given=doses,
        orders=reviewed_orders(found, along, doses, patient, window.together),
        unread_orders={kind: why for kind in ORDER_TYPES if (why := gap(parts[kind]))},
        named_order=parts.get(NAMED, NOTHING),
        more_to_read=() if limits == ROUNDS[-1] else unfinished,
        count=sum(len(p.value) for p in parts.values() if isinstance(p, Present)),
    )


# ---------------------------------------------------------------- what is asked


def _queries(window: Window, order: str) -> dict[str, Query]:
    """All first queries. They are sent in this order, so that a page has something to show when
    the time ends in the middle of long results."""
    queries: dict[str, Query] = {}
    named = query_of(order, FhirBase.parse(window.fhir_base)) if order else None
    if named and named.resource_type in READERS:
        queries[NAMED] = named
    for kind in ORDER_TYPES:
        params = (("patient", window.patient_id), ("status", "draft,active,on-hold"))
        queries[kind] = Query(kind, params=params, each_counts=True)
    charts = queries_for(window.patient_id, window.encounter_id)
    queries |= {key: query for key, query in charts.items() if key not in _LONG}
    queries |= {key: charts[key] for key in _LONG}
    for key, query in queries.items():
        if query.each_counts and not query.id and "_count" not in query.names():
            queries[key] = query.plus("_count", _PAGE)
    return queries


def _second_queries(
    window: Window, resources: Iterable[JsonObject], orders: list[JsonObject], catalogue: Catalogue
) -> dict[str, Query]:
    """What only the first answers could name: Medications that orders and doses refer to, and,
    where the EHR named no visit, that of the first of `orders` that is or could be of a catalogued
    drug."""
    base = FhirBase.parse(window.fhir_base)
    medications: dict[str, Query] = {}
    for resource in resources:
        for reference in references(resource, ("medicationReference",)):
            query = query_of(reference, base)
            if query and query.resource_type == "Medication" and _worthwhile(resource, catalogue):
                medications[query.relative_url] = query
    queries = dict(list(medications.items())[:_MOST_MEDICATIONS])
    for order in () if window.encounter_id else orders:
        visit = encounter_id(order)
        if visit and _worthwhile(order, catalogue):
            return {**queries, "encounter": Query("Encounter", visit)}
    return queries


def _worthwhile(resource: JsonObject, catalogue: Catalogue) -> bool:
    """Whether the resource is of a catalogued drug, or could be."""
    lines = read_orders([resource], catalogue)
    nameless = any(not line.codes and not line.names for line in lines)
    return nameless or concerns_catalogue(lines, catalogue)


def _fetched(
    window: Window, limits: Limits, queries: Mapping[str, Query], until: Deadline
) -> dict[str, Part]:
    """Every answer of the window's EHR by its key. Raises AnotherPatient."""
    answers = fetch_allowed(window.ehr.within(limits), window.scopes, queries, until)
    return {
        key: of_patient(part, key, queries[key].resource_type, window.patient_id)
        for key, part in answers.items()
    }


def gap(part: Part) -> str:
    """Why there may be more than a part holds; "" when it is whole."""
    if isinstance(part, Unknown):
        return part.because
    found = part.value if isinstance(part, Present) else ()
    gaps = [g for g in found if isinstance(g, Unknown) and g != OLDER_LEFT]
    return gaps[-1].because if gaps else ""
