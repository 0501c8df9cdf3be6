"""Headers, CORS, error shapes and the plain pages: conformance A1, A10.1, A10.8."""

from __future__ import annotations

import json
import logging

import pytest
from flask.testing import FlaskClient

from cds_hooks import views
from tests.cds_hooks.conftest import BASE, SERVICE, Body, Client, cards_of

ORIGIN = "https://sandbox.example"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}


def test_a10_8_service_answers_are_never_stored(client: FlaskClient, body: Body) -> None:
    for response in (client.post(SERVICE, json=body), client.post(SERVICE, data=b"x")):
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/cds-services", "/healthz", "/nowhere"])
def test_every_answer_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Strict-Transport-Security"], "the public address is https"


def test_a_missing_slash_leads_to_no_host_that_the_caller_names(client: FlaskClient) -> None:
    for path in ("/rules", "/rules/?a=b//c"):
        response = client.get(path, base_url="http://evil.example")
        assert response.status_code in (200, 308)
        assert response.headers.get("Location", "/rules/") == "/rules/"


def test_a10_1_no_origin_is_answered_without_configuration(client: FlaskClient, body: Body) -> None:
    response = client.post(SERVICE, json=body, headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/cds-services", SERVICE])
def test_a10_1_preflight_needs_no_token(client_with: Client, path: str) -> None:
    closed = client_with(open=False, cors_origins=frozenset({ORIGIN}))
    response = closed.options(path, headers=PREFLIGHT)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a10_1_only_listed_origins_are_answered(client_with: Client, body: Body) -> None:
    some = client_with(cors_origins=frozenset({ORIGIN}))
    for origin in ("https://evil.example", "null", "*", ORIGIN + ".evil.example"):
        response = some.post(SERVICE, json=body, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "Origin" in response.headers["Vary"]
    refused = some.post(SERVICE, data=b"x", headers={"Origin": ORIGIN})
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN, "errors can be read too"


@pytest.mark.parametrize(
    "method, path, status",
    [("get", "/nowhere", 404), ("get", SERVICE, 405), ("put", "/", 405), ("post", SERVICE, 400)],
)
def test_a7_18_every_error_is_an_operation_outcome(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    response = getattr(client, method)(path)
    assert response.status_code == status
    assert response.content_type == "application/json"
    assert json.loads(response.data)["resourceType"] == "OperationOutcome"


def test_a7_18_a_fault_of_our_own_is_500_without_trace_or_data(
    client: FlaskClient,
    wrong_code: Body,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise KeyError("Ada Winterbourne")

    monkeypatch.setattr(views.writing, "written", fails)
    response = client.post(SERVICE, json=wrong_code)
    assert response.status_code == 500
    assert json.loads(response.data)["issue"][0]["code"] == "exception"
    for told in (response.get_data(as_text=True), caplog.text):
        assert "Winterbourne" not in told and "Traceback" not in told
    assert "KeyError at test_http.py" in caplog.text


def test_a10_5_the_log_names_nobody(
    client: FlaskClient, wrong_code: Body, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        cards_of(client, wrong_code)
    assert "order-sign" in caplog.text and wrong_code["hookInstance"] in caplog.text
    context = wrong_code["context"]
    for secret in (context["patientId"], context["userId"], "Bartholomew", "omalizumab"):
        assert secret not in caplog.text


def test_the_front_page_says_what_runs_here_and_where(client_with: Client) -> None:
    opened = client_with().get("/").get_data(as_text=True)
    assert f"{BASE}/cds-services/vialwise-orders" in opened
    assert "not authenticated" in opened
    assert "not authenticated" not in client_with(open=False).get("/").get_data(as_text=True)


def test_healthz_answers(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}


def test_a7_15_the_override_code_system_stands_where_its_codings_say(client: FlaskClient) -> None:
    system = client.get("/code-systems/override-reason").get_json()
    assert system["url"] == f"{BASE}/code-systems/override-reason"
    assert all(concept["display"] for concept in system["concept"])
