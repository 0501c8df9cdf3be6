"""The link from a card to the app: when there is one, and what it hands over."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cds_hooks.record.store import Store
from cds_hooks.settings import Client as Registered
from ehr_access.app_context import AppContext, Refusal, opened
from tests.cds_hooks.conftest import BASE, SERVICE, Body, Client, cards_of, draft
from tests.cds_hooks.tokens import EC, claims, jwks, signed

KEY = b"k" * 32
LAUNCH = "https://app.example/launch"
EHR = "https://ehr.example/r4"
NOW = datetime(2026, 11, 24, 14, tzinfo=UTC)
APP: dict[str, Any] = {"app_launch_url": LAUNCH, "context_key": KEY, "clock": lambda: NOW}


@pytest.fixture
def from_ehr(wrong_code: Body) -> Body:
    return {**wrong_code, "fhirServer": EHR}


def smart(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [link for card in cards for link in card.get("links", ()) if link["type"] == "smart"]


def drafted(body: Body) -> list[str]:
    resources = [entry["resource"] for entry in body["context"]["draftOrders"]["entry"]]
    return [f"{r['resourceType']}/{r['id']}" for r in resources]


def test_every_card_links_to_the_app_with_what_it_is_about(
    client_with: Client, from_ehr: Body
) -> None:
    cards = cards_of(client_with(**APP, fhir_bases=frozenset({EHR})), from_ehr)
    assert cards and len(smart(cards)) == len(cards)
    patient = from_ehr["context"]["patientId"]
    for card in cards:
        link = card["links"][0]
        assert (link["url"], link["type"]) == (LAUNCH, "smart")
        assert set(link) == {"label", "url", "type", "appContext"}
        context = opened(link["appContext"], KEY, patient, EHR, NOW + timedelta(hours=23))
        assert isinstance(context, AppContext)
        assert context.card == card["uuid"] and context.rules
        assert context.order == f"MedicationRequest/{draft(from_ehr)['id']}"
        assert set(context.together) == set(drafted(from_ehr))
        assert opened(link["appContext"], KEY, "another", EHR, NOW) is Refusal.ANOTHER_PATIENT


def test_what_sealing_needs_is_loaded_before_the_first_call() -> None:
    """And only where there is an app: a service without one starts without cryptography."""
    script = (
        "import sys; from datetime import date; from billing_rules.catalogue import load;"
        "from cds_hooks import Settings, create_app; catalogue = load();"
        "from cds_hooks.record.entries import KeyedHashes;"
        "from cds_hooks.record.store import temporary;"
        "store = temporary(KeyedHashes(b'a secret for tests, 32 bytes long'));"
        "base = {'public_url': 'https://a.example', 'today': date.today, 'open': True};"
        "told = lambda **app: Settings(**base, **app);"
        "create_app(catalogue, told(), store); assert 'joserfc' not in sys.modules;"
        "linked = told(app_launch_url='https://b.example', context_key=b'k' * 32);"
        "create_app(catalogue, linked, store);"
        "assert 'ehr_access.app_context' in sys.modules and 'joserfc' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_key_that_is_too_short_does_not_start(client_with: Client) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        client_with(**{**APP, "context_key": b"short"})


def test_the_context_holds_nothing_of_the_patient_that_can_be_read(
    client_with: Client, from_ehr: Body
) -> None:
    service = client_with(**APP, fhir_bases=frozenset({EHR}))
    for link in smart(cards_of(service, from_ehr)):
        assert len(link["appContext"]) <= 1024
        assert from_ehr["context"]["patientId"] not in json.dumps(link)


@pytest.mark.parametrize(
    "changes",
    [
        {"app_launch_url": ""},
        {"context_key": b""},
        {"fhir_bases": frozenset({"https://another.example/r4"})},
        {"link_hosts": frozenset({"cds.example"})},
    ],
)
def test_otherwise_there_is_no_link(
    client_with: Client, from_ehr: Body, changes: dict[str, Any]
) -> None:
    said = {**APP, "fhir_bases": frozenset({EHR}), **changes}
    cards = cards_of(client_with(**said), from_ehr)
    assert cards and not smart(cards)


def test_without_a_fhir_server_there_is_no_link_in_open_mode(
    client_with: Client, wrong_code: Body
) -> None:
    sent = {key: value for key, value in wrong_code.items() if key != "fhirServer"}
    assert not smart(cards_of(client_with(**APP, fhir_bases=frozenset({EHR})), sent))


@pytest.mark.parametrize("told", ["", EHR, "https://another.example/r4"])
def test_a_registered_client_is_launched_from_its_own_server_only(
    client_with: Client, store: Store, wrong_code: Body, told: str
) -> None:
    for wants in (True, False):
        client = Registered(iss=EHR, jwks=jwks(EC), fhir_base=EHR, app_link=wants)
        service = client_with(store, open=False, clients=(client,), **APP)
        token = signed(claims(iss=EHR, aud=BASE + SERVICE, tenant=None), EC)
        answer = service.post(
            SERVICE, json={**wrong_code, "fhirServer": told}, headers={"Authorization": token}
        )
        links = smart(answer.json["cards"])
        assert bool(links) is (wants and "another" not in told)
        for link in links:
            patient = wrong_code["context"]["patientId"]
            assert isinstance(opened(link["appContext"], KEY, patient, EHR, NOW), AppContext)


def test_an_order_whose_id_is_too_long_has_a_card_and_no_link(
    client_with: Client, from_ehr: Body
) -> None:
    draft(from_ehr)["id"] = "x" * 1200
    cards = cards_of(client_with(**APP, fhir_bases=frozenset({EHR})), from_ehr)
    assert cards and not smart(cards)
