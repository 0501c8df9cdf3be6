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
from decimal import Decimal
from typing import Any

from billing_rules.chart import Therapy
from billing_rules.fhir import medication_administration, plain, quantities
from billing_rules.fhir.codes import CodeSystems, Concept
from billing_rules.fhir.decoding import Slim, of_type, reference
from billing_rules.fhir.dosage import route, route_of
from billing_rules.fhir.drafts import Draft
from billing_rules.fhir.medications import product
from billing_rules.fhir.plain import PlainDispenseRequest, PlainPeriod, PlainRequest
from billing_rules.fhir.references import Resolve, resolver
from billing_rules.fhir.timing import day_of, latest
from billing_rules.fhir.tolerant import Node, as_day, as_number, shown
from billing_rules.model import OrderLine
from billing_rules.states import Present, State

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
    found: Sequence[Node | PlainRequest], kind: str, systems: CodeSystems, on: date
) -> Iterator[Therapy]:
    """The therapies among the resources of one part as of `on`. `kind` is the type of one that
    does not say its own."""
    along = _along(n for n in found if isinstance(n, Node))
    for one in found:
        if isinstance(one, PlainRequest):
            therapy = _plain_request(one, systems, on)
            if therapy:
                yield therapy
            continue
        for draft in _drafts([one], along, systems, kind, *_READERS):
            if therapy := _READERS[draft.kind](draft, on):
                yield therapy


def administrations(nodes: Sequence[Node], systems: CodeSystems) -> Iterator[OrderLine]:
    """What was given, not given or discarded."""
    for draft in _drafts(nodes, _along(nodes), systems, "MedicationAdministration"):
        yield from medication_administration.read(draft)


def _along(nodes: Iterable[Node]) -> Resolve:
    """The Medications that came along with the others."""
    return resolver([n.value for n in nodes if n.text("resourceType") == "Medication"])


def _drafts(
    nodes: Sequence[Node], along: Resolve, systems: CodeSystems, *kinds: str
) -> Iterator[Draft]:
    for node in of_type(nodes, *kinds):
        kind = node.text("resourceType") or kinds[0]
        typed = Node({**node.value, "resourceType": kind})
        yield Draft(typed, reference(node, kind), systems, along)


def _therapy(
    draft: Draft, kind: Any, start: date | None, end: date | None, active: bool = True
) -> Therapy:
    drug = product(draft, "medication").concept
    return _told(draft.reference, kind, drug, _route(draft), start, end, active)


def _told(
    reference: str,
    kind: Any,
    drug: Concept,
    given_by: str,
    start: date | None,
    end: date | None,
    active: bool,
) -> Therapy:
    words = [*drug.names[:1], *([given_by] if given_by else [])]
    return Therapy(
        reference=reference,
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
    return _words(route(dosages, draft.systems))


def _words(found: State[str]) -> str:
    return found.value if isinstance(found, Present) else ""


# ---------------------------------------------------------------- one reader each


def _request(draft: Draft, on: date) -> Therapy | None:
    node = draft.node
    status = node.text("status").lower()
    withheld = node.value.get("doNotPerform") is True
    if _is_no_order(status, node.text("intent").lower(), withheld):
        return None
    bounds = [
        period
        for dosage in node.objs("dosageInstruction")
        for timing in dosage.objs("timing")
        if (period := timing.obj("repeat").obj("boundsPeriod"))
    ]
    periods = [*bounds, node.obj("dispenseRequest").obj("validityPeriod")]
    start = _first(p.day("start") for p in periods) or node.day("authoredOn")
    end = _first(latest(p.text("end")) for p in periods) or _supply(node, start)
    active = status in ("active", "")
    return _therapy(draft, "request", start, end if _is_kept(status, end, on) else None, active)


def _plain_request(found: PlainRequest, systems: CodeSystems, on: date) -> Therapy | None:
    """The same of a MedicationRequest in its ordinary form."""
    status = plain.text(found.status).lower()
    if _is_no_order(status, plain.text(found.intent).lower(), found.doNotPerform):
        return None
    dispense = found.dispenseRequest or PlainDispenseRequest()
    period = dispense.validityPeriod or PlainPeriod()
    start = as_day(period.start) or as_day(found.authoredOn)
    end = latest(plain.text(period.end)) or _plain_supply(dispense, start)
    routes = (plain.said(d.route, systems) for d in found.dosageInstruction if d.route)
    id_ = plain.text(found.id)
    return _told(
        reference=f"MedicationRequest/{id_}" if id_ else "",
        kind="request",
        drug=plain.said(found.name, systems),
        given_by=_words(route_of(routes)),
        start=start,
        end=end if _is_kept(status, end, on) else None,
        active=status in ("active", ""),
    )


def _is_no_order(status: str, intent: str, withheld: bool) -> bool:
    return status in _NO_ORDER or intent in _NO_INTENT or withheld


def _is_kept(status: str, end: date | None, on: date) -> bool:
    """Whether the planned end can be the end: not when the order ended early."""
    return status in ("active", "") or (status == "completed" and end is not None and end <= on)


def _supply(request: Node, start: date | None) -> date | None:
    dispense = request.obj("dispenseRequest")
    days = _days(dispense, "expectedSupplyDuration")
    return _supplied(start, days, dispense.number("numberOfRepeatsAllowed") or 0)


def _plain_supply(dispense: PlainDispenseRequest, start: date | None) -> date | None:
    duration = dispense.expectedSupplyDuration
    read = quantities.of_plain(duration) if duration else None
    days = _whole_days(read) if read and not read.comparator else None
    return _supplied(start, days, as_number(dispense.numberOfRepeatsAllowed) or 0)


def _supplied(start: date | None, days: int | None, repeats: Decimal | int) -> date | None:
    """The last day that the first fill and all repeats cover."""
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
    return _whole_days(found.value) if isinstance(found, Present) else None


def _whole_days(read: quantities.Quantity) -> int | None:
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
