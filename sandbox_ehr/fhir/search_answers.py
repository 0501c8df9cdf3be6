"""A search as it is answered: a Bundle of one page, what is included, and a link to the next."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from sandbox_ehr.fhir import capability, searching
from sandbox_ehr.fhir.outcomes import FhirError, OutcomeIssue, outcome
from sandbox_ehr.fhir.requests import FhirRequest, FhirResponse, FhirServer, OpenSearch, preferred
from sandbox_ehr.fhir.searching import FhirSearch, values

Resource = dict[str, Any]
PAGE = "_page"
# With "true" resources come whole: a server need not give just the summary (FHIR R4, "_summary").
_SUMMARIES = ("count", "data", "false", "text", "true")
_MOST_INCLUDES = 20
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _How:
    """How the answer is to be given."""

    size: int
    only_count: bool
    summary: str
    elements: frozenset[str]
    includes: tuple[str, ...]


def search(served: FhirServer, call: FhirRequest, resource_type: str) -> FhirResponse:
    """The first page of a search."""
    if not call.access.may("s", resource_type):
        raise FhirError(403, f"the token's scopes do not allow to search {resource_type}")
    asked = [(name, value) for name, value in call.params if name != "_format"]
    _of_this_ehr(served, resource_type, asked)
    _only_its_patient(served, call, resource_type, asked)
    read = _read(served, call, resource_type, asked)
    how = _how(served, resource_type, asked)
    reached = served.records.each(read, lambda r: r["id"] if call.access.covers("s", r) else "")
    ids = tuple(filter(None, reached))
    used = tuple(_used(asked, read))
    if how.only_count:
        links = [{"relation": "self", "url": _self_url(served, resource_type, used)}]
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(ids), "link": links}
        return FhirResponse(200, bundle)
    rest = OpenSearch(resource_type, used, ids, call.access)
    return FhirResponse(200, _page(served, call, rest, 0, total=len(ids), how=how))


def next_page(served: FhirServer, call: FhirRequest, name: str) -> FhirResponse:
    """A further page of a search that was begun before, by somebody who may see the same."""
    key, _, offset = name.rpartition(".")
    rest = served.pages.find(key)
    if rest is None or rest.access != call.access or not _NUMBER.fullmatch(offset):
        raise FhirError(410, "this search has ended: begin it anew", "expired")
    how = _how(served, rest.resource_type, list(rest.params))
    total = len(rest.matches)
    return FhirResponse(200, _page(served, call, rest, int(offset), total=total, how=how, name=key))


# ---------------------------------------------------------------- what was asked


def _of_this_ehr(served: FhirServer, resource_type: str, asked: searching.Asked) -> None:
    """What the EHR this one is like demands. Raises FhirError (400)."""
    names = {name.partition(":")[0] for name, _ in asked}
    needed = served.quirks.need_one_of.get(resource_type)
    if needed and not names & {*needed.parameters, "_id"}:
        code = f" (error {needed.code})" if needed.code else ""
        words = " or ".join(needed.parameters)
        raise FhirError(400, f"{resource_type} is searched with {words}{code}", "required")
    dated = served.quirks.timed_dates.get(resource_type)
    statuses = served.quirks.statuses.get(resource_type)
    for name, value in asked:
        if dated and name == dated.parameter and not (value[:2].isalpha() and "T" in value):
            raise FhirError(400, f"'{name}' needs a prefix and a time of day", "value")
        if statuses and name == "status" and not set(value.split(",")) <= set(statuses):
            raise FhirError(400, f"'status' can be {', '.join(statuses)}", "value")


def _only_its_patient(
    served: FhirServer, call: FhirRequest, resource_type: str, asked: searching.Asked
) -> None:
    """A token for one patient's chart does not search another's. Raises FhirError (403)."""
    if not call.access.only_of_its_patient("s", resource_type):
        return
    known = capability.search_parameters(resource_type, served.quirks)
    for name, value in asked:
        parameter = known.get(name.partition(":")[0])
        about = parameter is not None and parameter.targets == ("Patient",)
        if about and not name.endswith(":missing"):
            ids = {one.rpartition("/")[2] for one in value.split(",")}
            if ids != {call.access.patient}:
                raise FhirError(403, "the token was given for another patient")


def _read(
    served: FhirServer, call: FhirRequest, resource_type: str, asked: searching.Asked
) -> FhirSearch:
    """The search, without what this server does not know, unless it is to be strict."""
    known = capability.search_parameters(resource_type, served.quirks)
    names = {*known, *searching.HOW}
    offered = [(name, value) for name, value in asked if name.partition(":")[0] in names]
    read = searching.read_search(resource_type, offered, served.base)
    ignored = [name for name, value in asked if (name, value) not in offered]
    ignored += read.ignored
    handling = preferred(call, "handling")
    if ignored and (handling == "strict" or (served.quirks.strict and handling != "lenient")):
        words = ", ".join(f"'{name[:60]}'" for name in ignored[:10])
        raise FhirError(400, f"{resource_type} cannot be searched by {words}", "not-supported")
    return read


def _how(served: FhirServer, resource_type: str, asked: searching.Asked) -> _How:
    said = dict(asked)
    count = said.get("_count", "")
    if count and not _NUMBER.fullmatch(count):
        raise FhirError(400, "'_count' takes a number of resources")
    summary = said.get("_summary", "")
    if summary and summary not in _SUMMARIES:
        raise FhirError(400, f"'_summary' takes one of {', '.join(_SUMMARIES)}", "not-supported")
    size = min(int(count), served.quirks.page_most) if count else served.quirks.page_default
    elements = frozenset(e for e in said.get("_elements", "").split(",") if e)
    included = tuple(value for name, value in asked if name == "_include")[:_MOST_INCLUDES]
    known = capability.can_include(resource_type, served.quirks)
    for value in included:
        if ":".join(value.split(":")[:2]) not in known:
            raise FhirError(400, f"'_include' of {resource_type} takes one of {', '.join(known)}")
    return _How(size, summary == "count" or size == 0, summary, elements, included)


def _used(asked: searching.Asked, read: FhirSearch) -> Iterator[tuple[str, str]]:
    """What of the query was used: the self link says it (FHIR R4, "Server Conformance")."""
    for name, value in asked:
        if name == "_sort":
            names = [n for n in value.split(",") if n and f"_sort={n}" not in read.ignored]
            value = ",".join(names)
        if value and (name in searching.HOW or (name, value) in read.used):
            yield name, value


# ---------------------------------------------------------------- what is answered


def _page(
    served: FhirServer,
    call: FhirRequest,
    rest: OpenSearch,
    start: int,
    *,
    total: int,
    how: _How,
    name: str = "",
) -> Resource:
    """One page; what was deleted, or is no longer in reach, since the search began is left out."""
    ids = rest.matches[start : start + how.size]
    found = [r for id_ in ids if (r := served.records.read(rest.resource_type, id_)) is not None]
    matches = [r for r in found if call.access.covers("s", r)]
    included = _included(served, call, matches, how.includes)
    entries = [_entry(served, _shaped(r, how), "match") for r in matches]
    entries += [_entry(served, r, "include") for r in included]
    if not total and served.quirks.nothing_found:
        entries = [_nothing_found(served)]
    links = [{"relation": "self", "url": _self_url(served, rest.resource_type, rest.params)}]
    end = start + how.size
    if end < len(rest.matches):
        key = name or served.pages.keep(rest)
        links.append({"relation": "next", "url": f"{served.base}?{PAGE}={key}.{end}"})
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset"}
    if served.quirks.totals:
        bundle["total"] = total
    bundle["link"] = links
    return {**bundle, "entry": entries} if entries else bundle


def _self_url(served: FhirServer, resource_type: str, params: Iterable[tuple[str, str]]) -> str:
    query = urlencode(list(params), safe=",|:/")
    return f"{served.base}/{resource_type}" + (f"?{query}" if query else "")


def _entry(served: FhirServer, resource: Resource, mode: str) -> Resource:
    url = f"{served.base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def _nothing_found(served: FhirServer) -> Resource:
    said = served.quirks.nothing_found
    assert said is not None
    issue = outcome(OutcomeIssue(said.text, "not-found", "warning"))
    coding = {"system": said.system, "code": said.code}
    issue["issue"][0]["details"] = {"coding": [coding], "text": said.text}
    return {"resource": issue, "search": {"mode": "outcome"}}


def _included(
    served: FhirServer, call: FhirRequest, matches: Sequence[Resource], includes: Iterable[str]
) -> list[Resource]:
    """What the matches refer to, each once, as far as the caller may read it."""
    known = {(r["resourceType"], r["id"]) for r in matches}
    result = []
    for asked in includes:
        kind, name, target = (*asked.split(":"), "")[:3]
        parameter = capability.search_parameters(kind, served.quirks)[name]
        for value in (v for path in parameter.paths for r in matches for v in values(r, path)):
            reference = value.get("reference") if isinstance(value, dict) else None
            place = str(reference or "").removeprefix(f"{served.base}/").split("/")
            type_, id_ = (*place, "")[:2]
            if type_ not in capability.types(served.quirks) or target not in ("", type_):
                continue
            found = served.records.read(type_, id_)
            if found and call.access.covers("r", found) and (type_, id_) not in known:
                known.add((type_, id_))
                result.append(found)
    return result


_ALWAYS = frozenset({"resourceType", "id", "meta"})


def _shaped(resource: Resource, how: _How) -> Resource:
    """The resource with the elements asked for, marked when it is not whole."""
    if how.summary == "data":
        names = set(resource) - {"text"}
    elif how.summary == "text":
        names = {"text", *_MANDATORY}
    elif how.elements:
        names = {*how.elements, *_MANDATORY}
    else:
        return resource
    if names >= set(resource):
        return resource
    shaped = {name: value for name, value in resource.items() if name in names | _ALWAYS}
    meta = resource.get("meta", {})
    return {**shaped, "meta": {**meta, "tag": [*meta.get("tag", ()), _SUBSETTED]}}


_SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
# Elements without which a resource is not valid, whatever was asked for.
_ELEMENTS = (
    "status intent subject patient beneficiary code class payor use created insurer outcome type "
    "provider priority insurance individual study content target recorded agent relationship "
    "vaccineCode medicationCodeableConcept medicationReference effectiveDateTime effectivePeriod "
    "occurrenceDateTime"
)
_MANDATORY = frozenset(_ELEMENTS.split())
