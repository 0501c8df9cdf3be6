"""The habits of the CDS Hooks Sandbox and of the CRD request generator, each as they send it."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from flask.testing import FlaskClient

from cds_hooks.record.store import Store, call_audit, card_feedback
from ehr_access.app_context import AppContext, opened
from tests.cds_hooks import invariants
from tests.cds_hooks.conftest import NOON, SERVICE, Body, Client, cards_of, draft
from tests.databases import rows

Cards = list[dict[str, Any]]


@pytest.fixture
def usual(wrong_code: Body, client: FlaskClient) -> Cards:
    """The cards of the same request in the usual shape."""
    return without_ids(cards_of(client, wrong_code))


def without_ids(cards: Cards) -> Cards:
    """Cards without what differs each time."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "", json.dumps(cards))
    said: Cards = json.loads(text)
    for card in said:
        card.pop("suggestions", None)  # they repeat the order in its odd shape
        card["detail"] = re.sub(r"Checked .*? against", "Checked against", card["detail"])
    return said


# ---------------------------------------------------------------- the CDS Hooks Sandbox


def test_e9_the_sandbox_sends_an_empty_first_draft(
    client: FlaskClient, wrong_code: Body, usual: Cards
) -> None:
    wrong_code["context"]["draftOrders"]["entry"].insert(0, {"resource": {}})
    assert without_ids(cards_of(client, wrong_code)) == usual


def test_e9_the_sandbox_accepts_an_old_media_type(
    client: FlaskClient, wrong_code: Body, usual: Cards
) -> None:
    headers = {"Accept": "application/json+fhir", "Content-Type": "application/json"}
    answer = client.post(SERVICE, data=json.dumps(wrong_code), headers=headers)
    assert answer.content_type == "application/json"
    assert without_ids(answer.json["cards"]) == usual


def test_e9_the_sandbox_searches_by_post(client: FlaskClient, body: Body) -> None:
    """It cuts each template at its "?" and posts the rest as a form to Type/_search."""
    services = client.get("/cds-services").json["services"]
    templates = {text for service in services for text in service["prefetch"].values()}
    searches = {text for text in templates if "?" in text}
    assert len(searches) > 8
    for template in searches:
        kind, _, form = template.partition("?")
        assert re.fullmatch("[A-Za-z]+", kind), template
        assert urlencode(parse_qsl(form, strict_parsing=True), safe="{}.,|:/") == form
    for part in body["prefetch"].values():
        if part and part.get("resourceType") == "Bundle":
            part["link"] = [{"relation": "self", "url": "https://ehr.example/r4/X/_search"}]
    assert cards_of(client, body) == []


def test_e9_the_sandbox_counts_pills(client: FlaskClient, wrong_code: Body) -> None:
    """A {pill} is no amount of a drug: nothing is computed from it, and it is said."""
    dose = {"doseQuantity": {"value": 1, "unit": "{pill}"}}
    draft(wrong_code)["dosageInstruction"] = [{"doseAndRate": [dose]}]
    cards = cards_of(client, wrong_code)
    assert cards and all("bill J2357" not in card["detail"] for card in cards)
    actions = [a for c in cards for s in c.get("suggestions", ()) for a in s["actions"]]
    assert all("quantity" not in a.get("description", "").lower() for a in actions)


def test_e9_the_sandbox_leaves_out_the_intent(
    client: FlaskClient, wrong_code: Body, usual: Cards
) -> None:
    del draft(wrong_code)["intent"]
    assert without_ids(cards_of(client, wrong_code)) == usual


def test_e9_a_category_may_be_an_object(
    client: FlaskClient, wrong_code: Body, usual: Cards
) -> None:
    draft(wrong_code)["category"] = {"text": "outpatient"}
    assert without_ids(cards_of(client, wrong_code)) == usual


def test_e9_the_sandbox_renders_html_so_none_is_sent(client: FlaskClient, wrong_code: Body) -> None:
    draft(wrong_code)["dosageInstruction"][0]["text"] = "<img src=x onerror=alert(1)>"
    draft(wrong_code)["id"] = "a<b>c"
    for card in cards_of(client, wrong_code):
        assert not re.search(r"<[a-zA-Z/!]", card["detail"] + card["summary"])


def test_e9_the_sandbox_skips_keys_whose_tokens_it_cannot_fill(
    client: FlaskClient, wrong_code: Body
) -> None:
    """Outside of an encounter nothing stands for {{context.encounterId}}."""
    del wrong_code["context"]["encounterId"]
    wrong_code["prefetch"].pop("encounter", None)
    assert any("J2356" in card["summary"] for card in cards_of(client, wrong_code))


def test_e9_the_sandbox_dismisses_by_uuid_without_system_or_display(
    client_with: Client, store: Store, wrong_code: Body, tmp_path: Path
) -> None:
    service = client_with(store)
    (card, *_) = cards_of(service, wrong_code)
    entry = {
        "card": card["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-23T15:04:05.678Z",
        "overrideReason": {"reason": {"code": "correct-as-ordered"}},
    }
    assert service.post(f"{SERVICE}/feedback", json={"feedback": [entry]}).status_code == 200
    (kept,) = rows(f"sqlite:///{tmp_path}/store.sqlite", card_feedback)
    assert (kept["card"], kept["reason_code"]) == (card["uuid"], "correct-as-ordered")


def test_e9_6_a_server_that_does_not_launch_is_sent_the_link_all_the_same(
    client_with: Client, wrong_code: Body
) -> None:
    """The sandbox greys a smart link out where the server launches no apps: the card says all."""
    key, ehr = b"k" * 32, "https://ehr.example/r4"
    service = client_with(
        app_launch_url="https://app.example/launch", context_key=key, fhir_bases=frozenset({ehr})
    )
    cards = cards_of(service, {**wrong_code, "fhirServer": ehr})
    for card in cards:
        (link,) = card["links"]
        patient = wrong_code["context"]["patientId"]
        context = opened(link["appContext"], key, patient, ehr, NOON)
        assert isinstance(context, AppContext)
        assert "**Order:**" in card["detail"] and "autolaunchable" not in link
    invariants.check({"cards": cards}, wrong_code)


# ---------------------------------------------------------------- the CRD request generator


def generated(body: Body) -> Body:
    """The request as the generator sends it: one instance for all, an empty token, and keys of its
    own beside those it was asked for."""
    own = {
        "practitionerBundle": {"resourceType": "Bundle", "entry": []},
        "deviceRequestBundle": None,
        "medicationRequestBundle": copy.deepcopy(body["context"]["draftOrders"]),
    }
    return {
        **copy.deepcopy(body),
        "hookInstance": "7f000000-0000-4000-8000-0000000000bb",
        "fhirServer": "https://generator.example/fhir",
        "fhirAuthorization": {
            "access_token": "",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/Patient.read",
            "subject": "cds-service4",
        },
        "prefetch": {**body["prefetch"], **own},
    }


def test_e9_the_generator_sends_an_empty_token_and_keys_of_its_own(
    client: FlaskClient, wrong_code: Body, usual: Cards
) -> None:
    assert without_ids(cards_of(client, generated(wrong_code))) == usual


def test_e9_the_generator_always_sends_the_same_instance(
    client_with: Client, store: Store, wrong_code: Body, tmp_path: Path
) -> None:
    service = client_with(store)
    first, second = (cards_of(service, generated(wrong_code)) for _ in range(2))
    assert {card["uuid"] for card in first}.isdisjoint(card["uuid"] for card in second)
    calls = rows(f"sqlite:///{tmp_path}/store.sqlite", call_audit)
    assert len({call["call"] for call in calls}) == 2 and len(calls) == 2


def test_only_its_own_keys_leave_everything_unknown(client: FlaskClient, wrong_code: Body) -> None:
    sent = generated(wrong_code)
    sent["prefetch"] = {k: v for k, v in sent["prefetch"].items() if k.endswith("Bundle")}
    cards = cards_of(client, sent)
    assert any("J2356" in card["summary"] for card in cards)
    assert all("could not be checked" not in card["summary"] for card in cards)
