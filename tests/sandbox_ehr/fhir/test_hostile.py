"""Requests that nobody sends by accident: each is answered, and nothing falls over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox_ehr.conftest import ADA, inside, text_of
from tests.sandbox_ehr.fhir.test_http import OBSERVATION

JSON = "application/fhir+json"


def post(ehr: FlaskClient, body: bytes, kind: str = "Observation") -> Any:
    return ehr.post(f"/fhir/{kind}", data=body, content_type=JSON)


def test_a_body_over_five_megabytes_is_413(ehr: FlaskClient) -> None:
    response = post(ehr, b'{"a":"' + b"x" * (5 * 1024 * 1024) + b'"}')
    assert response.status_code == 413
    assert "5 MB" in text_of(response.json)
    assert ehr.get("/fhir/metadata").status_code == 200


@pytest.mark.parametrize("depth", [61, 500, 5_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"extension":[', b"]}")])
def test_what_is_nested_too_deeply_is_400(
    ehr: FlaskClient, depth: int, opening: bytes, closing: bytes
) -> None:
    body = b'{"resourceType":"Observation","x":' + opening * depth + closing * depth + b"}"
    assert post(ehr, body).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b"5",
        b'"x"',
        b"{",
        b"\xff\xfe",
        b"{}",
        b'{"resourceType":5}',
        b"NaN",
        b'{"resourceType":"Observation","valueDecimal":NaN}',
        b'{"resourceType":null}',
        b"\x00",
        b'\xef\xbb\xbf{"resourceType":"Observation"}',
        b'{"resourceType":"Observation",}',
        b'{"resourceType":["Observation"]}',
        b'{"resourceType":"Observation","x":"\\ud800"}',
    ],
)
def test_a_body_that_is_no_resource_is_refused(ehr: FlaskClient, body: bytes) -> None:
    response = post(ehr, body)
    assert response.status_code in (400, 422), response.text
    assert text_of(response.json)


@pytest.mark.parametrize(
    "kind",
    ["FHIRAbstractModel", "Bundle", "Resource", "DomainResource", "__init__", "Patient/../x"],
)
def test_a_type_that_is_not_kept_is_not_made(ehr: FlaskClient, kind: str) -> None:
    body = json.dumps({"resourceType": kind}).encode()
    assert post(ehr, body, kind).status_code == 404
    assert ehr.put(f"/fhir/{kind}/1", data=body, content_type=JSON).status_code == 404


def test_a_type_said_twice_is_still_checked(ehr: FlaskClient) -> None:
    body = b'{"resourceType":"Patient","resourceType":"Observation","status":"final"}'
    assert post(ehr, body).status_code == 422


def test_a_number_without_end_is_kept_or_refused_but_breaks_nothing(ehr: FlaskClient) -> None:
    for number in (b"1e400", b"-1e-400", b"1" * 5000, b"0." + b"3" * 5000):
        body = json.dumps(OBSERVATION).encode().replace(b"70.5", number)
        response = post(ehr, body)
        assert response.status_code in (201, 400, 422), response.status_code
        if response.status_code == 201:
            assert ehr.get(response.headers["Location"]).status_code == 200
    assert ehr.get("/fhir/Observation?_count=1000").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/fhir/Patient/%00",
        "/fhir/Patient/..%2f..%2fauth",
        "/fhir//Patient",
        "/fhir/./Patient/1",
        "/fhir/Patient/%252e%252e",
        "/fhir/Patient/" + "a/" * 200,
        "/fhir/%F0%28%8C",
        "/fhir/Patient;x",
        "/fhir/Patient/1\\..\\2",
        "/fhir/Patient/" + "x" * 5000,
        "/fhir/\u202e",
        "/fhir/.well-known/",
        "/fhir/.well-known/../metadata",
        "/fhir/metadata/x",
        "/fhir/METADATA",
    ],
)
def test_a_path_with_tricks_leads_nowhere(ehr: FlaskClient, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        response = ehr.open(path, method=method)
        assert response.status_code in (400, 404, 405), (method, path, response.status_code)
        assert text_of(response.json)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "X" * 100])
def test_a_method_that_is_none_of_ours_is_405(ehr: FlaskClient, method: str) -> None:
    assert ehr.open(f"/fhir/Patient/{ADA}", method=method).status_code == 405


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Prefer", "handling=strict, " * 2000),
        ("Prefer", "=;=,,;;"),
        ("If-None-Match", "x" * 9000),
        ("If-None-Exist", "a=1&" * 500),
        ("If-None-Exist", "%00=%ff"),
        ("Accept", "," * 5000),
        ("Accept", "application/fhir+json;q=x"),
        ("Content-Type", "application/json;" * 500),
        ("Authorization", "Bearer " + "\u00e9" * 100),
        ("If-Match", 'W/"1", W/"2"'),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Forwarded-Host", "evil.example"),
        ("Host", "evil.example"),
    ],
)
def test_headers_with_tricks_are_borne(ehr: FlaskClient, name: str, value: str) -> None:
    for method, path, body in (
        ("GET", f"Patient/{ADA}", None),
        ("POST", "Observation", OBSERVATION),
    ):
        response = ehr.open(f"/fhir/{path}", method=method, json=body, headers={name: value})
        assert response.status_code < 500, (method, response.text)
        assert "evil.example" not in str(response.headers) + response.text
    assert ehr.get(f"/fhir/Patient/{ADA}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "a=1&" * 500,
        "=",
        "&&&",
        "%00=%00",
        "_id=%ff%fe",
        "_sort=" + "date," * 3000,
        "code=" + "|" * 500,
        "code=%5C%5C%5C,",
        "_include=" + ":" * 50,
        "_elements=,,,",
        "_count=",
        "date=ge",
        "date=%00",
        "patient=" + "../" * 50,
        "name:exact=x",
        "family:contains=",
        "_lastUpdated=9999-12-31T23:59:59.999999999-12:00",
        "_format=json&_format=xml",
    ],
)
def test_queries_with_tricks_are_answered_or_refused(ehr: FlaskClient, query: str) -> None:
    for kind in ("Observation", "Patient"):
        response = ehr.get(f"/fhir/{kind}?{query}")
        assert response.status_code in (200, 400, 406), response.text
        assert response.json["resourceType"] in ("Bundle", "OperationOutcome")


def test_text_of_a_request_never_reaches_a_page_as_markup(ehr: FlaskClient) -> None:
    response = ehr.get("/fhir/Patient?<script>=1", headers={"Prefer": "handling=strict"})
    assert response.headers["Content-Type"].startswith(JSON)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "status",
                        "code",
                        "coding",
                        "subject",
                        "reference",
                        "id",
                        "meta",
                        "effectiveDateTime",
                        "category",
                        "identifier",
                        "contained",
                        "x",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_json_is_kept_or_refused(ehr: FlaskClient, value: Any) -> None:
    body = {**(value if isinstance(value, dict) else {"x": value}), "resourceType": "Observation"}
    assert post(ehr, json.dumps(body).encode()).status_code in (201, 400, 422)
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": value}
    response = ehr.post("/fhir", data=json.dumps(bundle).encode(), content_type=JSON)
    assert response.status_code in (200, 400, 422), response.text


def test_odd_resources_of_a_folder_break_no_search(make: Any) -> None:
    """What is loaded is not validated: somebody's export may hold anything."""
    app: Flask = make(open=True)
    odd: list[dict[str, Any]] = [
        {"subject": "Patient/1"},
        {"subject": [None, {"reference": 5}]},
        {"meta": "x"},
        {"code": [[[]]]},
        {"effectivePeriod": []},
        {"identifier": {"value": 5}},
        {"category": [{"coding": {"code": "x"}}]},
    ]
    for i, more in enumerate(odd):
        inside(app).records.update({"resourceType": "Observation", "id": f"odd-{i}", **more})
    http = app.test_client()
    for query in (
        f"patient={ADA}",
        "code=x",
        "date=2026",
        "_sort=-date",
        "category=x",
        "identifier=5",
        "_elements=code",
        "_sort=patient",
    ):
        assert http.get(f"/fhir/Observation?{query}").status_code == 200, query


def test_a_fault_of_the_servers_own_says_nothing_of_the_request(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("canary-of-a-chart")

    monkeypatch.setattr(inside(app).tokens, "access", broken)
    response = app.test_client().get("/fhir/Patient/1", headers={"Authorization": "Bearer x"})
    assert response.status_code == 500
    assert "canary" not in response.text + caplog.text
    assert "RuntimeError at" in caplog.text
