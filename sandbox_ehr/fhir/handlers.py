"""Every interaction of the RESTful API but the search: read, write, history (FHIR R4, "http").

`answer` is the one way in, for a request and for an entry of a batch alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandbox_ehr.fhir import bundles, calls, capability, search_answers, validation
from sandbox_ehr.fhir.calls import Answer, Call, Served, preferred
from sandbox_ehr.fhir.outcomes import FhirError, Issue, outcome
from sandbox_ehr.fhir.search_answers import search
from sandbox_ehr.records import ID, Version

Resource = dict[str, Any]
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,63}", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)


class NotAllowed(FhirError):
    """A method that the address does not have; `allowed` are those it has."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(405, f"this address takes {', '.join(allowed)} only")
        self.allowed = allowed


def answer(served: Served, call: Call) -> Answer:
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


Interaction = Callable[..., Answer]


def _system(served: Served, call: Call) -> Answer:
    name = dict(call.params).get(search_answers.PAGE)
    if call.method in ("GET", "POST") and name is not None:
        return search_answers.next_page(served, call, name)
    if call.method == "POST":
        return bundles.process(served, call, answer)
    raise NotAllowed(("POST",))


def _of_method(
    served: Served, call: Call, kind: str, methods: dict[str, Interaction], *ids: str
) -> Answer:
    if not _TYPE.fullmatch(kind) or kind not in capability.types(served.quirks):
        raise FhirError(404, "this server has no such resource type", "not-supported")
    if any(not ID.fullmatch(id_) for id_ in ids):
        raise FhirError(404, f"there is no {kind} with such an id")
    if call.method not in methods:
        raise NotAllowed(tuple(methods))
    return methods[call.method](served, call, kind, *ids)


# ---------------------------------------------------------------- reading


def _read(served: Served, call: Call, kind: str, id_: str) -> Answer:
    _may(call, "r", kind)
    found = served.records.read(kind, id_)
    if found is None:
        if served.records.is_deleted(kind, id_):
            raise FhirError(410, f"this {kind} was deleted")
        raise FhirError(404, f"there is no {kind} with this id")
    _covers(call, "r", found)
    etag = _etag(found["meta"]["versionId"])
    if call.headers.get("if-none-match") == etag:
        return Answer(304, None, {"ETag": etag})
    return Answer(200, found, _stamps(found))


def _history(served: Served, call: Call, kind: str, id_: str) -> Answer:
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
    return Answer(200, {**bundle, "entry": entries})


def _vread(served: Served, call: Call, kind: str, id_: str, number: str) -> Answer:
    _may(call, "r", kind)
    for version in _known_versions(served, call, kind, id_):
        if str(version.number) == number:
            if version.resource is None:
                raise FhirError(410, f"this {kind} was deleted")
            return Answer(200, version.resource, _stamps(version.resource))
    raise FhirError(404, f"this {kind} has no such version")


def _known_versions(served: Served, call: Call, kind: str, id_: str) -> list[Version]:
    versions = served.records.versions(kind, id_)
    newest = next((v.resource for v in versions if v.resource is not None), None)
    if newest is None:
        raise FhirError(404, f"there is no {kind} with this id")
    _covers(call, "r", newest)
    return [v for v in versions if v.resource is None or call.access.covers("r", v.resource)]


# ---------------------------------------------------------------- writing


def _create(served: Served, call: Call, kind: str) -> Answer:
    _may(call, "c", kind)
    resource = _body(call, kind)
    condition = call.headers.get("if-none-exist")
    if condition is not None:
        there = calls.already_there(served, call.access, kind, condition)
        if there is not None:
            return _written(served, call, 200, there)
    validation.check(resource)
    _covers(call, "c", resource)
    return _written(served, call, 201, served.records.create(resource, call.new_id))


def _update(served: Served, call: Call, kind: str, id_: str) -> Answer:
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


def _delete(served: Served, call: Call, kind: str, id_: str) -> Answer:
    _may(call, "d", kind)
    existing = served.records.read(kind, id_)
    if existing:
        _covers(call, "d", existing)
        served.records.delete(kind, id_, _if_match(call))
    return Answer(204)


def _written(served: Served, call: Call, status: int, resource: Resource) -> Answer:
    kind, id_ = resource["resourceType"], resource["id"]
    version = resource["meta"]["versionId"]
    headers = _stamps(resource)
    headers["Location"] = f"{served.base}/{kind}/{id_}/_history/{version}"
    match preferred(call, "return"):
        case "minimal":
            return Answer(status, None, headers)
        case "operationoutcome":
            return Answer(status, outcome(Issue("kept", "informational", "information")), headers)
    return Answer(status, resource, headers)


def _body(call: Call, kind: str) -> Resource:
    if call.body is None:
        raise FhirError(400, "the request has no resource in it", "required")
    if call.body.get("resourceType") != kind:
        raise FhirError(400, f"the body is no {kind}")
    return call.body


def _if_match(call: Call) -> str | None:
    said = call.headers.get("if-match")
    if said is None:
        return None
    match = _ETAG.fullmatch(said.strip())
    if match is None:
        raise FhirError(400, 'If-Match takes the ETag of a version, like W/"1"')
    return match[1]


# ---------------------------------------------------------------- who may


def _may(call: Call, action: str, kind: str) -> None:
    if not call.access.may(action, kind):
        words = {"r": "read", "c": "create", "u": "update", "d": "delete"}[action]
        raise FhirError(403, f"the token's scopes do not allow to {words} {kind}")


def _covers(call: Call, action: str, resource: Resource) -> None:
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
