"""The FHIR endpoint as a client meets it: statuses, headers, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from flask.testing import FlaskClient

from tests.sandbox_ehr.conftest import ADA, FHIR, found, text_of

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "weight"},
    "subject": {"reference": f"Patient/{ADA}"},
    "effectiveDateTime": "2026-11-23",
    "valueQuantity": {"value": 70.50, "unit": "kg"},
}


def created(ehr: FlaskClient, **changes: Any) -> dict[str, Any]:
    response = ehr.post("/fhir/Observation", json={**OBSERVATION, **changes})
    assert response.status_code == 201, response.text
    return response.json


# ---------------------------------------------------------------- reading


def test_a_resource_is_read_with_its_version(ehr: FlaskClient) -> None:
    response = ehr.get(f"/fhir/Patient/{ADA}")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert response.headers["ETag"] == 'W/"1"'
    assert response.headers["Last-Modified"].endswith(" GMT")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json["id"] == ADA


def test_head_is_get_without_a_body(ehr: FlaskClient) -> None:
    response = ehr.head(f"/fhir/Patient/{ADA}")
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["ETag"] == 'W/"1"'


def test_what_has_not_changed_is_not_sent_again(ehr: FlaskClient) -> None:
    response = ehr.get(f"/fhir/Patient/{ADA}", headers={"If-None-Match": 'W/"1"'})
    assert (response.status_code, response.data) == (304, b"")
    assert ehr.get(f"/fhir/Patient/{ADA}", headers={"If-None-Match": 'W/"2"'}).status_code == 200


def test_decimals_keep_their_digits(ehr: FlaskClient) -> None:
    body = json.dumps(OBSERVATION).replace("70.5", "70.5000000000000000001")
    response = ehr.post("/fhir/Observation", data=body, content_type="application/fhir+json")
    assert b"70.5000000000000000001" in ehr.get(response.headers["Location"]).data


@pytest.mark.parametrize(
    "path",
    [
        "Patient/nobody",
        "Patient/" + "x" * 65,
        "Patient/a b",
        "Patient/..",
        "Patient/%2e%2e",
        "Patient/a%2Fb/x/y/z",
        "Patient/" + ADA + "/_history/9",
        "Nonsense",
        "patient/1",
        "Patient/x/$everything",
        "Patient/a/b/c/d/e",
    ],
)
def test_what_is_not_there_is_404_with_an_outcome(ehr: FlaskClient, path: str) -> None:
    response = ehr.get(f"/fhir/{path}")
    assert response.status_code == 404, response.text
    assert text_of(response.json)


# ---------------------------------------------------------------- versions


def test_every_version_can_be_read_and_the_history_lists_them(ehr: FlaskClient) -> None:
    made = created(ehr)
    at = f"/fhir/Observation/{made['id']}"
    ehr.put(at, json={**made, "status": "amended"})
    ehr.delete(at)
    assert ehr.get(f"{at}/_history/1").json["status"] == "final"
    assert ehr.get(f"{at}/_history/2").json["status"] == "amended"
    assert ehr.get(f"{at}/_history/3").status_code == 410
    history = ehr.get(f"{at}/_history").json
    get_fhir_model_class("Bundle").model_validate(history)
    assert [e["request"]["method"] for e in history["entry"]] == ["DELETE", "PUT", "POST"]
    assert [e["response"]["status"] for e in history["entry"]] == ["204", "200", "201"]


def test_what_was_deleted_is_gone_not_unknown(ehr: FlaskClient) -> None:
    at = f"/fhir/Observation/{created(ehr)['id']}"
    assert ehr.delete(at).status_code == 204
    assert ehr.delete(at).status_code == 204
    response = ehr.get(at)
    assert (response.status_code, response.json["issue"][0]["code"]) == (410, "deleted")


# ---------------------------------------------------------------- writing


def test_creating_says_where_it_is(ehr: FlaskClient) -> None:
    response = ehr.post("/fhir/Observation", json={**OBSERVATION, "id": "mine"})
    made = response.json
    assert made["id"] != "mine"
    assert response.headers["Location"] == f"{FHIR}/Observation/{made['id']}/_history/1"
    assert response.headers["ETag"] == 'W/"1"'
    assert ehr.get(f"/fhir/Observation/{made['id']}").json == made


def test_updating_with_the_version_last_seen(ehr: FlaskClient) -> None:
    made = created(ehr)
    at = f"/fhir/Observation/{made['id']}"
    response = ehr.put(at, json={**made, "status": "amended"}, headers={"If-Match": 'W/"1"'})
    assert (response.status_code, response.headers["ETag"]) == (200, 'W/"2"')
    late = ehr.put(at, json={**made, "status": "corrected"}, headers={"If-Match": 'W/"1"'})
    assert (late.status_code, late.json["issue"][0]["code"]) == (412, "conflict")
    assert ehr.get(at).json["status"] == "amended"
    assert ehr.delete(at, headers={"If-Match": 'W/"1"'}).status_code == 412
    assert ehr.delete(at, headers={"If-Match": 'W/"2"'}).status_code == 204


@pytest.mark.parametrize("etag", ["1", '"x"', "*", 'W/"1', 'W/"99999999999"', ""])
def test_an_if_match_that_is_no_etag_is_400(ehr: FlaskClient, etag: str) -> None:
    made = created(ehr)
    at = f"/fhir/Observation/{made['id']}"
    assert ehr.put(at, json=made, headers={"If-Match": etag}).status_code == 400
    assert ehr.get(at).headers["ETag"] == 'W/"1"'


def test_an_update_may_create(ehr: FlaskClient) -> None:
    body = {**OBSERVATION, "id": "of-mine"}
    response = ehr.put("/fhir/Observation/of-mine", json=body)
    assert (response.status_code, response.headers["ETag"]) == (201, 'W/"1"')


def test_the_id_of_an_update_is_that_of_its_address(ehr: FlaskClient) -> None:
    for body in ({**OBSERVATION, "id": "b"}, OBSERVATION):
        assert ehr.put("/fhir/Observation/a", json=body).status_code == 400
    assert ehr.get("/fhir/Observation/a").status_code == 404


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"status": 5}, "Observation.status"),
        ({"secret-canary": 1}, "Observation.secret-canary"),
        ({"effectiveDateTime": "canary"}, "Observation.effectiveDateTime"),
        ({"valueQuantity": {"value": "canary"}}, "Observation.valueQuantity.value"),
        ({"valueString": "a"}, "Observation"),  # two values of one choice
        ({"code": None}, "Observation.code"),
        ({"note": []}, "Observation.note"),
        ({"method": {}}, "Observation.method"),
        ({"note": [{"text": ""}]}, "Observation.note[0].text"),
        ({"subject": {"reference": 5}}, "Observation.subject.reference"),
        ({"category": "canary"}, "Observation.category"),
    ],
)
def test_what_is_no_valid_resource_is_422_and_says_where(
    ehr: FlaskClient, changes: dict[str, Any], element: str
) -> None:
    response = ehr.post("/fhir/Observation", json={**OBSERVATION, **changes})
    assert response.status_code == 422, response.text
    issues = response.json["issue"]
    assert any(i.get("expression", [""])[0].startswith(element) for i in issues), issues
    assert "canary" not in json.dumps([i["diagnostics"] for i in issues])
    get_fhir_model_class("OperationOutcome").model_validate(response.json)


def test_a_resource_of_another_type_is_400(ehr: FlaskClient) -> None:
    assert ehr.post("/fhir/Patient", json=OBSERVATION).status_code == 400


def test_create_if_there_is_none_yet(ehr: FlaskClient) -> None:
    body = {**OBSERVATION, "identifier": [{"system": "urn:x", "value": "7"}]}
    how = {"If-None-Exist": "identifier=urn:x|7"}
    first = ehr.post("/fhir/Observation", json=body, headers=how)
    again = ehr.post("/fhir/Observation", json=body, headers=how)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json["id"] == first.json["id"]
    ehr.post("/fhir/Observation", json=body)
    assert ehr.post("/fhir/Observation", json=body, headers=how).status_code == 412


@pytest.mark.parametrize("condition", ["", "foo=1", "identifier=1&foo=2"])
def test_a_condition_that_cannot_be_searched_is_412(ehr: FlaskClient, condition: str) -> None:
    response = ehr.post("/fhir/Observation", json=OBSERVATION, headers={"If-None-Exist": condition})
    assert response.status_code == 412


@pytest.mark.parametrize(
    ("prefer", "kind"),
    [
        ("return=minimal", None),
        ("return=representation", "Observation"),
        ("return=OperationOutcome", "OperationOutcome"),
        ("", "Observation"),
        ('handling=strict; return="minimal"', None),
    ],
)
def test_what_comes_back_is_what_was_preferred(
    ehr: FlaskClient, prefer: str, kind: str | None
) -> None:
    response = ehr.post("/fhir/Observation", json=OBSERVATION, headers={"Prefer": prefer})
    assert response.status_code == 201
    assert (response.json["resourceType"] if response.data else None) == kind
    assert response.headers["Location"]


# ---------------------------------------------------------------- methods and types


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", f"Patient/{ADA}", "GET, PUT, DELETE"),
        ("POST", f"Patient/{ADA}", "GET, PUT, DELETE"),
        ("PUT", "Patient", "GET, POST"),
        ("DELETE", "Patient", "GET, POST"),
        ("GET", "", "POST"),
        ("PUT", f"Patient/{ADA}/_history/1", "GET"),
        ("POST", "metadata", "GET"),
        ("POST", ".well-known/smart-configuration", "GET"),
    ],
)
def test_another_method_is_405_and_says_which(
    ehr: FlaskClient, method: str, path: str, allowed: str
) -> None:
    response = ehr.open(f"/fhir/{path}", method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == allowed
    assert text_of(response.json)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/fhir+json; fhirVersion=4.0", 200),
        ("application/json;q=0.9, text/html;q=0.5", 200),
        ("application/json+fhir", 200),
        ("application/*", 200),
        ("*/*", 200),
        ("", 200),
        ("application/fhir+xml", 406),
        ("text/turtle", 406),
        ("text/html", 406),
    ],
)
def test_json_is_spoken_and_nothing_else(ehr: FlaskClient, accept: str, status: int) -> None:
    for path in (f"/fhir/Patient/{ADA}", "/fhir/metadata", "/fhir/Patient?_count=1"):
        response = ehr.get(path, headers={"Accept": accept})
        assert response.status_code == status, path
        assert response.headers["Content-Type"].startswith("application/fhir+json")


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("json", 200),
        ("application/fhir%2Bjson", 200),
        ("application/fhir+json", 200),
        ("xml", 406),
        ("", 406),
        ("ttl", 406),
    ],
)
def test_the_format_parameter_overrules_the_header(
    ehr: FlaskClient, wanted: str, status: int
) -> None:
    address = f"/fhir/Patient/{ADA}?_format={wanted}"
    response = ehr.get(address, headers={"Accept": "application/fhir+xml"})
    assert response.status_code == status


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/xml", "application/x-www-form-urlencoded", "", "text/fhir+xml"],
)
def test_a_body_that_is_no_json_is_415(ehr: FlaskClient, kind: str) -> None:
    response = ehr.post("/fhir/Observation", data=json.dumps(OBSERVATION), content_type=kind)
    assert response.status_code == 415


# ---------------------------------------------------------------- browsers


def test_browser_apps_of_other_origins_may_call(ehr: FlaskClient) -> None:
    asked = ehr.options(
        "/fhir/Patient/1",
        headers={"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"},
    )
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert "PUT" in asked.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    # Never with cookies: a token in a header is the only key there is.
    assert "Access-Control-Allow-Credentials" not in asked.headers
    answered = ehr.get("/fhir/Patient/nobody", headers={"Origin": "https://app.example"})
    assert answered.headers["Access-Control-Allow-Origin"] == "*"


# ---------------------------------------------------------------- search over HTTP


def test_a_search_can_be_posted(ehr: FlaskClient) -> None:
    got = ehr.get(f"/fhir/Observation?patient={ADA}&_sort=-date").json
    posted = ehr.post("/fhir/Observation/_search", data={"patient": ADA, "_sort": "-date"}).json
    assert found(posted) == found(got) != []
    mixed = ehr.post(f"/fhir/Observation/_search?patient={ADA}", data={"_sort": "-date"}).json
    assert found(mixed) == found(got)


def test_a_posted_search_is_a_form(ehr: FlaskClient) -> None:
    assert ehr.post("/fhir/Observation/_search", json={"patient": ADA}).status_code == 415
