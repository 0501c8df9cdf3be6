"""Every interaction of the RESTful API but the search: read, write, history, and Bundles of them
(FHIR R4, "http").

`answer` is the one way in, for a request and for an entry of a batch alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from sandbox_ehr import charts
from sandbox_ehr.fhir import capability, requests, search_answers, validation
from sandbox_ehr.fhir.outcomes import FhirError, OutcomeIssue, outcome
from sandbox_ehr.fhir.records import ID, Version
from sandbox_ehr.fhir.requests import FhirRequest, FhirResponse, FhirServer, preferred
from sandbox_ehr.fhir.search_answers import search

# ----------------------------------------------------------------------
# Batch and transaction: several interactions in one request (FHIR R4, "http", 3.1.0.11).
#
# A transaction is done whole or not at all; an entry of a batch stands or falls by itself.


Resource = dict[str, Any]
Ask = Callable[[FhirServer, FhirRequest], FhirResponse]

_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3, "HEAD": 3}
_HEADERS = {"ifMatch": "if-match", "ifNoneMatch": "if-none-match", "ifNoneExist": "if-none-exist"}
_MOST_ENTRIES = 1000


def process_bundle(served: FhirServer, call: FhirRequest, ask: Ask) -> FhirResponse:
    """The answer to a Bundle that was posted to the base. Raises FhirError."""
    bundle = call.body or {}
    if bundle.get("resourceType") != "Bundle":
        raise FhirError(400, "the body is no Bundle")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or len(entries) > _MOST_ENTRIES:
        raise FhirError(400, f"'entry' is a list of at most {_MOST_ENTRIES}")
    match bundle.get("type"):
        case "batch":
            answers = []
            for entry in entries:
                try:
                    answers.append(_response(ask(served, _call(served, call, entry))))
                except FhirError as error:
                    response = {"status": str(error.status), "outcome": error.outcome}
                    answers.append({"response": response})
        case "transaction":
            answers = _transaction(served, call, entries, ask)
        case _:
            raise FhirError(400, "a Bundle for the base is a batch or a transaction")
    done = {"resourceType": "Bundle", "type": f"{bundle['type']}-response"}
    return FhirResponse(200, {**done, "entry": answers} if answers else done)


def _transaction(
    served: FhirServer, call: FhirRequest, entries: list[Any], ask: Ask
) -> list[Resource]:
    """Each entry's answer in the order of the entries; done in the order FHIR says."""
    answers: dict[int, Resource] = {}
    with served.records.all_or_nothing():
        named = _new_ids(served, call, entries)
        names = {str(entries[i]["fullUrl"]): name for i, name in named.items()}
        calls = {
            i: replace(
                _call(served, call, charts.referring(entry, names)),
                new_id=named.get(i, "").rpartition("/")[2],
            )
            for i, entry in enumerate(entries)
        }
        written = [c.path for c in calls.values() if c.method in ("PUT", "DELETE")]
        if len(written) != len(set(written)):
            raise FhirError(400, "a transaction writes each resource once")
        for i in sorted(calls, key=lambda i: _ORDER.get(calls[i].method, 4)):
            try:
                answers[i] = _response(ask(served, calls[i]))
            except FhirError as error:
                at = f"Bundle.entry[{i}]"
                issues = tuple(
                    replace(issue, text=f"{at}: {issue.text}", expression=issue.expression or at)
                    for issue in error.issues
                )
                raise FhirError(error.status, str(error), issues=issues) from None
    return [answers[i] for i in range(len(entries))]


def _call(served: FhirServer, call: FhirRequest, entry: Any) -> FhirRequest:
    """The interaction an entry asks for. Raises FhirError (400)."""
    request = entry.get("request") if isinstance(entry, dict) else None
    request = request if isinstance(request, dict) else {}
    method, url = request.get("method"), request.get("url")
    if not isinstance(method, str) or not isinstance(url, str):
        raise FhirError(400, "an entry has a request with 'method' and 'url'", "required")
    path, _, query = url.removeprefix(f"{served.base}/").partition("?")
    parts = tuple(unquote(part) for part in path.strip("/").split("/"))
    if parts == ("",):
        raise FhirError(400, "a Bundle inside a Bundle is not processed")
    headers = {
        header: request[name]
        for name, header in _HEADERS.items()
        if isinstance(request.get(name), str)
    }
    resource = entry.get("resource")
    body = resource if isinstance(resource, dict) else None
    return FhirRequest(
        method, parts, call.access, tuple(requests.query_parameters(query)), body, headers
    )


def _new_ids(served: FhirServer, call: FhirRequest, entries: list[Any]) -> dict[int, str]:
    """What each new resource with a `fullUrl` will be called ("Observation/1"), by its entry: the
    others may refer to it before it is written."""
    names = {}
    for i, entry in enumerate(entries):
        match entry:
            case {"request": {"method": "POST", **request}, "fullUrl": str(), "resource": dict()}:
                kind, there = str(entry["resource"].get("resourceType")), None
                if isinstance(condition := request.get("ifNoneExist"), str):
                    there = requests.already_there(served, call.access, kind, condition)
                names[i] = f"{kind}/{there['id'] if there else served.records.fresh_id()}"
    return names


def _response(answer: FhirResponse) -> Resource:
    names = {"Location": "location", "ETag": "etag", "Last-Modified": "lastModified"}
    headers = {name: answer.headers[h] for h, name in names.items() if h in answer.headers}
    response = {"status": str(answer.status), **headers}
    entry: Resource = {"response": response}
    return entry if answer.resource is None else {**entry, "resource": answer.resource}


# ----------------------------------------------------------------------
# Every interaction of the RESTful API but the search: read, write, history (FHIR R4, "http").
#
# `answer` is the one way in, for a request and for an entry of a batch alike.


_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)


class NotAllowed(FhirError):
    """A method that the address does not have; `allowed` are those it has."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(405, f"this address takes {', '.join(allowed)} only")
        self.allowed = allowed


def answer(served: FhirServer, call: FhirRequest) -> FhirResponse:
    """What the server does and says. Raises FhirError."""
    match call.path:
        case ():
            return _system(served, call)
        case (kind,):
            return _of_method(served, call, kind, {"GET": search, "POST": _create})
        case (kind, "_search"):
            return _of_method(served, call, kind, {"POST": search, "GET": search})
        case (kind, id_):
            methods = {"GET": _read, "PUT": _update, "DELETE": _delete}
            return _of_method(served, call, kind, methods, id_)
        case (kind, id_, "_history"):
            return _of_method(served, call, kind, {"GET": _history}, id_)
        case (kind, id_, "_history", version):
            return _of_method(served, call, kind, {"GET": _vread}, id_, version)
    raise FhirError(404, "there is nothing at this address")


Interaction = Callable[..., FhirResponse]


def _system(served: FhirServer, call: FhirRequest) -> FhirResponse:
    name = dict(call.params).get(search_answers.PAGE)
    if call.method in ("GET", "POST") and name is not None:
        return search_answers.next_page(served, call, name)
    if call.method == "POST":
        return process_bundle(served, call, answer)
    raise NotAllowed(("POST",))


def _of_method(
    served: FhirServer, call: FhirRequest, kind: str, methods: dict[str, Interaction], *ids: str
) -> FhirResponse:
    if not _TYPE.fullmatch(kind) or kind not in capability.types(served.quirks):
        raise FhirError(404, "this server has no such resource type", "not-supported")
    if any(not ID.fullmatch(id_) for id_ in ids):
        raise FhirError(404, f"there is no {kind} with such an id")
    if call.method not in methods:
        raise NotAllowed(tuple(methods))
    return methods[call.method](served, call, kind, *ids)


# ---------------------------------------------------------------- reading


def _read(served: FhirServer, call: FhirRequest, kind: str, id_: str) -> FhirResponse:
    _may(call, "r", kind)
    found = served.records.read(kind, id_)
    if found is None:
        if served.records.is_deleted(kind, id_):
            raise FhirError(410, f"this {kind} was deleted")
        raise FhirError(404, f"there is no {kind} with this id")
    _covers(call, "r", found)
    etag = _etag(found["meta"]["versionId"])
    if call.headers.get("if-none-match") == etag:
        return FhirResponse(304, None, {"ETag": etag})
    return FhirResponse(200, found, _stamps(found))


def _history(served: FhirServer, call: FhirRequest, kind: str, id_: str) -> FhirResponse:
    """As FHIR R4 has it: the requests that made the versions, and what was answered."""
    _may(call, "r", kind)
    url = f"{kind}/{id_}"
    entries = []
    for version in _known_versions(served, call, kind, id_):
        gone, created = version.resource is None, version.number == 1
        method = "DELETE" if gone else "POST" if created else "PUT"
        entry: Resource = {
            "fullUrl": f"{served.base}/{url}",
            "request": {"method": method, "url": kind if method == "POST" else url},
            "response": {
                "status": "204" if gone else "201" if created else "200",
                "etag": _etag(version.number),
                "lastModified": version.at,
            },
        }
        entries.append(entry if gone else {**entry, "resource": version.resource})
    bundle = {"resourceType": "Bundle", "type": "history", "total": len(entries)}
    return FhirResponse(200, {**bundle, "entry": entries})


def _vread(served: FhirServer, call: FhirRequest, kind: str, id_: str, number: str) -> FhirResponse:
    _may(call, "r", kind)
    for version in _known_versions(served, call, kind, id_):
        if str(version.number) == number:
            if version.resource is None:
                raise FhirError(410, f"this {kind} was deleted")
            return FhirResponse(200, version.resource, _stamps(version.resource))
    raise FhirError(404, f"this {kind} has no such version")


def _known_versions(served: FhirServer, call: FhirRequest, kind: str, id_: str) -> list[Version]:
    versions = served.records.versions(kind, id_)
    newest = next((v.resource for v in versions if v.resource is not None), None)
    if newest is None:
        raise FhirError(404, f"there is no {kind} with this id")
    _covers(call, "r", newest)
    return [v for v in versions if v.resource is None or call.access.covers("r", v.resource)]


# ---------------------------------------------------------------- writing


def _create(served: FhirServer, call: FhirRequest, kind: str) -> FhirResponse:
    _may(call, "c", kind)
    resource = _body(call, kind)
    condition = call.headers.get("if-none-exist")
    if condition is not None:
        there = requests.already_there(served, call.access, kind, condition)
        if there is not None:
            return _written(served, call, 200, there)
    validation.check(resource)
    _covers(call, "c", resource)
    return _written(served, call, 201, served.records.create(resource, call.new_id))


def _update(served: FhirServer, call: FhirRequest, kind: str, id_: str) -> FhirResponse:
    existing = served.records.read(kind, id_)
    action = "u" if existing else "c"
    _may(call, action, kind)
    if existing:
        _covers(call, "u", existing)
    resource = _body(call, kind)
    if resource.get("id") != id_:
        raise FhirError(400, "the id of the resource is not that of the address")
    validation.check(resource)
    _covers(call, action, resource)
    kept = served.records.update(resource, _if_match(call))
    return _written(served, call, 200 if existing else 201, kept)


def _delete(served: FhirServer, call: FhirRequest, kind: str, id_: str) -> FhirResponse:
    _may(call, "d", kind)
    existing = served.records.read(kind, id_)
    if existing:
        _covers(call, "d", existing)
        served.records.delete(kind, id_, _if_match(call))
    return FhirResponse(204)


def _written(
    served: FhirServer, call: FhirRequest, status: int, resource: Resource
) -> FhirResponse:
    kind, id_ = resource["resourceType"], resource["id"]
    version = resource["meta"]["versionId"]
    headers = _stamps(resource)
    headers["Location"] = f"{served.base}/{kind}/{id_}/_history/{version}"
    match preferred(call, "return"):
        case "minimal":
            return FhirResponse(status, None, headers)
        case "operationoutcome":
            return FhirResponse(
                status, outcome(OutcomeIssue("kept", "informational", "information")), headers
            )
    return FhirResponse(status, resource, headers)


def _body(call: FhirRequest, kind: str) -> Resource:
    if call.body is None:
        raise FhirError(400, "the request has no resource in it", "required")
    if call.body.get("resourceType") != kind:
        raise FhirError(400, f"the body is no {kind}")
    return call.body


def _if_match(call: FhirRequest) -> str | None:
    said = call.headers.get("if-match")
    if said is None:
        return None
    match = _ETAG.fullmatch(said.strip())
    if match is None:
        raise FhirError(400, 'If-Match takes the ETag of a version, like W/"1"')
    return match[1]


# ---------------------------------------------------------------- who may


def _may(call: FhirRequest, action: str, kind: str) -> None:
    if not call.access.may(action, kind):
        words = {"r": "read", "c": "create", "u": "update", "d": "delete"}[action]
        raise FhirError(403, f"the token's scopes do not allow to {words} {kind}")


def _covers(call: FhirRequest, action: str, resource: Resource) -> None:
    if not call.access.covers(action, resource):
        raise FhirError(
            403,
            f"this {resource['resourceType']} is out of the token's reach: "
            "another patient's, or not in its scopes",
        )


def _etag(version: object) -> str:
    return f'W/"{version}"'


def _stamps(resource: Resource) -> dict[str, str]:
    meta = resource["meta"]
    return {"ETag": _etag(meta["versionId"]), "Last-Modified": meta["lastUpdated"]}
