"""The cards of every hook with a FHIR callback to another's server, against those by prefetch."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import DATA_NEEDED
from cds_hooks import Settings, create_app
from cds_hooks.record.store import temporary
from cds_hooks.services import SERVICES
from tests.cds_hooks import chart_server
from tests.databases import KEYS
from tests.interop.conftest import Server
from tests.practice_ehr import practice_ehr

pytestmark = pytest.mark.interop

TODAY = date(2026, 11, 23)
# A card says the minute it was made in, and a minute may end between two answers.
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
_PATIENCE = 90.0  # seconds
KINDS = ("MedicationRequest", "MedicationAdministration", "Encounter")
Body = dict[str, Any]
Answer = tuple[int, list[dict[str, Any]]]

# Requests whose prefetch says something else than the chart, on purpose: why they differ.
PREFETCH_SAYS_OTHERWISE = {
    "nulls-everywhere": "says null for a chart that holds everything",
    "order-select-before-the-dose": "leaves out keys that the callback can ask for",
    "prefetch-of-two-keys": "leaves out keys that the callback can ask for",
}


@pytest.fixture(scope="module")
def service(catalogue: Catalogue) -> Any:
    """The open service without a deadline that matters: what is answered is compared, not how fast,
    and a busy machine with three servers on it is slow."""
    settings = Settings(
        public_url="https://cds.example",
        today=lambda: TODAY,
        clock=lambda: NOON,
        open=True,
        given_days=366,
    )
    patient = settings.model_copy(update={"fetch_seconds": _PATIENCE})  # past what a site may set
    return create_app(catalogue, patient, temporary(KEYS)).test_client()


def answer(service: Any, body: Body) -> Answer:
    """Status and cards, without what is new each time and in no order: a server gives what it
    found in an order of its own, and cards of equal urgency follow that."""
    id_ = next(s.id for s in SERVICES.values() if body["hook"] in s.hooks)
    response = service.post(f"/cds-services/{id_}", json=body)
    said = json.loads(response.data)
    cards = said.get("cards", [])
    for card in cards:
        card.pop("uuid", None)
        for suggestion in card.get("suggestions", []):
            suggestion.pop("uuid", None)
    return response.status_code, sorted(cards, key=json.dumps)


def by_callback(body: Body, base: str) -> Body:
    """The request without prefetch, with a token lent for the server."""
    asking = copy.deepcopy(body)
    asking.pop("prefetch", None)
    asking["fhirServer"] = base
    asking["fhirAuthorization"] = {
        "access_token": "no-server-here-asks-for-it",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.rs",
        "subject": "vialwise",
    }
    return asking


def by_prefetch_from(body: Body, base: str) -> Body:
    """The request as an EHR on that server sends it: with every template of discovery run, and a
    token for the Medications that the orders refer to."""
    sending = by_callback(body, base)
    context = body["context"]
    patient = context["patientId"].removeprefix("Patient/")
    sending["prefetch"] = {}
    for need in DATA_NEEDED:
        query = need.template.replace("{{context.patientId}}", patient)
        query = query.replace("{{context.encounterId}}", context.get("encounterId") or "")
        if not query.endswith("/"):
            said = requests.get(f"{base}/{query}", timeout=60)
            sending["prefetch"][need.key] = said.json() if said.status_code == 200 else None
    return sending


# ---------------------------------------------------------------- order-select, order-sign


@pytest.mark.parametrize("name", fixtures.names("hook_requests"))
def test_the_callback_gives_the_cards_of_the_prefetch(
    server: Server, service: Any, name: str
) -> None:
    body = fixtures.hook_request(name)
    expected = answer(service, body)
    found = answer(service, by_callback(body, server.base))
    assert found[0] == expected[0] == 200
    if name in PREFETCH_SAYS_OTHERWISE:
        assert found != expected, "it differs no more: take it off the list"
    else:
        assert found == expected


@pytest.mark.parametrize("name", fixtures.names("hook_requests"))
def test_the_servers_own_prefetch_gives_the_cards_of_the_callback(
    server: Server, service: Any, name: str
) -> None:
    body = fixtures.hook_request(name)
    prefetched = by_prefetch_from(body, server.base)
    assert answer(service, prefetched) == answer(service, by_callback(body, server.base))


# ---------------------------------------------------------------- the other hooks


def calls_of(hook: str, chart: list[Body]) -> Iterator[Body]:
    """The contexts in which a hook could be about this patient's chart."""
    patient = next(r["id"] for r in chart if r["resourceType"] == "Patient")
    about = {"userId": "Practitioner/prac-imogen-hartwell", "patientId": patient}
    of = {kind: [r["id"] for r in chart if r["resourceType"] == kind] for kind in KINDS}
    if hook == "order-dispatch" and of["MedicationRequest"]:
        orders = [f"MedicationRequest/{id_}" for id_ in of["MedicationRequest"]]
        performer = "Organization/org-hollow-creek-allergy"
        yield {**about, "dispatchedOrders": orders, "performer": performer}
    if hook == "encounter-discharge":
        yield from ({**about, "encounterId": id_} for id_ in of["Encounter"])
    if hook == "patient-view" and of["MedicationAdministration"]:
        yield about
    if hook == "appointment-book" and of["MedicationRequest"]:
        yield {**about, "appointments": _appointment(f"Patient/{patient}")}


def _appointment(patient: str) -> Body:
    participant = {"actor": {"reference": patient}, "status": "needs-action"}
    proposed = {
        "resourceType": "Appointment",
        "id": "proposed",
        "status": "proposed",
        "start": "2026-12-07T10:00:00-06:00",
        "participant": [participant],
    }
    return {"resourceType": "Bundle", "entry": [{"resource": proposed}]}


@pytest.mark.parametrize(
    "hook", ["order-dispatch", "encounter-discharge", "patient-view", "appointment-book"]
)
def test_the_other_hooks_answer_as_from_a_plain_chart_server(
    server: Server, service: Any, hook: str
) -> None:
    """The plain server holds the same resources and finds everything by type and code."""
    spoke = 0
    for patient in fixtures.names("patients"):
        chart = fixtures.patient_everything(patient, drafts=True)
        with practice_ehr() as plain:
            chart_server.serve_all(plain, chart)
            for context in calls_of(hook, chart):
                body = chart_server.request(hook, context)
                expected = answer(service, by_callback(body, plain.url))
                assert answer(service, by_callback(body, server.base)) == expected, context
                spoke += bool(expected[1])
    assert spoke, "no call got a card: nothing was compared"
