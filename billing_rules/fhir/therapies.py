"""MedicationRequest, -Statement, -Dispense and -Administration to therapies and doses given.

Where start and end of a therapy come from:

  request         start: the bounds of its timing, else its validity period, else authoredOn.
                  end: the bounds, else the validity period, else start and the days of supply
                  of the first fill and all repeats. An order is no proof of taking: `kind` says
                  so. Of one that ended early (stopped, on hold, or completed before its planned
                  end) nobody charted when: it has no end.
  statement       its effective period; a single date is the start while it is active, else that
                  day. Not taken and not yet begun are no therapy.
  dispense        the day it was handed over (prepared, when only that is charted), for its days
                  of supply; without them the end is unknown. Only completed ones count; of one
                  whose status does not say so the end is unknown too.
  administration  the days it was given on; not-done and on-hold are none. Of one whose status does
                  not say that it was given the days are unknown.

A start that is no full date is unknown; an end stands for the last day it can mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from billing_rules.chart import Therapy
from billing_rules.fhir import medication_administration, quantities
from billing_rules.fhir.codes import CodeSystems
from billing_rules.fhir.decoding import Slim, of_type, reference
from billing_rules.fhir.dosage import route
from billing_rules.fhir.drafts import Draft
from billing_rules.fhir.medications import product
from billing_rules.fhir.references import resolver
from billing_rules.fhir.timing import day_of, latest
from billing_rules.fhir.tolerant import Node, shown
from billing_rules.model import OrderLine
from billing_rules.states import Present

_NO_ORDER = ("draft",)
_NO_INTENT = ("proposal", "option")
_NOT_TAKEN = ("not-taken", "intended")
_NOT_HANDED_OVER = ("preparation", "in-progress", "on-hold", "declined")
_NOT_GIVEN = ("not-done", "on-hold")
_GIVEN = ("completed", "in-progress", "stopped")
_LONGEST = 3660  # days of supply beyond ten years are no days of supply


class SlimMedicine(Slim):
    """All four, and a Medication that came along with them."""

    medicationCodeableConcept: Any = None
    medicationReference: Any = None
    medication: Any = None  # R5
    contained: Any = None
    intent: Any = None
    doNotPerform: Any = None
    authoredOn: Any = None
    dispenseRequest: Any = None
    dosageInstruction: Any = None
    effectiveDateTime: Any = None
    effectivePeriod: Any = None
    whenHandedOver: Any = None
    whenPrepared: Any = None
    daysSupply: Any = None
    dosage: Any = None
    statusReason: Any = None
    reasonCode: Any = None
    reasonReference: Any = None
    supportingInformation: Any = None
    code: Any = None
    ingredient: Any = None
    batch: Any = None
    note: Any = None


def therapies(
    nodes: Sequence[Node], kind: str, systems: CodeSystems, on: date
) -> Iterator[Therapy]:
    """The therapies among the resources of one part as of `on`. `kind` is the type of one that
    does not say its own."""
    for draft in _drafts(nodes, systems, kind, *_READERS):
        if therapy := _READERS[draft.kind](draft, on):
            yield therapy


def administrations(nodes: Sequence[Node], systems: CodeSystems) -> Iterator[OrderLine]:
    """What was given, not given or discarded."""
    for draft in _drafts(nodes, systems, "MedicationAdministration"):
        yield from medication_administration.read(draft)


def _drafts(nodes: Sequence[Node], systems: CodeSystems, *kinds: str) -> Iterator[Draft]:
    along = resolver([n.value for n in nodes if n.text("resourceType") == "Medication"])
    for node in of_type(nodes, *kinds):
        kind = node.text("resourceType") or kinds[0]
        typed = Node({**node.value, "resourceType": kind})
        yield Draft(typed, reference(node, kind), systems, along)


def _therapy(
    draft: Draft, kind: Any, start: date | None, end: date | None, active: bool = True
) -> Therapy:
    drug = product(draft, "medication").concept
    given_by = _route(draft)
    words = [*drug.names[:1], *([given_by] if given_by else [])]
    return Therapy(
        reference=draft.reference,
        kind=kind,
        codes=drug.codes,
        text=shown(", ".join(words)),
        start=start,
        end=end if start is None or end is None or end >= start else None,
        active=active,
    )


def _route(draft: Draft) -> str:
    """The route in words: "fluticasone" alone says neither inhaled nor nasal."""
    dosages = [d for key in ("dosageInstruction", "dosage") for d in draft.node.objs(key)]
    found = route(dosages, draft.systems)
    return found.value if isinstance(found, Present) else ""


# ---------------------------------------------------------------- one reader each


def _request(draft: Draft, on: date) -> Therapy | None:
    node = draft.node
    status = node.text("status").lower()
    withheld = node.value.get("doNotPerform") is True
    if status in _NO_ORDER or node.text("intent").lower() in _NO_INTENT or withheld:
        return None
    bounds = [
        period
        for dosage in node.objs("dosageInstruction")
        for timing in dosage.objs("timing")
        if (period := timing.obj("repeat").obj("boundsPeriod"))
    ]
    periods = [*bounds, node.obj("dispenseRequest").obj("validityPeriod")]
    start = _first(p.day("start") for p in periods) or node.day("authoredOn")
    end = _first(latest(p.text("end")) for p in periods) or _supplied(node, start)
    active = status in ("active", "")
    kept = active or (status == "completed" and end is not None and end <= on)
    return _therapy(draft, "request", start, end if kept else None, active)


def _supplied(request: Node, start: date | None) -> date | None:
    """The last day that the first fill and all repeats cover."""
    dispense = request.obj("dispenseRequest")
    days = _days(dispense, "expectedSupplyDuration")
    repeats = dispense.number("numberOfRepeatsAllowed") or 0
    if days is None or not 0 <= repeats <= _LONGEST:
        return None
    return _after(start, days * (int(repeats) + 1))


def _statement(draft: Draft, on: date) -> Therapy | None:
    node = draft.node
    status = node.text("status").lower()
    if status in _NOT_TAKEN:
        return None
    period, active = node.obj("effectivePeriod"), status in ("active", "")
    single = node.day("effectiveDateTime")
    start, end = period.day("start") or single, latest(period.text("end"))
    if single and not period and not active:
        end = single
    return _therapy(draft, "statement", start, end, active)


def _dispense(draft: Draft, on: date) -> Therapy | None:
    node = draft.node
    status = node.text("status").lower()
    if status in _NOT_HANDED_OVER:
        return None
    start = node.day("whenHandedOver") or node.day("whenPrepared")
    days = _days(node, "daysSupply") if status == "completed" else None
    return _therapy(draft, "dispense", start, _after(start, days))


def _administration(draft: Draft, on: date) -> Therapy | None:
    node = draft.node
    status = node.text("status").lower()
    if status in _NOT_GIVEN:
        return None
    if status not in _GIVEN:
        return _therapy(draft, "administration", None, None)
    start = day_of(node, "effective")
    return _therapy(
        draft, "administration", start, latest(node.obj("effectivePeriod").text("end")) or start
    )


_READERS = {
    "MedicationRequest": _request,
    "MedicationStatement": _statement,
    "MedicationDispense": _dispense,
    "MedicationAdministration": _administration,
}


# ---------------------------------------------------------------- days


def _first(days: Iterable[date | None]) -> date | None:
    return next((day for day in days if day), None)


def _days(parent: Node, key: str) -> int | None:
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
