"""MedicationRequest, -Statement, -Dispense and -Administration to therapies and doses given.

Where start and end of a therapy come from:

  request         start: the bounds of its timing, else its validity period, else authoredOn.
                  end: the bounds, else the validity period, else start and the days of supply
                  of the first fill and all repeats. An order is not a proof of taking: `kind` says
                  so. Of one that ended early (stopped, on hold, or completed before its planned
                  end) nobody charted when: it has no end.
  statement       its effective period; a single date is the start while it is active, else that
                  day. Not taken and not yet begun are no therapy.
  dispense        the day it was handed over (prepared, when only that is charted), for its days
                  of supply; without them the end is unknown. Only completed ones count; of one
                  whose status does not say so the end is unknown too.
  administration  the days it was given on; not-done and on-hold are none. Of one whose status does
                  not say that it was given the days are unknown.

A start that is not a full date is unknown; an end stands for the last day it can mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Literal

from billing_rules.fhir.json import quantities
from billing_rules.fhir.json.codes import CodeSystems, concept
from billing_rules.fhir.json.decoding import among, of_types, reference
from billing_rules.fhir.json.references import Resolve
from billing_rules.fhir.json.shapes import (
    DispenseRequest,
    Element,
    MedicationAdministrationResource,
    MedicationDispenseResource,
    MedicationRequestResource,
    MedicationResource,
    MedicationStatementResource,
    Medicine,
    Period,
    Resource,
)
from billing_rules.fhir.json.values import Notes, as_number, shown
from billing_rules.fhir.read import orders
from billing_rules.fhir.read.dosage import day, day_of, latest, route
from billing_rules.fhir.read.medications import Draft, product
from billing_rules.model.chart import Therapy
from billing_rules.model.entities import OrderLine
from billing_rules.model.states import Present

_NO_ORDER = ("draft",)
_NO_INTENT = ("proposal", "option")
_NOT_TAKEN = ("not-taken", "intended")
_NOT_HANDED_OVER = ("preparation", "in-progress", "on-hold", "declined")
_NOT_GIVEN = ("not-done", "on-hold")
_GIVEN = ("completed", "in-progress", "stopped")
_LONGEST = 3660  # days of supply beyond ten years are not days of supply


_Kind = Literal["request", "statement", "dispense", "administration"]
# What it is, its start and end, and whether it is active; None for what is not a therapy.
_Course = tuple[_Kind, date | None, date | None, bool] | None


def therapies(found: Sequence[Resource], systems: CodeSystems, on: date) -> Iterator[Therapy]:
    """The therapies among the resources of one part as of `on`."""
    along = medications_among(found)
    for one in found:
        if not isinstance(one, Medicine):
            continue
        course = _course(one, on)
        if course is None:
            continue
        kind, start, end, active = course
        if one.medicationReference or one.medication:
            drug = product(draft_of(one, systems, along), "medication").concept
        else:  # nearly every one
            drug = concept(one.medicationCodeableConcept, systems)
        # the route in words: "fluticasone" alone says neither inhaled nor nasal
        dosages = getattr(one, "dosage", None) or ()
        dosages = dosages if isinstance(dosages, tuple) else (dosages,)
        given_by = route((*one.dosageInstruction, *dosages), systems)
        words = [*drug.names[:1], *([given_by.value] if isinstance(given_by, Present) else [])]
        yield Therapy(
            reference=reference(one),
            kind=kind,
            codes=drug.codes,
            text=shown(", ".join(words)),
            start=start,
            end=end if start is None or end is None or end >= start else None,
            active=active,
        )


def administrations(found: Sequence[Resource], systems: CodeSystems) -> Iterator[OrderLine]:
    """What was given, not given or discarded."""
    along = medications_among(found)
    for one in of_types(found, MedicationAdministrationResource):
        yield from orders.read_medication_administration(draft_of(one, systems, along))


def medications_among(found: Iterable[Resource]) -> Resolve:
    """The Medications that came along with the others."""
    return among(of_types(found, MedicationResource))


def draft_of(one: Resource, systems: CodeSystems, along: Resolve) -> Draft:
    """A resource of the chart, as the readers of orders take it."""
    return Draft(one, reference(one), systems, along, Notes(one))


# ---------------------------------------------------------------- one reader each


def _course(one: Medicine, on: date) -> _Course:
    status = one.status.strip().lower()
    if isinstance(one, MedicationRequestResource):
        return _request(one, status, on)
    if isinstance(one, MedicationStatementResource):
        return _statement(one, status)
    if isinstance(one, MedicationDispenseResource):
        if status in _NOT_HANDED_OVER:
            return None
        start = day(one, "whenHandedOver") or day(one, "whenPrepared")
        days = _days(one, "daysSupply") if status == "completed" else None
        return "dispense", start, _after(start, days), True
    if not isinstance(one, MedicationAdministrationResource) or status in _NOT_GIVEN:
        return None
    if status not in _GIVEN:
        return "administration", None, None, True
    start = day_of(one, "effective")
    end = latest(one.effectivePeriod.end.strip()) if one.effectivePeriod else None
    return "administration", start, end or start, True


def _request(one: MedicationRequestResource, status: str, on: date) -> _Course:
    if status in _NO_ORDER or one.intent.strip().lower() in _NO_INTENT or one.doNotPerform is True:
        return None
    dispense = one.dispenseRequest or DispenseRequest()
    repeats = [d.timing.repeat for d in one.dosageInstruction if d.timing and d.timing.repeat]
    periods: list[Period | None] = [repeat.boundsPeriod for repeat in repeats]
    periods.append(dispense.validityPeriod)
    start = _first(day(period, "start") for period in periods) or day(one, "authoredOn")
    end = _first(latest(period.end.strip()) for period in periods if period)
    if end is None:  # the last day that the first fill and all repeats cover
        days = _days(dispense, "expectedSupplyDuration")
        refills = as_number(dispense.numberOfRepeatsAllowed) or 0
        if days is not None and 0 <= refills <= _LONGEST:
            end = _after(start, days * (int(refills) + 1))
    active = status in ("active", "")
    # the planned end is not the end when the order ended early
    kept = active or (status == "completed" and end is not None and end <= on)
    return "request", start, end if kept else None, active


def _statement(one: MedicationStatementResource, status: str) -> _Course:
    if status in _NOT_TAKEN:
        return None
    period, active = one.effectivePeriod or Period(), status in ("active", "")
    single = day(one, "effectiveDateTime")
    start, end = day(period, "start") or single, latest(period.end.strip())
    if single and one.effectivePeriod is None and not active:
        end = single
    return "statement", start, end, active


# ---------------------------------------------------------------- days


def _first(days: Iterable[date | None]) -> date | None:
    return next((day for day in days if day), None)


def _days(parent: Element, key: str) -> int | None:
    """A number of days, also from weeks; the elements read here count days when they name no
    unit."""
    found = quantities.quantity(parent, key, "the supply")
    if not isinstance(found, Present):
        return None
    read = found.value
    if read.unit and not read.is_a(("time",)):
        return None
    days = read.amount.to("d").value if read.amount else read.value
    return int(days) if 1 <= days <= _LONGEST else None


def _after(start: date | None, days: int | None) -> date | None:
    """The last of `days` days from `start` on."""
    if start is None or days is None:
        return None
    try:
        return start + timedelta(days=days - 1)
    except OverflowError:
        return None
