"""Every claim of the CapabilityStatement is put to the test, for every EHR it can be like."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from flask.testing import FlaskClient

from sandbox_ehr import charts
from sandbox_ehr import charts as quirks
from sandbox_ehr.app import create_app
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.fhir.searching import TYPES
from sandbox_ehr.settings import EhrSettings
from tests.sandbox_ehr.conftest import BASE, FHIR, TODAY

LIKE = ["plain", *quirks.quirk_names()]
VALUES = {"token": "x", "reference": "x", "date": "2026-11-23", "string": "x", "uri": "urn:x"}
SMALLEST: dict[str, dict[str, Any]] = {
    "Account": {"status": "active"},
    "AllergyIntolerance": {"patient": {"reference": "Patient/1"}},
    "ChargeItem": {
        "status": "billable",
        "code": {"text": "x"},
        "subject": {"reference": "Patient/1"},
    },
    "Coverage": {
        "status": "active",
        "beneficiary": {"reference": "Patient/1"},
        "payor": [{"display": "x"}],
    },
    "Condition": {"subject": {"reference": "Patient/1"}},
    "Medication": {"code": {"text": "x"}},
    "Observation": {"status": "final", "code": {"text": "x"}},
    "Organization": {"name": "x"},
    "Patient": {"gender": "female"},
    "Practitioner": {"active": True},
    "Task": {"status": "requested", "intent": "order"},
}


def running(like: str) -> FlaskClient:
    ways = quirks.PLAIN if like == "plain" else quirks.quirks_of(like)
    records = Records.of(charts.shaped_like(charts.invented(TODAY), ways))
    app = create_app(records, EhrSettings(BASE, TODAY, quirks=ways, open=True))
    app.testing = False
    return app.test_client()


@pytest.fixture(scope="module", params=LIKE)
def ehr(request: pytest.FixtureRequest) -> FlaskClient:
    return running(request.param)


@pytest.fixture(scope="module")
def said(ehr: FlaskClient) -> dict[str, Any]:
    response = ehr.get("/fhir/metadata")
    assert response.status_code == 200
    return response.json


def resources(said: dict[str, Any]) -> list[dict[str, Any]]:
    return said["rest"][0]["resource"]


def test_it_is_a_valid_capability_statement_of_r4(said: dict[str, Any]) -> None:
    get_fhir_model_class("CapabilityStatement").model_validate(said)
    assert said["fhirVersion"] == "4.0.1"
    assert said["implementation"]["url"] == FHIR
    assert said["rest"][0]["security"]["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"


def test_it_needs_no_token() -> None:
    app = create_app(Records(), EhrSettings(BASE, TODAY))
    assert app.test_client().get("/fhir/metadata").status_code == 200
    assert app.test_client().get("/fhir/Patient").status_code == 401


def test_every_search_parameter_is_understood(ehr: FlaskClient, said: dict[str, Any]) -> None:
    asked = 0
    for resource in resources(said):
        for parameter in resource["searchParam"]:
            # _id is enough for what an EHR demands besides (OneOf), but for Oracle's dates.
            value = VALUES[parameter["type"]]
            if parameter["name"] == "effective-time":
                value = "ge2026-11-23T00:00:00Z"
            if parameter["name"] == "status":
                value = "completed"
            response = ehr.get(
                f"/fhir/{resource['type']}",
                query_string={"_id": "x", parameter["name"]: value},
                headers={"Prefer": "handling=strict"},
            )
            assert response.status_code == 200, (resource["type"], parameter, response.text)
            asked += 1
    assert asked > 100


def test_every_include_is_understood(ehr: FlaskClient, said: dict[str, Any]) -> None:
    for resource in resources(said):
        for value in resource.get("searchInclude", []):
            query = {"_id": "x", "_include": value}
            response = ehr.get(f"/fhir/{resource['type']}", query_string=query)
            assert response.status_code == 200, value


def test_every_interaction_of_every_type_does_what_it_says(
    ehr: FlaskClient, said: dict[str, Any]
) -> None:
    for resource in resources(said):
        kind = resource["type"]
        assert [i["code"] for i in resource["interaction"]] == [
            "read",
            "vread",
            "update",
            "delete",
            "history-instance",
            "create",
            "search-type",
        ]
        body = {"resourceType": kind, "id": "claimed", **SMALLEST.get(kind, {})}
        at = f"/fhir/{kind}/claimed"
        made = ehr.put(at, json=body)
        if kind not in SMALLEST:  # what is needed differs; that it is checked does not
            assert made.status_code in (201, 422), (kind, made.text)
            continue
        assert made.status_code == 201, made.text  # updateCreate
        assert ehr.get(at).status_code == 200
        assert ehr.get(f"{at}/_history/1").status_code == 200
        assert ehr.get(f"{at}/_history").json["type"] == "history"
        assert ehr.put(at, json=body).status_code == 200
        assert ehr.get(at, headers={"If-None-Match": 'W/"2"'}).status_code == 304
        found = ehr.get(f"/fhir/{kind}?_id=claimed").json
        assert [e["resource"]["id"] for e in found["entry"]] == ["claimed"]
        once = {"If-None-Exist": "_id=claimed"}
        assert ehr.post(f"/fhir/{kind}", json=body, headers=once).status_code == 200
        assert ehr.delete(at, headers={"If-Match": 'W/"2"'}).status_code == 204
        assert ehr.post(f"/fhir/{kind}", json=body).status_code == 201


def test_what_it_does_not_claim_is_not_there(ehr: FlaskClient, said: dict[str, Any]) -> None:
    declared = {r["type"] for r in resources(said)}
    for kind in {*TYPES, "Basic", "Binary"} - declared:
        assert ehr.get(f"/fhir/{kind}?patient=1").status_code == 404
        assert ehr.get(f"/fhir/{kind}/1").status_code == 404
        assert ehr.post(f"/fhir/{kind}", json={"resourceType": kind}).status_code == 404
    for resource in resources(said):
        assert resource["conditionalUpdate"] is False
        assert ehr.put(f"/fhir/{resource['type']}?_id=x").status_code == 405
        assert ehr.delete(f"/fhir/{resource['type']}?_id=x").status_code == 405


def test_transaction_and_batch_are_there(ehr: FlaskClient, said: dict[str, Any]) -> None:
    assert [i["code"] for i in said["rest"][0]["interaction"]] == ["transaction", "batch"]
    for kind in ("transaction", "batch"):
        response = ehr.post("/fhir", json={"resourceType": "Bundle", "type": kind})
        assert response.json["type"] == f"{kind}-response"


def test_the_formats_it_names_are_spoken(ehr: FlaskClient, said: dict[str, Any]) -> None:
    for name in said["format"]:
        assert ehr.get("/fhir/metadata", query_string={"_format": name}).status_code == 200


def test_the_oauth_addresses_answer(ehr: FlaskClient, said: dict[str, Any]) -> None:
    listed = said["rest"][0]["security"]["extension"][0]["extension"]
    addresses = {one["url"]: one["valueUri"] for one in listed}
    assert set(addresses) == {"authorize", "token", "introspect", "revoke"}
    assert ehr.get(addresses.pop("authorize")).status_code == 400
    for address in addresses.values():
        assert ehr.post(address).status_code in (400, 401)
