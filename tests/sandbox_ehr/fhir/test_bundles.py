"""Batch and transaction."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from flask.testing import FlaskClient

from tests.sandbox_ehr.conftest import ADA, FHIR, text_of
from tests.sandbox_ehr.fhir.test_http import OBSERVATION

NEW = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
Entry = dict[str, Any]


def entry(method: str, url: str, resource: Any = None, full_url: str = "", **request: str) -> Entry:
    said: Entry = {"request": {"method": method, "url": url, **request}}
    said |= {"resource": resource} if resource is not None else {}
    return said | ({"fullUrl": full_url} if full_url else {})


def post(ehr: FlaskClient, kind: str, *entries: Any) -> Any:
    body = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return ehr.post("/fhir", json=body)


def statuses(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    get_fhir_model_class("Bundle").model_validate(response.json)
    return [e["response"]["status"] for e in response.json.get("entry", [])]


def order(**changes: Any) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"Patient/{ADA}"},
        "medicationReference": {"reference": NEW},
        **changes,
    }


DRUG = {"resourceType": "Medication", "code": {"text": "x"}}


def test_a_batch_answers_every_entry_by_itself(ehr: FlaskClient) -> None:
    response = post(
        ehr,
        "batch",
        entry("GET", f"Patient/{ADA}"),
        entry("GET", "Patient/nobody"),
        entry("GET", f"Observation?patient={ADA}&_count=1"),
        entry("POST", "Observation", OBSERVATION),
        entry("POST", "Observation", {**OBSERVATION, "status": 5}),
        entry("PATCH", f"Patient/{ADA}"),
        {"no": "request"},
        5,
    )
    assert statuses(response) == ["200", "404", "200", "201", "422", "405", "400", "400"]
    entries = response.json["entry"]
    assert response.json["type"] == "batch-response"
    assert entries[0]["resource"]["id"] == ADA
    assert entries[2]["resource"]["type"] == "searchset"
    assert entries[3]["response"]["location"].startswith(f"{FHIR}/Observation/")
    assert text_of(entries[1]["response"]["outcome"])


def test_a_transaction_ties_new_resources_together(ehr: FlaskClient) -> None:
    response = post(
        ehr,
        "transaction",
        entry("POST", "MedicationRequest", order(), "urn:uuid:1"),
        entry("POST", "Medication", DRUG, NEW),
    )
    assert statuses(response) == ["201", "201"]
    made, drug = (e["resource"] for e in response.json["entry"])
    assert made["medicationReference"]["reference"] == f"Medication/{drug['id']}"
    assert ehr.get(f"/fhir/Medication/{drug['id']}").status_code == 200


def test_a_transaction_is_done_whole_or_not_at_all(ehr: FlaskClient) -> None:
    before = ehr.get("/fhir/Medication?_summary=count").json["total"]
    response = post(
        ehr,
        "transaction",
        entry("POST", "Medication", DRUG, NEW),
        entry("DELETE", f"Patient/{ADA}"),
        entry("PUT", "Observation/a", {**OBSERVATION, "id": "a", "status": 7}),
    )
    assert response.status_code == 422
    assert "Bundle.entry[2]" in text_of(response.json)
    assert ehr.get("/fhir/Medication?_summary=count").json["total"] == before
    assert ehr.get(f"/fhir/Patient/{ADA}").headers["ETag"] == 'W/"1"'


def test_deletes_come_before_creates_and_reads_come_last(ehr: FlaskClient) -> None:
    made = {**OBSERVATION, "id": "a"}
    ehr.put("/fhir/Observation/a", json=made)
    response = post(
        ehr,
        "transaction",
        entry("GET", "Observation/b"),
        entry("PUT", "Observation/b", {**OBSERVATION, "id": "b"}),
        entry("DELETE", "Observation/a"),
    )
    assert statuses(response) == ["200", "201", "204"]
    assert response.json["entry"][0]["resource"]["id"] == "b"


def test_a_version_that_moved_on_ends_the_transaction(ehr: FlaskClient) -> None:
    ehr.put("/fhir/Observation/a", json={**OBSERVATION, "id": "a"})
    response = post(
        ehr,
        "transaction",
        entry("POST", "Medication", DRUG),
        entry("PUT", "Observation/a", {**OBSERVATION, "id": "a"}, ifMatch='W/"9"'),
    )
    assert response.status_code == 412


def test_what_is_there_already_is_referred_to(ehr: FlaskClient) -> None:
    drug = {**DRUG, "identifier": [{"system": "urn:x", "value": "1"}]}
    there = ehr.post("/fhir/Medication", json=drug).json
    response = post(
        ehr,
        "transaction",
        entry("POST", "Medication", drug, NEW, ifNoneExist="identifier=urn:x|1"),
        entry("POST", "MedicationRequest", order()),
    )
    assert statuses(response) == ["200", "201"]
    made = response.json["entry"][1]["resource"]
    assert made["medicationReference"]["reference"] == f"Medication/{there['id']}"


def test_no_resource_is_written_twice_in_one_transaction(ehr: FlaskClient) -> None:
    body = {**OBSERVATION, "id": "a"}
    response = post(
        ehr, "transaction", entry("PUT", "Observation/a", body), entry("DELETE", "Observation/a")
    )
    assert response.status_code == 400


def test_addresses_of_this_server_are_understood_in_full(ehr: FlaskClient) -> None:
    assert statuses(post(ehr, "batch", entry("GET", f"{FHIR}/Patient/{ADA}"))) == ["200"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "../auth/jwks",
        "Patient/../../x",
        "http://evil.example/a",
        "metadata/../x",
        "$meta",
        "Patient/%2e%2e",
    ],
)
def test_an_entry_cannot_leave_the_fhir_endpoint(ehr: FlaskClient, url: str) -> None:
    assert statuses(post(ehr, "batch", entry("GET", url)))[0] in ("400", "404")


def test_a_bundle_in_a_bundle_is_not_processed(ehr: FlaskClient) -> None:
    inner = {"resourceType": "Bundle", "type": "batch", "entry": []}
    assert statuses(post(ehr, "batch", entry("POST", "", inner))) == ["400"]


@pytest.mark.parametrize("kind", ["searchset", "document", "", None, 5])
def test_other_bundles_are_refused(ehr: FlaskClient, kind: Any) -> None:
    assert post(ehr, kind).status_code == 400


def test_an_empty_batch_is_answered_empty(ehr: FlaskClient) -> None:
    assert statuses(post(ehr, "batch")) == []
    assert statuses(post(ehr, "transaction")) == []


def test_too_many_entries_are_refused(ehr: FlaskClient) -> None:
    assert post(ehr, "batch", *[{}] * 1001).status_code == 400
