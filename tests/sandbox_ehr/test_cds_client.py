"""Calls of CDS services: signed, bounded, and never fatal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Response, request
from joserfc import jwt
from joserfc.jwk import KeySet

from sandbox_ehr import cds_client
from sandbox_ehr.cds_client import MASK, CdsClient, OfferedService, scopes
from tests.practice import served
from vialwise.serving import server as listening

CONTEXT = {"patientId": "1", "userId": "Practitioner/2"}
CARD = {"summary": "Do", "indicator": "info", "source": {"label": "a"}, "uuid": "u"}
DISCOVERY = {
    "services": [
        {"hook": "order-sign", "id": "a", "prefetch": {"p": "Patient/{{context.patientId}}"}},
        {"hook": "order-select", "id": "a"},
        {"hook": 1, "id": "b"},
        "nothing",
    ]
}
TOKEN = "secret-token"


@dataclass(frozen=True)
class Reply:
    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0


@dataclass
class FakeService:
    url: str
    replies: dict[str, Reply]

    def answer(self, path: str) -> Response:
        reply = self.replies.get(request.path, Reply(status=404))
        time.sleep(reply.wait)
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        return Response(body, reply.status, reply.headers)


@pytest.fixture
def server() -> Iterator[FakeService]:
    bound = listening.bound_socket("127.0.0.1", 0)
    replies = {
        "/cds-services": Reply(DISCOVERY),
        "/cds-services/a": Reply({"cards": [CARD]}),
    }
    fake, app = FakeService(listening.address_of(bound), replies), Flask("fake")
    app.add_url_rule("/<path:path>", view_func=fake.answer, methods=["GET", "POST"])
    with served(app, bound):
        yield fake


def client(server: FakeService, **changes: Any) -> CdsClient:
    key = cds_client.new_key("https://ehr.example", "https://ehr.example/jwks.json")
    said: dict[str, Any] = {
        "base": server.url,
        "fhir_server": "https://ehr.example/fhir",
        "key": key,
        "look_up": lambda query: {"resourceType": query.partition("/")[0]},
        "authorize": lambda service, context: {"access_token": TOKEN, "token_type": "Bearer"},
    }
    return CdsClient(**{**said, **changes})


def test_the_services_of_the_hook_are_called_with_context_prefetch_and_token(
    server: FakeService,
) -> None:
    (call,) = client(server).fire("order-sign", CONTEXT)
    assert [card.summary for card in call.answer.cards] == ["Do"]
    assert call.request["prefetch"] == {"p": {"resourceType": "Patient"}}
    assert call.request["fhirAuthorization"]["access_token"] == TOKEN
    assert call.request["context"] == CONTEXT and call.status == 200


def test_nothing_is_called_for_a_hook_nobody_answers(server: FakeService) -> None:
    assert client(server).fire("patient-view", CONTEXT) == ()


def test_the_token_is_for_this_address_signed_short_and_new_each_time(server: FakeService) -> None:
    key = client(server).key
    keys = KeySet.import_key_set(key.jwks())
    first, second = (jwt.decode(key.token("https://a.example/x"), keys, ["ES384"]) for _ in "ab")
    claims = first.claims
    assert claims["aud"] == "https://a.example/x" and claims["iss"] == "https://ehr.example"
    assert claims["exp"] - claims["iat"] == 300 and abs(claims["iat"] - time.time()) < 5
    assert claims["jti"] != second.claims["jti"]
    assert first.header["jku"] == "https://ehr.example/jwks.json"
    assert "d" not in key.jwks()["keys"][0]


def test_the_panel_shows_no_access_token(server: FakeService) -> None:
    (call,) = client(server).fire("order-sign", CONTEXT)
    assert TOKEN not in call.shown_request and MASK in call.shown_request
    assert json.loads(call.shown_response)["cards"] == [CARD]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=500), "HTTP 500"),
        (Reply(status=302, headers={"Location": "https://elsewhere.example/"}), "HTTP 302"),
        (Reply("<html>"), "not JSON"),
        (Reply({"cards": 1}), "no list of cards"),
        (Reply({"cards": []}, wait=1.5), "in time"),
    ],
)
def test_a_service_that_fails_costs_its_cards_only(
    server: FakeService, reply: Reply, said: str
) -> None:
    server.replies["/cds-services/a"] = reply
    (call,) = client(server, seconds=0.5).fire("order-sign", CONTEXT)
    assert said in call.answer.problem and not call.answer.cards


def test_an_endless_answer_is_not_read_to_its_end(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cds_client, "_MOST_BYTES", 10_000)
    server.replies["/cds-services/a"] = Reply({"cards": [], "x": "y" * 1_000_000})
    (call,) = client(server).fire("order-sign", CONTEXT)
    assert call.status == 0 and call.answer.problem


def test_no_server_means_no_services() -> None:
    with listening.bound_socket("127.0.0.1", 0) as free:
        address = listening.address_of(free)
    assert client(FakeService(address, {})).services() == ()


def test_a_service_is_lent_the_types_of_its_templates_to_read() -> None:
    templates = {"a": "Observation?patient={{context.patientId}}", "b": "Patient/{{x}}", "c": "?"}
    service = OfferedService("order-sign", "a", "a", templates)
    assert scopes(service) == "patient/Medication.rs patient/Observation.rs patient/Patient.rs"
