"""The chart's parts, each a set of resources or the reason it is not known, to a Chart.

Hot path: bytes are decoded into slim structs, which keep the few elements that are read and pass
over the rest (narrative, extensions, metadata); their fields take any JSON, so the tolerant walk
that follows is the only reading there is. An entry that could not be decoded is never taken for
one that is not there: a weight then has no value, a coverage names no payer, and a part that has
nothing else is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import cache
from typing import Any, TypeVar

import msgspec

from billing_rules.chart import Chart, Coverage, Measured
from billing_rules.fhir.codes import CodeSystems
from billing_rules.fhir.coverages import coverage, organisations
from billing_rules.fhir.observations import exact, is_weight, measured, newest_first
from billing_rules.fhir.searchset import RawResource, SearchPage, bundle_resources
from billing_rules.fhir.tolerant import Node, shown
from billing_rules.states import NOTHING, Present, State, Unknown

__all__ = ["SearchPage", "bundle_resources", "chart"]

Part = State[tuple[RawResource, ...]]
T = TypeVar("T")
_DROPPED = ("entered-in-error", "cancelled")
_INPATIENT = ("imp", "acute", "nonac")


class _Slim(msgspec.Struct):
    """The elements that any reader of a chart resource looks at."""

    resourceType: Any = None
    id: Any = None
    status: Any = None


class _Patient(_Slim):
    birthDate: Any = None


class _Encounter(_Slim, rename={"class_": "class"}):
    class_: Any = None


class _Observation(_Slim):
    code: Any = None
    effectiveDateTime: Any = None
    effectivePeriod: Any = None
    effectiveInstant: Any = None
    issued: Any = None
    valueQuantity: Any = None
    valueString: Any = None
    valueInteger: Any = None


class _Coverage(_Slim, rename={"class_": "class"}):
    type: Any = None
    payor: Any = None
    period: Any = None
    order: Any = None
    class_: Any = None
    contained: Any = None
    name: Any = None  # of an Organization that came along with its Coverage
    identifier: Any = None


def chart(parts: Mapping[str, Part], systems: Mapping[str, str], on: date) -> Chart:
    """The Chart as of `on`, from the parts "patient", "coverage", "weight" and "encounter".

    `parts` holds resources as JSON bytes or dicts, none, or unknown with its reason; a part that
    is not there was not asked for, which is unknown. `systems` is the catalogue's URI -> short
    name. Never raises for anything the resources hold.
    """
    known = CodeSystems(systems)
    return Chart(
        birth_date=_part(parts, "patient", _birth_date),
        coverages=_part(parts, "coverage", lambda raw: _coverages(raw, known, on)),
        weights=_part(parts, "weight", lambda raw: _weights(raw, known, on)),
        setting=_part(parts, "encounter", _setting),
    )


def _part(
    parts: Mapping[str, Part], name: str, read: Callable[[tuple[RawResource, ...]], State[T]]
) -> State[T]:
    part = parts.get(name, Unknown(f"the {name} was not asked for"))
    return read(part.value) if isinstance(part, Present) else part


# ---------------------------------------------------------------- decoding


def _nodes(raw: Iterable[RawResource], shape: type[_Slim]) -> list[Node | None]:
    """Each resource as a Node, None for what could not be decoded; withdrawn ones left out."""
    nodes = (_node(entry, shape) for entry in raw)
    return [n for n in nodes if n is None or n.text("status").lower() not in _DROPPED]


def _node(raw: RawResource, shape: type[_Slim]) -> Node | None:
    if isinstance(raw, dict):
        return Node(raw) if raw else None
    try:
        slim = msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, RecursionError):
        return _decoded_without_shape(bytes(raw))
    return Node({name: getattr(slim, field) for field, name in _elements(shape)})


@cache
def _elements(shape: type[_Slim]) -> tuple[tuple[str, str], ...]:
    """(field, FHIR element) of a slim struct."""
    return tuple(zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True))


def _decoded_without_shape(raw: bytes) -> Node | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return Node(value) if isinstance(value, dict) and value else None


def _of_type(nodes: Iterable[Node | None], kind: str) -> list[Node]:
    """The resources of one type; one that does not say its type is taken at its place."""
    return [n for n in nodes if n is not None and n.text("resourceType") in (kind, "")]


def _reference(node: Node, kind: str) -> str:
    return f"{kind}/{node.text('id')}" if node.text("id") else ""


# ---------------------------------------------------------------- the parts


def _birth_date(raw: tuple[RawResource, ...]) -> State[date]:
    nodes = _nodes(raw, _Patient)
    for node in _of_type(nodes, "Patient"):
        day = node.day("birthDate")
        if day:
            return Present(day)
        if node.has("birthDate"):
            written = shown(node.text("birthDate"), 20)
            return Unknown(f"the birth date '{written}' is no full date")
    return Unknown("the patient could not be read") if None in nodes else NOTHING


def _coverages(
    raw: tuple[RawResource, ...], systems: CodeSystems, on: date
) -> State[tuple[Coverage, ...]]:
    nodes = _nodes(raw, _Coverage)
    along = organisations(_of_type(nodes, "Organization"))
    read = [
        coverage(n, _reference(n, "Coverage"), systems, along, on)
        for n in _of_type(nodes, "Coverage")
    ]
    unreadable = [Coverage("") for n in nodes if n is None]
    if unreadable and not read:
        return Unknown("the coverage could not be read")
    return Present((*read, *unreadable)) if read else NOTHING


def _weights(
    raw: tuple[RawResource, ...], systems: CodeSystems, on: date
) -> State[tuple[Measured, ...]]:
    nodes = _nodes(raw, _Observation)
    weights = [
        weight
        for n in _of_type(nodes, "Observation")
        if is_weight(weight := measured(n, _reference(n, "Observation"), systems, ("mass",)))
    ]
    found = newest_first(map(exact, weights), on)
    if found:
        return Present(found)
    return Unknown("the weight could not be read") if None in nodes else NOTHING


def _setting(raw: tuple[RawResource, ...]) -> State[str]:
    """ "inpatient" or "home" from the encounter's class; every other class says nothing of how
    the drug is paid, and a rural health clinic is never guessed."""
    nodes = _nodes(raw, _Encounter)
    classes = [_class(n) for n in _of_type(nodes, "Encounter")]
    settings = set(classes)
    if None in nodes and not classes:
        return Unknown("the encounter could not be read")
    if len(settings) > 1:
        return Unknown("the encounters on file are of different classes")
    setting = settings.pop() if settings else ""
    return Present(setting) if setting else NOTHING


def _class(encounter: Node) -> str:
    coding = encounter.obj("class")
    codes = [coding.text("code"), *(c.text("code") for c in coding.objs("coding"))]
    lower = {code.lower() for code in codes}
    if not lower.isdisjoint(_INPATIENT):
        return "inpatient"
    return "home" if "hh" in lower else ""

