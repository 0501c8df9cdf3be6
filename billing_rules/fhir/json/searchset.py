"""A search answer's Bundle to matches, included resources, and whether it is all there is.

Entries with search.mode include are no matches, and outcome entries are not resources of the
chart; an outcome of severity error means that the server left something out (conformance D8.2).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from billing_rules.fhir.json.decoding import RawResource, decoded_bundle
from billing_rules.fhir.json.shapes import Bundle, Link, OperationOutcomeResource, Resource, Search
from billing_rules.model.states import Unknown


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


_BUNDLE = msgspec.json.Decoder(_Bundle)
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
        return _BUNDLE.decode(data)
    whole = all(entry.resource is not msgspec.UNSET for entry in page.entry or ())
    return page if whole else _BUNDLE.decode(data)


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
        kind, mode, resource = _entry(raw)
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


def _entry(raw: msgspec.Raw | _Entry) -> tuple[str, str, bytes]:
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
