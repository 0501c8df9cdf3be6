"""The trace for developers: what every rule saw, in open and development mode alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from billing_rules.rules import RULES
from cds_hooks.record.store import Store
from tests.cds_hooks.conftest import SERVICE, Body, Client
from tests.cds_hooks.tokens import claims, registered, signed

TRACE = f"{SERVICE}/trace"


def traced(client: FlaskClient, body: Any, path: str = TRACE) -> list[dict[str, Any]]:
    response = client.post(path, data=json.dumps(body).encode())
    assert response.status_code == 200, response.get_data(as_text=True)
    return json.loads(response.data)["reviews"]


def test_every_rule_says_how_it_ended_and_why(client: FlaskClient, wrong_code: Body) -> None:
    (review,) = traced(client, wrong_code)
    assert len(review["rules"]) == len(RULES)
    spoke = {rule["rule"]: rule["why"] for rule in review["rules"] if rule["state"] == "spoke"}
    assert list(spoke) == ["Wrong code"] and "tezepelumab-ekko" in spoke["Wrong code"]
    assert review["order"] == "MedicationRequest/omalizumab-coded-j2356"
    assert all(rule["why"] for rule in review["rules"])


@pytest.mark.parametrize("name", ["amoxicillin", "no-drafts"])
def test_an_order_that_is_not_ours_has_no_trace(client: FlaskClient, name: str) -> None:
    assert traced(client, fixtures.hook_request(name)) == []


def test_patients_and_other_patients_data_have_no_trace(
    client: FlaskClient, wrong_code: Body
) -> None:
    by_patient = {**wrong_code, "context": {**wrong_code["context"], "userId": "Patient/1"}}
    assert traced(client, by_patient) == []
    wrong_code["prefetch"]["patient"]["id"] = "somebody-else"
    assert traced(client, wrong_code) == []


def test_it_refuses_what_the_service_refuses(client: FlaskClient, wrong_code: Body) -> None:
    assert client.post(TRACE, data=b"no").status_code == 400
    assert client.post("/cds-services/nothing/trace", data=b"{}").status_code == 404
    assert client.get(TRACE).status_code == 405


def test_where_real_ehrs_call_it_does_not_exist(
    client_with: Client, wrong_code: Body, store: Store
) -> None:
    client = client_with(store, open=False, clients=(registered(),))
    headers = {"Authorization": signed(claims(aud=f"https://cds.example{TRACE}"))}
    response = client.post(TRACE, data=json.dumps(wrong_code).encode(), headers=headers)
    assert response.status_code == 404


def test_in_development_it_wants_a_token_like_the_service(
    client_with: Client, wrong_code: Body
) -> None:
    client = client_with(open=False, development=True, clients=(registered(),))
    body = json.dumps(wrong_code).encode()
    assert client.post(TRACE, data=body).status_code == 401
    headers = {"Authorization": signed(claims(aud=f"https://cds.example{TRACE}"))}
    assert client.post(TRACE, data=body, headers=headers).status_code == 200
    assert client.post(TRACE, data=body, headers=headers).status_code == 401  # once
