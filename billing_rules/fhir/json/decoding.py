"""Resources as they come (bytes, a dict, or decoded already) to the structs that are read.

Bytes are decoded in one step, a whole Bundle too (searchset.py). What does not fit its shape, and
what holds an empty object (which FHIR forbids, and some EHRs send for "absent"), is
converted leniently. An entry that could not be read, a page that was not fetched and a query that
was not answered are never taken for "nothing there": what was read stays evidence, but its gap is
kept beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar, get_args

import msgspec

from billing_rules.fhir.json.lenient import converted
from billing_rules.fhir.json.references import unversioned
from billing_rules.fhir.json.shapes import (
    AnyResource,
    Bundle,
    CodeableConcept,
    Medicine,
    ObservationResource,
    OtherResource,
    Resource,
    lost_of,
)
from billing_rules.fhir.json.values import Notes
from billing_rules.model.states import NOTHING, Present, State, Unknown

T = TypeVar("T")
R = TypeVar("R", bound=Resource)
# One resource: its JSON, that decoded by somebody else, or the struct of it.
RawResource = bytes | dict[str, Any] | Resource
# An Unknown among the resources says why there may be more than these: a page that was not read.
Part = State[tuple[RawResource | Unknown, ...]]

WITHDRAWN = ("entered-in-error", "cancelled")
SHAPES: Mapping[str, type[Resource]] = {
    kind.__name__.removesuffix("Resource"): kind for kind in get_args(AnyResource)
}
_TYPED = msgspec.json.Decoder(AnyResource, float_hook=Decimal)
_BUNDLE = msgspec.json.Decoder(Bundle, float_hook=Decimal)
_ANY = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def decoded(raw: RawResource, assumed: str = "") -> Resource | None:
    """The resource, of the type `assumed` where it does not say its own; None for what is
    not a JSON object, or an empty one. Never raises for JSON."""
    if isinstance(raw, Resource):
        return raw
    try:
        data = _ENCODER.encode(raw) if isinstance(raw, dict) else raw
        if not _has_empty_objects(data):
            found: Resource = _TYPED.decode(data)
            return found
    except (ValueError, TypeError, RecursionError):
        pass
    value = json_of(raw) if isinstance(raw, bytes) else raw
    if not isinstance(value, dict) or not value:
        return None
    try:
        said = value.get("resourceType")
        kind = (said.strip() if isinstance(said, str) else "") or assumed
        if kind in SHAPES:
            return converted(value, SHAPES[kind])
        return msgspec.structs.replace(converted(value, OtherResource), type_name=kind)
    except RecursionError:
        return None


def decoded_bundle(raw: bytes) -> Bundle | None:
    """A Bundle in one step; None when any of it is not as FHIR says."""
    if _has_empty_objects(raw):
        return None
    try:
        return _BUNDLE.decode(raw)
    except (ValueError, RecursionError):
        return None


def json_of(raw: bytes) -> Any:
    """Any JSON, its numbers exact; None for what is none."""
    try:
        return _ANY.decode(raw)
    except (ValueError, ArithmeticError, RecursionError):
        pass
    try:
        return json.loads(raw, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def as_dict(raw: RawResource) -> dict[str, Any] | None:
    """The resource as JSON objects, of a struct the elements it has; None for what is none."""
    if isinstance(raw, dict):
        return raw
    value = json_of(_ENCODER.encode(raw) if isinstance(raw, Resource) else raw)
    return value if isinstance(value, dict) else None


def _has_empty_objects(data: bytes) -> bool:
    return b"{}" in data or (b"\n" in data and b"{ }" in data)  # the latter in indented JSON


# ---------------------------------------------------------------- a part of the chart


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """What was read. `gap` is a clause when it may not be all; "" when it is."""

    state: State[tuple[T, ...]]
    gap: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """The decoded resources of one part, none, or unknown; `gap` as in Known.

    `passed_over` are those that no rule looks at.
    """

    found: State[tuple[Resource, ...]]
    gap: str = ""
    passed_over: Sequence[Resource] = ()

    def read(self, reader: Callable[[Sequence[Resource]], Iterable[T]]) -> Known[T]:
        """What `reader` finds in them. Nothing found beside a gap is unknown.

        Of those passed over the first is found when there is nothing else: the part is not empty.
        """
        if not isinstance(self.found, Present):
            return Known(self.found)
        found = tuple(reader(self.found.value))
        if not found and self.passed_over:
            others = (tuple(reader((one,))) for one in self.passed_over)
            found = next((other for other in others if other), ())
        if found:
            return Known(Present(found), self.gap)
        return Known(Unknown(self.gap) if self.gap else NOTHING)


def resources(
    parts: Mapping[str, Part],
    name: str,
    assumed: str,
    withdrawn: tuple[str, ...] = WITHDRAWN,
    wanted: Callable[[CodeableConcept], bool] | None = None,
) -> Resources:
    """The part `name`, decoded; one that is not there was not asked for. What `wanted` does not
    want by its name is passed over, when the name is all there is to know what it is."""
    part = parts.get(name, Unknown(f"the chart was not asked for its {name}"))
    if not isinstance(part, Present):
        return Resources(part)
    reasons: dict[str, None] = {}
    found: list[Resource] = []
    others: list[Resource] = []
    judged: dict[Hashable, bool] = {}
    unread = False
    for entry in part.value:
        if isinstance(entry, Unknown):
            reasons[entry.because] = None
            continue
        one = entry if isinstance(entry, Resource) else decoded(entry, assumed)
        if one is None:
            unread = True
            continue
        if one.status and one.status.strip().lower() in withdrawn:
            continue
        name_of = _only_name(one) if wanted else None
        if name_of is None or wanted is None:
            found.append(one)
            continue
        is_wanted = judged.get(name_of)
        if is_wanted is None:
            is_wanted = judged[name_of] = wanted(name_of)
        (found if is_wanted else others).append(one)
    if unread:
        reasons[f"an entry of the {name} could not be read"] = None
    return Resources(Present(tuple(found)), "; ".join(reasons), others)


def _only_name(one: Resource) -> CodeableConcept | None:
    """The one CodeableConcept that names a resource, None when there is more to it: components,
    contained or referenced parts, extensions of its name, or what could not be read."""
    if isinstance(one, Medicine):
        key, name = "medicationCodeableConcept", one.medicationCodeableConcept
        more: object = one.medicationReference or one.medication
    elif isinstance(one, ObservationResource):
        key, name, more = "code", one.code, one.component or one.hasMember
    else:
        key, name, more = "code", getattr(one, "code", None), ()
    if name is None or more or one.contained or name.extension:
        return None
    lost = lost_of(one)
    unsure = lost and any(sentence.startswith(key) for sentence in lost.sentences)
    return None if unsure else name


def of_part(parts: Mapping[str, Part], name: str, assumed: str) -> list[Resource | None]:
    """The resources of a part, None for what could not be read; withdrawn ones left out."""
    part = parts.get(name)
    raw = part.value if isinstance(part, Present) else ()
    read = (None if isinstance(one, Unknown) else decoded(one, assumed) for one in raw)
    return [r for r in read if r is None or r.status.strip().lower() not in WITHDRAWN]


def together(every: Mapping[str, Known[T]]) -> Known[T]:
    """Several parts as one: none only when each of them is none, all only when each is."""
    found = tuple(
        item for one in every.values() if isinstance(one.state, Present) for item in one.state.value
    )
    gap = _gaps(every)
    if found:
        return Known(Present(found), gap)
    return Known(Unknown(gap) if gap else NOTHING)


def _gaps(every: Mapping[str, Known[T]]) -> str:
    """ "statements and dispenses: the EHR did not send it"; the reason alone when all share it."""
    names: dict[str, list[str]] = {}
    for name, one in every.items():
        why = one.state.because if isinstance(one.state, Unknown) else one.gap
        if why:
            names.setdefault(why, []).append(name)
    if len(names) == 1 and sum(map(len, names.values())) == len(every):
        return next(iter(names))
    return "; ".join(f"{' and '.join(who)}: {why}" for why, who in names.items())


# ---------------------------------------------------------------- what a resource is


def of_types(found: Iterable[Resource | None], *shapes: type[R]) -> Iterator[R]:
    """The resources of these types."""
    return (one for one in found if isinstance(one, shapes))


def contained(
    resource: Resource, target: str, notes: Notes | None = None, assumed: str = "Medication"
) -> Resource | None:
    """The contained resource a `#id` reference means; what cannot be read of it goes to `notes`."""
    wanted = target.strip().lstrip("#")
    for place, inside in enumerate(resource.contained):
        id_ = inside.get("id") if isinstance(inside, dict) else None
        if wanted and isinstance(id_, str) and id_.strip().lstrip("#") == wanted:
            found = decoded(inside, assumed)
            if found and notes:
                notes.also(f"contained[{place}]", found)
            return found
    return None


def among(found: Iterable[Resource | None]) -> Callable[[str], Resource | None]:
    """Finds a resource by a reference that ends in its `Type/id`."""
    by_reference: dict[str, Resource] = {}
    for one in found:
        if one is not None and one.id.strip():
            by_reference.setdefault(reference(one), one)
    return lambda target: by_reference.get("/".join(unversioned(target).split("/")[-2:]))


def reference(resource: Resource) -> str:
    """`Type/id`, or "" without an id."""
    id_ = resource.id.strip()
    return f"{resource.kind}/{id_}" if id_ else ""
