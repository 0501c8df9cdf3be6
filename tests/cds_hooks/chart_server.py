"""A FHIR server that holds one invented patient's chart, and requests that lend a token for it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import fixtures
from billing_rules.data_needed import DATA_NEEDED
from tests.ehr_access.server import FakeEhr, Handler, Reply, bundle, statement

TOKEN = "canary-token-5c1e"
TYPES = tuple(dict.fromkeys([*(n.resource_type for n in DATA_NEEDED), "Medication"]))
Resource = dict[str, Any]
Body = dict[str, Any]


def offer(ehr: FakeEhr, *types: str) -> None:
    """Declare these types, all of them when none is named."""
    params = dict.fromkeys(types or TYPES, "patient code category status intent use date")
    ehr.replies["/r4/metadata"] = Reply(statement(**params))


def serve(ehr: FakeEhr, patient_id: str, more: Iterable[Resource] = ()) -> list[Resource]:
    """The whole chart of a patient, and whatever else."""
    held = [*fixtures.patient_everything(patient_id), *more]
    serve_all(ehr, held)
    return held


def serve_all(ehr: FakeEhr, held: list[Resource]) -> None:
    """These resources, and nothing else."""
    offer(ehr)
    for resource in held:
        ehr.replies[f"/r4/{resource['resourceType']}/{resource['id']}"] = Reply(resource)
    for kind in TYPES:
        ehr.replies[f"/r4/{kind}"] = _search([r for r in held if r["resourceType"] == kind])


def _search(resources: list[Resource]) -> Handler:
    def answer(request: BaseHTTPRequestHandler) -> None:
        asked = dict(parse_qsl(urlsplit(request.path).query))
        Reply(bundle(*(r for r in resources if _matches(r, asked)))).send(request)

    return answer


def _matches(resource: Resource, asked: dict[str, str]) -> bool:
    wanted = {code.rpartition("|")[2] for code in asked.get("code", "").split(",")}
    codes = {c.get("code") for c in resource.get("code", {}).get("coding", [])}
    return "code" not in asked or bool(codes & wanted)


def searches(ehr: FakeEhr) -> list[str]:
    """What was asked, without the capability statement."""
    return [path for path in ehr.asked if not path.endswith("/metadata")]


def lent(body: Body, ehr: FakeEhr, **changes: Any) -> Body:
    """The request with a token for `ehr`; `changes` are members of fhirAuthorization."""
    changed = copy.deepcopy(body)
    changed["fhirServer"] = ehr.url
    changed["fhirAuthorization"] = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "vialwise-at-hollow-creek",
        **changes,
    }
    return changed


def request(hook: str, context: Body, prefetch: Body | None = None) -> Body:
    """A hook request made from nothing."""
    body = {
        "hook": hook,
        "hookInstance": "7f000000-0000-4000-8000-000000000099",
        "context": context,
    }
    return {**body, "prefetch": prefetch} if prefetch is not None else body


def searchset(resources: Iterable[Resource], *kinds: str) -> Resource:
    """The resources of these types as a prefetched Bundle."""
    return bundle(*(r for r in resources if r["resourceType"] in kinds))
