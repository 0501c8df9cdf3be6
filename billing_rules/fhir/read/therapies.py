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

A start that is not a full date is unknown; an end stands for the last day it can mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from billing_rules.fhir.json import values
from billing_rules.fhir.json.decoding import (
    Part,
    Resolve,
    among,
    of_part,
    of_types,
    reference,
    same,
)
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
from billing_rules.fhir.json.values import CodeSystems, Notes, as_number, concept, shown
from billing_rules.fhir.read import orders
from billing_rules.fhir.read.medications import (
    Draft,
    day,
    day_of,
    latest,
    product,
    references,
    route,
)
from billing_rules.model.chart import NOT_ASKED, Therapy
from billing_rules.model.entities import Code, Counted, OrderLine
from billing_rules.model.states import Nothing, Present, State, Unknown

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
    found = values.quantity(parent, key, "the supply")
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


# ----------------------------------------------------------------------
# What was given, with the encounter it belongs to and the containers that were opened for it.
#
# R4 has no element for the containers on an administration. They stand on the dispense that
# filled it: the one its supportingInformation names, or the only one of the same prescription and
# day.


_HANDED_OVER = ("completed", "")


@dataclass(frozen=True, slots=True)
class Given:
    """One administration as a line, and `Encounter/id` where it names one."""

    line: OrderLine
    encounter: str = ""


@dataclass(frozen=True, slots=True)
class _Opened:
    """What one dispense handed over."""

    reference: str
    requests: tuple[str, ...]
    day: date | None
    codes: tuple[Code, ...]
    containers: State[Counted]


def given(parts: Mapping[str, Part], systems: Mapping[str, str]) -> tuple[Given, ...]:
    """The administrations of the part of that name, nothing twice. Never raises for JSON.

    `parts` is as chart.py reads it. Where dispenses could not be read, containers
    that no record names are not known: one of those dispenses may say them.
    """
    known = CodeSystems(systems)
    filled = list(_dispenses(parts, known))
    gap = _gap(parts.get("dispenses", NOT_ASKED))
    found: dict[str, Given] = {}
    records = _drafts(parts, "administrations", MedicationAdministrationResource, known)
    for draft in records:
        read = _given(draft, filled, gap)
        found.setdefault(read.line.reference or f"#{len(found)}", read)
    return tuple(found.values())


def _drafts(
    parts: Mapping[str, Part], name: str, shape: type[Medicine], systems: CodeSystems
) -> Iterator[Draft]:
    found = [one for one in of_part(parts, name, shape.__name__.removesuffix("Resource")) if one]
    along = medications_among(found)
    return (draft_of(one, systems, along) for one in of_types(found, shape))


def _gap(part: Part) -> Unknown | None:
    """Why not all dispenses are known, or None."""
    if isinstance(part, Unknown):
        return Unknown(f"the dispenses could not be read: {part.because}")
    unread = [r for r in part.value if isinstance(r, Unknown)] if isinstance(part, Present) else []
    return Unknown(f"not all dispenses could be read: {unread[0].because}") if unread else None


def _given(draft: Draft, filled: list[_Opened], gap: Unknown | None) -> Given:
    (line,) = orders.read_medication_administration(draft)
    opened = None if line.not_given else _opened_for(draft, line, filled)
    if opened:
        filled.remove(opened)  # one dispense fills one record: it is not counted twice
        line = _with(line, opened)
    elif gap and not line.not_given and isinstance(line.containers, Nothing):
        line = replace(line, containers=gap)
    named = references([draft.resource.context])
    return Given(line, named[0] if named else "")


def _opened_for(draft: Draft, line: OrderLine, filled: Sequence[_Opened]) -> _Opened | None:
    named = references(draft.resource.supportingInformation)
    linked = [one for one in filled if _any_same(named, (one.reference,))]
    if linked:
        return linked[0]
    requests = references([draft.resource.request])
    that_day = [one for one in filled if one.day and one.day == line.date_of_service]
    ordered = [one for one in that_day if _any_same(requests, one.requests)]
    return ordered[0] if len(ordered) == 1 else None


def _any_same(some: Iterable[str], others: Sequence[str]) -> bool:
    return any(same(one, other) for one in some for other in others)


def _with(line: OrderLine, opened: _Opened) -> OrderLine:
    """The line with the dispense's containers, and its NDC where the record names none."""
    codes = line.codes if line.codes_of("ndc") else (*line.codes, *opened.codes)
    unsaid = isinstance(line.containers, Nothing)
    return replace(line, codes=codes, containers=opened.containers if unsaid else line.containers)


def _dispenses(parts: Mapping[str, Part], systems: CodeSystems) -> Iterator[_Opened]:
    for draft in _drafts(parts, "dispenses", MedicationDispenseResource, systems):
        dispense: MedicationDispenseResource = draft.resource
        if dispense.status.strip().lower() not in _HANDED_OVER:
            continue
        coded = product(draft, "medication").concept.codes
        yield _Opened(
            draft.reference,
            references(dispense.authorizingPrescription),
            day(dispense, "whenHandedOver"),
            tuple(code for code in coded if code.system == "ndc"),
            values.dispensed(dispense, "quantity", coded_in_hcpcs=False).containers,
        )
