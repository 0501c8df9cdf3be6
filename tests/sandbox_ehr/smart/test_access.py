"""What a token may see and write: asked of every resource, on every way to it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.sandbox_ehr.conftest import ADA, bearer, found, text_of
from tests.sandbox_ehr.fhir.test_bundles import entry
from tests.sandbox_ehr.fhir.test_http import OBSERVATION

MILO = "pat-milo-applegarth"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
READS = "patient/*.rs"


def get(app: Flask, path: str, scope: str = READS, **more: Any) -> Any:
    return app.test_client().get(f"/fhir/{path}", headers=bearer(app, scope, **more))


# ---------------------------------------------------------------- the token itself


def test_without_a_token_nothing_is_answered(app: Flask) -> None:
    http = app.test_client()
    for method, path in (
        ("GET", f"Patient/{ADA}"),
        ("GET", "Patient"),
        ("POST", "Patient"),
        ("PUT", f"Patient/{ADA}"),
        ("DELETE", f"Patient/{ADA}"),
        ("POST", ""),
        ("GET", f"Patient/{ADA}/_history"),
        ("POST", "Patient/_search"),
        ("GET", "?_page=x.1"),
    ):
        response = http.open(f"/fhir/{path}".replace("/?", "?"), method=method)
        assert response.status_code == 401, (method, path)
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="fhir"'
        assert text_of(response.json)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic eDp5",
        "bearer \u00e9",
        "Bearer a b",
        "Token x",
        "Bearer " + "x" * 5000,
        "",
        "Bearer x, Bearer y",
        'Bearer "x"',
        "Bearer ../../x",
    ],
)
def test_a_token_that_is_none_is_401(app: Flask, header: str) -> None:
    response = app.test_client().get(f"/fhir/Patient/{ADA}", headers={"Authorization": header})
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


def test_an_open_ehr_still_holds_a_token_to_its_scopes(make: Any) -> None:
    app = make(open=True)
    assert app.test_client().get(f"/fhir/Patient/{MILO}").status_code == 200
    assert get(app, f"Patient/{MILO}").status_code == 403
    bad = app.test_client().get(f"/fhir/Patient/{ADA}", headers={"Authorization": "Bearer x"})
    assert bad.status_code == 401


def test_a_token_ends_with_its_time(app: Flask) -> None:
    response = get(app, f"Patient/{ADA}", seconds=0)
    assert response.status_code == 401
    assert response.json["issue"][0]["code"] == "expired"


# ---------------------------------------------------------------- the patient of the launch


def test_the_launchs_patient_is_read_and_no_other(app: Flask) -> None:
    assert get(app, f"Patient/{ADA}").status_code == 200
    assert get(app, f"Patient/{MILO}").status_code == 403
    assert get(app, f"Patient/{MILO}/_history").status_code == 403
    assert get(app, f"Patient/{MILO}/_history/1").status_code == 403


@pytest.mark.parametrize(
    "kind",
    [
        "Observation",
        "Condition",
        "Coverage",
        "MedicationRequest",
        "MedicationAdministration",
        "Encounter",
        "ClaimResponse",
    ],
)
def test_a_search_finds_the_launchs_patient_alone(app: Flask, kind: str) -> None:
    everybody = {r["id"] for r in found(get(app, f"{kind}?_count=1000", "user/*.rs").json)}
    own = {r["id"] for r in found(get(app, f"{kind}?_count=1000").json)}
    asked = {
        r["id"] for r in found(get(app, f"{kind}?patient={ADA}&_count=1000", "user/*.rs").json)
    }
    assert own == asked < everybody
    others = next(iter(everybody - own))
    assert get(app, f"{kind}/{others}").status_code == 403
    assert get(app, f"{kind}/{others}", "user/*.rs").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        f"patient={MILO}",
        f"patient=Patient/{MILO}",
        f"subject={MILO}",
        f"patient={ADA},{MILO}",
        f"subject:Patient={MILO}",
    ],
)
def test_asking_for_another_patient_is_403(app: Flask, query: str) -> None:
    assert get(app, f"Condition?{query}").status_code == 403
    assert get(app, f"Condition?{query}", "user/*.rs").status_code == 200


def test_how_many_others_there_are_is_not_told(app: Flask) -> None:
    all_of_them = get(app, "Condition?_summary=count", "user/*.rs").json["total"]
    assert get(app, "Condition?_summary=count").json["total"] < all_of_them


def test_a_token_without_a_patient_reaches_no_chart(app: Flask) -> None:
    assert get(app, f"Patient/{ADA}", patient="").status_code == 403
    assert found(get(app, "Observation", patient="").json) == []
    assert get(app, "Organization/org-payer-medicare", patient="").status_code == 200


def test_what_is_nobodys_chart_may_be_read_with_it(app: Flask) -> None:
    for path in ("Organization/org-payer-medicare", "Practitioner/prac-nell-birdsong"):
        assert get(app, path).status_code == 200
        body = get(app, path).json
        assert write(app, "PUT", path, "patient/*.cruds", body) == 403
        assert write(app, "DELETE", path, "patient/*.cruds") == 403
        assert write(app, "PUT", path, "user/*.cruds", body) == 200


def test_another_patients_next_page_cannot_be_picked_up(app: Flask) -> None:
    first = get(app, "Condition?_count=5", "user/*.rs").json
    following = next(li["url"] for li in first["link"] if li["relation"] == "next")
    http = app.test_client()
    assert http.get(following, headers=bearer(app, "user/*.rs")).status_code == 200
    for scope in (READS, "user/Condition.rs", "patient/Patient.rs"):
        assert http.get(following, headers=bearer(app, scope)).status_code == 410
    assert http.get(following, headers=bearer(app, "user/*.rs", patient=MILO)).status_code == 410
    assert http.get(following).status_code == 401


def test_a_version_that_was_another_patients_is_not_shown(app: Flask) -> None:
    http, everything = app.test_client(), bearer(app, "user/*.cruds")
    foreign = {**OBSERVATION, "id": "moved", "subject": {"reference": f"Patient/{MILO}"}}
    http.put("/fhir/Observation/moved", json=foreign, headers=everything)
    http.put("/fhir/Observation/moved", json={**OBSERVATION, "id": "moved"}, headers=everything)
    assert get(app, "Observation/moved").status_code == 200
    assert get(app, "Observation/moved/_history/1").status_code == 404
    assert get(app, "Observation/moved/_history").json["total"] == 1
    assert get(app, "Observation/moved/_history", "user/*.rs").json["total"] == 2


# ---------------------------------------------------------------- what a scope names


@pytest.mark.parametrize(
    ("scope", "reads", "searches"),
    [
        ("patient/Observation.rs", 200, 200),
        ("patient/Observation.read", 200, 200),
        ("patient/Observation.r", 200, 403),
        ("patient/Observation.s", 403, 200),
        ("patient/Condition.rs", 403, 403),
        ("patient/Observation.cud", 403, 403),
        ("patient/Observation.write", 403, 403),
        ("openid fhirUser launch", 403, 403),
        ("user/Observation.rs", 200, 200),
        ("system/Observation.rs", 200, 200),
        ("", 403, 403),
    ],
)
def test_reading_and_searching_are_two_rights(
    app: Flask, scope: str, reads: int, searches: int
) -> None:
    at = "Observation/obs-ada-winterbourne-weight"
    assert get(app, at, scope).status_code == reads
    assert get(app, f"Observation?patient={ADA}", scope).status_code == searches
    posted = app.test_client().post(
        "/fhir/Observation/_search", data={"patient": ADA}, headers=bearer(app, scope)
    )
    assert posted.status_code == searches


def test_a_granular_scope_shows_its_part_of_a_type(app: Flask) -> None:
    scope = f"patient/Observation.rs?category={CATEGORY}|vital-signs"
    shown = found(get(app, f"Observation?patient={ADA}", scope).json)
    everything = found(get(app, f"Observation?patient={ADA}").json)
    assert 0 < len(shown) < len(everything)
    hidden = next(r for r in everything if r["id"] not in {s["id"] for s in shown})
    assert get(app, f"Observation/{shown[0]['id']}", scope).status_code == 200
    assert get(app, f"Observation/{hidden['id']}", scope).status_code == 403


def test_nothing_is_included_that_could_not_be_read(app: Flask) -> None:
    query = f"Coverage?patient={ADA}&_include=Coverage:payor"
    assert found(get(app, query).json, "include")
    assert not found(get(app, query, "patient/Coverage.rs").json, "include")


# ---------------------------------------------------------------- writing


def write(app: Flask, method: str, path: str, scope: str, body: Any = None) -> int:
    http = app.test_client()
    return http.open(
        f"/fhir/{path}", method=method, json=body, headers=bearer(app, scope)
    ).status_code


@pytest.mark.parametrize(
    ("scope", "creates", "updates", "deletes"),
    [
        ("patient/Observation.cruds", 201, 200, 204),
        ("patient/Observation.write", 201, 200, 204),
        ("patient/Observation.c", 201, 403, 403),
        ("patient/Observation.u", 403, 200, 403),
        ("patient/Observation.d", 403, 403, 204),
        ("patient/Observation.rs", 403, 403, 403),
        ("patient/Condition.cruds", 403, 403, 403),
    ],
)
def test_each_way_of_writing_is_a_right_of_its_own(
    app: Flask, scope: str, creates: int, updates: int, deletes: int
) -> None:
    at = "Observation/obs-ada-winterbourne-weight"
    assert write(app, "POST", "Observation", scope, OBSERVATION) == creates
    body = {**OBSERVATION, "id": "obs-ada-winterbourne-weight"}
    assert write(app, "PUT", at, scope, body) == updates
    assert write(app, "DELETE", at, scope) == deletes


def test_nothing_is_written_into_another_patients_chart(app: Flask) -> None:
    foreign = {**OBSERVATION, "subject": {"reference": f"Patient/{MILO}"}}
    scope = "patient/*.cruds"
    assert write(app, "POST", "Observation", scope, foreign) == 403
    assert write(app, "PUT", "Observation/new", scope, {**foreign, "id": "new"}) == 403
    assert write(app, "DELETE", "Observation/obs-milo-applegarth-weight", scope) == 403
    own = "obs-ada-winterbourne-weight"  # one's own resource is not given away either
    assert write(app, "PUT", f"Observation/{own}", scope, {**foreign, "id": own}) == 403
    taken = {**OBSERVATION, "id": "obs-milo-applegarth-weight"}
    assert write(app, "PUT", "Observation/obs-milo-applegarth-weight", scope, taken) == 403


def test_what_belongs_to_nobody_is_not_written_with_a_patients_token(app: Flask) -> None:
    nobody = {name: value for name, value in OBSERVATION.items() if name != "subject"}
    assert write(app, "POST", "Observation", "patient/*.cruds", nobody) == 403
    assert write(app, "POST", "Observation", "user/*.cruds", nobody) == 201


def test_a_granular_scope_writes_its_part_alone(app: Flask) -> None:
    scope = f"patient/Observation.cruds?category={CATEGORY}|vital-signs"
    vital = {**OBSERVATION, "category": [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}]}
    assert write(app, "POST", "Observation", scope, vital) == 201
    assert write(app, "POST", "Observation", scope, OBSERVATION) == 403


def test_a_conditional_create_tells_nothing_of_another_chart(app: Flask) -> None:
    http = app.test_client()
    body = {**OBSERVATION, "identifier": [{"value": "7"}]}
    foreign = {**body, "subject": {"reference": f"Patient/{MILO}"}}
    everything = bearer(app, "user/*.cruds")
    assert http.post("/fhir/Observation", json=foreign, headers=everything).status_code == 201
    how = {"If-None-Exist": "identifier=7", **bearer(app, "patient/*.cruds")}
    assert http.post("/fhir/Observation", json=body, headers=how).status_code == 201


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_every_entry_is_held_to_the_same_scopes(app: Flask, kind: str) -> None:
    body = {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [entry("GET", f"Patient/{ADA}"), entry("GET", f"Patient/{MILO}")],
    }
    response = app.test_client().post("/fhir", json=body, headers=bearer(app, READS))
    if kind == "transaction":
        assert response.status_code == 403
    else:
        assert [e["response"]["status"] for e in response.json["entry"]] == ["200", "403"]


def test_a_refused_transaction_has_written_nothing(app: Flask) -> None:
    foreign = {**OBSERVATION, "subject": {"reference": f"Patient/{MILO}"}}
    body = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [entry("POST", "Observation", OBSERVATION), entry("POST", "Observation", foreign)],
    }
    http, head = app.test_client(), bearer(app, "patient/*.cruds")
    before = http.get(f"/fhir/Observation?patient={ADA}&_summary=count", headers=head).json["total"]
    assert http.post("/fhir", json=body, headers=head).status_code == 403
    after = http.get(f"/fhir/Observation?patient={ADA}&_summary=count", headers=head).json["total"]
    assert after == before
