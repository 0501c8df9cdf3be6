"""Resources, Bundles and references as they come to the structs that are read.

Bytes are decoded in one step, a whole Bundle too. What does not fit its shape, and what holds an
empty object (which FHIR forbids, and some EHRs send for "absent"), is converted leniently. An entry
that could not be read, a page that was not fetched and a query that was not answered are never
taken for "nothing there": what was read stays evidence, but its gap is kept beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar, get_args

import msgspec

from billing_rules.fhir.json.lenient import converted
from billing_rules.fhir.json.shapes import (
    AnyResource,
    Bundle,
    CodeableConcept,
    Link,
    Medicine,
    ObservationResource,
    OperationOutcomeResource,
    OtherResource,
    Resource,
    Search,
    lost_of,
)
from billing_rules.fhir.json.values import Notes, as_objects
from billing_rules.model.states import NOTHING, Present, State, Unknown

# ----------------------------------------------------------------------
# References between resources, in the forms that EHRs write them.
#
# Relative ("Medication/1"), absolute, versioned ("/_history/2"), urn:uuid: of a Bundle entry, and
# contained ("#m"). Ids are opaque: Epic's temporary ids have 194 characters (conformance A6.7).


JsonObject = Mapping[str, object]
# To a resource as JSON or decoded, None for one that is not known.
Resolve = Callable[[str], object]


def unversioned(reference: str) -> str:
    """The reference without its version."""
    return reference.strip().split("/_history/")[0].rstrip("/")


def own_reference(resource: JsonObject, position: int) -> str:
    """`Type/id` of a resource, or `Type/#position` when it has no id."""
    kind, id_ = resource.get("resourceType"), resource.get("id")
    known = id_.strip() if isinstance(id_, str) else ""
    return f"{kind}/{known or f'#{position}'}"


def same(reference: str, other: str) -> bool:
    """Whether two references mean one resource, with or without base URL and version."""
    one, two = unversioned(reference), unversioned(other)
    if not one or not two:
        return False
    return one == two or one.endswith(f"/{two}") or two.endswith(f"/{one}")


def selected(reference: str, only: frozenset[str] | None) -> bool:
    """Whether `only` (order-select's selections; None means all) names this resource.

    A bare id counts, since some clients send no more.
    """
    if only is None:
        return True
    bare = reference.split("/", 1)[-1]
    return any(same(reference, wanted) or wanted.strip() == bare for wanted in only)


def entries(bundle: object) -> Iterator[JsonObject]:
    """The resources in a Bundle, a list of resources or entries, or a bare resource.

    A Bundle may lack type, entries and fullUrl; empty and unreadable entries give nothing.
    """
    for _, resource in _with_urls(bundle):
        yield resource


def resolver(*bundles: object) -> Callable[[str], JsonObject | None]:
    """A `resolve` over Bundles: finds by fullUrl (also urn:uuid:) or by `Type/id`."""
    by_reference: dict[str, JsonObject] = {}
    for bundle in bundles:
        for url, resource in _with_urls(bundle):
            if resource.get("id"):
                by_reference.setdefault(own_reference(resource, 0), resource)
            if url:
                by_reference.setdefault(unversioned(url), resource)

    def resolve(reference: str) -> JsonObject | None:
        wanted = unversioned(reference)
        if wanted in by_reference:
            return by_reference[wanted]
        return by_reference.get("/".join(wanted.split("/")[-2:]))

    return resolve


def _with_urls(bundle: object) -> Iterator[tuple[str, JsonObject]]:
    for outer in as_objects(bundle):
        inside = as_objects(outer.get("entry"))
        if inside or outer.get("resourceType") == "Bundle":
            for entry in inside:
                yield from _references_entry(entry)
        else:
            yield from _references_entry(outer)


def _references_entry(entry: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    url = entry.get("fullUrl")
    resources = [entry] if "resourceType" in entry else as_objects(entry.get("resource"))
    for resource in resources:
        yield (url if isinstance(url, str) else ""), resource


# ----------------------------------------------------------------------
# Resources as they come (bytes, a dict, or decoded already) to the structs that are read.
#
# Bytes are decoded in one step, a whole Bundle too (searchset.py). What does not fit its shape,
# and what holds an empty object (which FHIR forbids, and some EHRs send for "absent"), is
# converted leniently. An entry that could not be read, a page that was not fetched and a query
# that was not answered are never taken for "nothing there": what was read stays evidence, but its
# gap is kept beside it.


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
_DECODING_BUNDLE = msgspec.json.Decoder(Bundle, float_hook=Decimal)
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
        return _DECODING_BUNDLE.decode(raw)
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


# ----------------------------------------------------------------------
# A search answer's Bundle to matches, included resources, and whether it is all there is.
#
# Entries with search.mode include are no matches, and outcome entries are not resources of the
# chart; an outcome of severity error means that the server left something out (conformance D8.2).


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a search answer. Resources are JSON, or decoded, in the server's order.

    `next_url` is where the next page is, None on the last. `problem` is a clause when the server
    said that it left something out; then nothing may be concluded from what is missing.
    `unread` counts entries that were no resources, `entries` all of them, and `total` is how many
    matches the server says there are, None where it does not say (Bundle.total).
    """

    matches: tuple[RawResource, ...] = ()
    included: tuple[RawResource, ...] = ()
    next_url: str | None = None
    problem: str | None = None
    unread: int = 0
    entries: int = 0
    total: int | None = None

    @property
    def has_next(self) -> bool:
        return self.next_url is not None

    @property
    def withholds(self) -> bool:
        """Whether the server counts more than it gives, and names no further page."""
        return not self.has_next and (self.total or 0) > self.entries


class _Entry(msgspec.Struct):
    resource: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    search: Search | None = None


class _Bundle(msgspec.Struct):
    resourceType: str | None = None
    entry: list[msgspec.Raw] | None = None
    link: list[msgspec.Raw] | None = None
    total: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Entries(msgspec.Struct):
    """A Bundle whose entries are all of the form they should have."""

    resourceType: str | None = None
    entry: list[_Entry] | None = None
    link: list[msgspec.Raw] | None = None
    total: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Kind(msgspec.Struct):
    resourceType: str | None = None


class _Issue(msgspec.Struct):
    severity: str | None = None


class _Outcome(msgspec.Struct):
    issue: list[_Issue] | None = None


_SEARCHSET_BUNDLE = msgspec.json.Decoder(_Bundle)
_ENTRY = msgspec.json.Decoder(_Entry)
_LINK = msgspec.json.Decoder(Link)
_ENTRIES = msgspec.json.Decoder(_Entries)
_KIND = msgspec.json.Decoder(_Kind)
_TYPE_FIRST = re.compile(rb'{\s*"resourceType"\s*:\s*"([A-Za-z]+)"')
_SAID_INCOMPLETE = "the server said that it could not return everything"
_OUTCOME = msgspec.json.Decoder(_Outcome)


def searched(raw: bytes) -> SearchPage | Unknown:
    """As `bundle_resources`, the resources decoded: those of a Bundle that is as FHIR says in one
    step with it, of any other as far as each is."""
    bundle = decoded_bundle(raw)
    if bundle is None or bundle.resourceType != "Bundle":
        return bundle_resources(raw)
    matches: list[RawResource] = []
    included: list[RawResource] = []
    problem = None
    for entry in bundle.entry:
        resource, search = entry.resource, entry.search
        if isinstance(resource, OperationOutcomeResource) or (search and search.mode == "outcome"):
            problem = problem or _problem_of(resource)
        else:
            (included if search and search.mode == "include" else matches).append(resource)
    return SearchPage(
        tuple(matches),
        tuple(included),
        next((link.url or "" for link in bundle.link if link.relation == "next"), None),
        problem,
        entries=len(bundle.entry),
        total=_total(bundle),
    )


def bundle_resources(raw: bytes | dict[str, Any]) -> SearchPage | Unknown:
    """The page in `raw`: a searchset Bundle, or one resource, which counts as its only match.

    Unknown with its reason for an OperationOutcome, and for what is not FHIR JSON. Never raises.
    """
    data = _as_bytes(raw)
    try:
        bundle = _decoded(data)
    except (msgspec.MsgspecError, RecursionError):
        return Unknown("the answer could not be read as a FHIR Bundle")
    if bundle.resourceType == "Bundle":
        return _page(bundle)
    if bundle.resourceType == "OperationOutcome":
        return Unknown("the server answered with an error")
    if bundle.resourceType:
        return SearchPage(matches=(data,))
    return Unknown("the answer is not a FHIR resource")


def _decoded(data: bytes) -> _Bundle | _Entries:
    """All entries at once, or each as JSON where one of them is not as it should be."""
    try:
        page = _ENTRIES.decode(data)
    except msgspec.ValidationError:
        return _SEARCHSET_BUNDLE.decode(data)
    whole = all(entry.resource is not msgspec.UNSET for entry in page.entry or ())
    return page if whole else _SEARCHSET_BUNDLE.decode(data)


def _problem_of(outcome: Resource) -> str | None:
    issues = outcome.issue if isinstance(outcome, OperationOutcomeResource) else ()
    said = any(issue.severity in ("error", "fatal") for issue in issues)
    return _SAID_INCOMPLETE if said else None


def _as_bytes(raw: bytes | dict[str, Any]) -> bytes:
    if isinstance(raw, dict):
        try:
            return json.dumps(raw, default=str).encode()
        except (ValueError, RecursionError):
            return b""
    return bytes(raw)


def _page(bundle: _Bundle | _Entries) -> SearchPage:
    matches: list[RawResource] = []
    included: list[RawResource] = []
    unread, problem = 0, None
    for raw in bundle.entry or ():
        kind, mode, resource = _searchset_entry(raw)
        if kind == "OperationOutcome" or mode == "outcome":
            problem = problem or _problem(resource)
        elif not kind:
            unread += 0 if _bytes(raw) in (b"null", b"{}") else 1
        else:
            (included if mode == "include" else matches).append(resource)
    return SearchPage(
        tuple(matches),
        tuple(included),
        _next(bundle),
        problem,
        unread,
        len(bundle.entry or ()),
        _total(bundle),
    )


def _searchset_entry(raw: msgspec.Raw | _Entry) -> tuple[str, str, bytes]:
    """Resource type, search mode and JSON of one entry; "" for a type that could not be read."""
    try:
        entry = raw if isinstance(raw, _Entry) else _ENTRY.decode(raw)
        resource = _resource(entry)
        kind = _kind(resource)
    except (msgspec.MsgspecError, RecursionError):
        return "", "", b""
    mode = entry.search.mode if entry.search else None
    return kind or "", mode or "match", resource


def _bytes(entry: msgspec.Raw | _Entry) -> bytes:
    return _resource(entry) if isinstance(entry, _Entry) else bytes(entry)


def _resource(entry: _Entry) -> bytes:
    return b"" if entry.resource is msgspec.UNSET else bytes(entry.resource)


def _kind(resource: bytes) -> str | None:
    """The resource type, which nearly always stands first."""
    first = _TYPE_FIRST.match(resource)
    return first[1].decode() if first else _KIND.decode(resource).resourceType


def _problem(outcome: bytes) -> str | None:
    try:
        issues = _OUTCOME.decode(outcome).issue or []
    except msgspec.MsgspecError:
        return "the server added an outcome that could not be read"
    if any(issue.severity in ("error", "fatal") for issue in issues):
        return _SAID_INCOMPLETE
    return None


def _total(bundle: _Bundle | _Entries | Bundle) -> int | None:
    """Bundle.total where it is a number that can be; servers differ in whether they give it."""
    written = b"" if bundle.total is msgspec.UNSET else bytes(bundle.total)
    return int(written) if re.fullmatch(rb"[0-9]{1,9}", written) else None


def _next(bundle: _Bundle | _Entries) -> str | None:
    for raw in bundle.link or ():
        try:
            link = _LINK.decode(raw)
        except msgspec.MsgspecError:
            continue
        if link.relation == "next":
            return link.url or ""
    return None
