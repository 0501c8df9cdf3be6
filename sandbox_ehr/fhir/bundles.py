"""Batch and transaction: several interactions in one request (FHIR R4, "http", 3.1.0.11).

A transaction is done whole or not at all; an entry of a batch stands or falls by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from sandbox_ehr import charts
from sandbox_ehr.fhir import calls
from sandbox_ehr.fhir.calls import Answer, Call, Served
from sandbox_ehr.fhir.outcomes import FhirError

Resource = dict[str, Any]
Ask = Callable[[Served, Call], Answer]

_ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3, "HEAD": 3}
_HEADERS = {"ifMatch": "if-match", "ifNoneMatch": "if-none-match", "ifNoneExist": "if-none-exist"}
_MOST_ENTRIES = 1000


def process(served: Served, call: Call, ask: Ask) -> Answer:
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
    return Answer(200, {**done, "entry": answers} if answers else done)


def _transaction(served: Served, call: Call, entries: list[Any], ask: Ask) -> list[Resource]:
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


def _call(served: Served, call: Call, entry: Any) -> Call:
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
    return Call(method, parts, call.access, tuple(calls.query_parameters(query)), body, headers)


def _new_ids(served: Served, call: Call, entries: list[Any]) -> dict[int, str]:
    """What each new resource with a `fullUrl` will be called ("Observation/1"), by its entry: the
    others may refer to it before it is written."""
    names = {}
    for i, entry in enumerate(entries):
        match entry:
            case {"request": {"method": "POST", **request}, "fullUrl": str(), "resource": dict()}:
                kind, there = str(entry["resource"].get("resourceType")), None
                if isinstance(condition := request.get("ifNoneExist"), str):
                    there = calls.already_there(served, call.access, kind, condition)
                names[i] = f"{kind}/{there['id'] if there else served.records.fresh_id()}"
    return names


def _response(answer: Answer) -> Resource:
    names = {"Location": "location", "ETag": "etag", "Last-Modified": "lastModified"}
    headers = {name: answer.headers[h] for h, name in names.items() if h in answer.headers}
    response = {"status": str(answer.status), **headers}
    entry: Resource = {"response": response}
    return entry if answer.resource is None else {**entry, "resource": answer.resource}
