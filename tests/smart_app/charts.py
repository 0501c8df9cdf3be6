"""A FHIR server that holds resources in memory, and a window on one patient of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import DATA_NEEDED
from ehr_access.base import FhirBase
from ehr_access.capability import Capabilities
from ehr_access.client import EhrClient
from ehr_access.scopes import Scopes
from ehr_access.transport import Transport
from smart_app.patient_record import ORDER_TYPES
from smart_app.running import Running
from smart_app.window import Role, User, Window
from tests.ehr_access.server import FakeEhr, Handler, Reply, bundle, statement

TODAY = date(2026, 11, 24)
TYPES = tuple(
    dict.fromkeys([*(n.resource_type for n in DATA_NEEDED), *ORDER_TYPES, "Medication", "Claim"])
)
Resource = dict[str, Any]


def serve(ehr: FakeEhr, resources: Iterable[Resource], page: int = 1000) -> None:
    """Offer every type and answer with `resources`, `page` of them at a time."""
    held = list(resources)
    params = dict.fromkeys(TYPES, "patient code category status intent use date _count")
    ehr.replies["/r4/metadata"] = Reply(statement(**params))
    for resource in held:
        ehr.replies[f"/r4/{resource['resourceType']}/{resource['id']}"] = Reply(resource)
    for kind in TYPES:
        ehr.replies[f"/r4/{kind}"] = _search([r for r in held if r["resourceType"] == kind], page)


def _search(resources: list[Resource], page: int) -> Handler:
    def answer(request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        asked = dict(parse_qsl(parts.query))
        found = [r for r in resources if _matches(r, asked)]
        start = int(asked.get("_offset", 0))
        end = start + min(page, int(asked.get("_count", page)))
        more = urlencode({**asked, "_offset": str(end)}) if end < len(found) else ""
        kind = parts.path.rpartition("/")[2]
        answer = bundle(*found[start:end], next_link=f"{kind}?{more}" if more else "")
        Reply(answer).send(request)

    return answer


def _matches(resource: Resource, asked: dict[str, str]) -> bool:
    codes = {c.get("code") for c in resource.get("code", {}).get("coding", [])}
    wanted = {code.rpartition("|")[2] for code in asked.get("code", "").split(",")}
    if "code" in asked and not codes & wanted:
        return False
    return all(
        name not in asked or resource.get(name) in asked[name].split(",")
        for name in ("status", "intent")
    )


def chart_of(patient_id: str, *orders: str) -> list[Resource]:
    """A patient's chart with the named draft orders in it."""
    return [*fixtures.patient_everything(patient_id), *(fixtures.order(name) for name in orders)]


def window_on(
    ehr: FakeEhr, patient_id: str, scopes: str = "patient/*.rs", **changes: Any
) -> Window:
    """A launched window on `patient_id` of a fake EHR."""
    transport, base = Transport(), FhirBase.parse(ehr.url)
    window = Window(
        id="w1",
        ehr_id="practice",
        ehr_name="Practice EHR",
        fhir_base=ehr.url,
        ehr=EhrClient(base, transport, Capabilities(transport)),
        patient_id=patient_id,
        encounter_id="",
        user=User("Practitioner/prac-imogen-hartwell", "Dr. Imogen Hartwell", Role.CLINICIAN),
        scopes=Scopes.parse(scopes),
    )
    return replace(window, **changes)


def running_with(catalogue: Catalogue) -> Running:
    return Running(catalogue, today=lambda: TODAY)
