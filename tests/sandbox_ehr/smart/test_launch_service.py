"""The launch that the CDS Hooks Sandbox asks a FHIR server for before it opens a smart link."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.sandbox_ehr.conftest import ADA, LAUNCH, PUBLIC, Make, bearer, inside

WHERE = "/fhir/_services/smart/Launch"
MILO = "pat-milo-applegarth"


def asked(http: FlaskClient, headers: dict[str, str] | None = None, **changes: Any) -> TestResponse:
    parameters = {
        "patient": ADA,
        "smart_messaging_origin": "http://localhost:8080",
        "appContext": "sealed",
    }
    body = {"launchUrl": LAUNCH, "parameters": parameters, **changes}
    return http.post(WHERE, json=body, headers=headers or {})


def test_the_launch_is_for_the_registered_app_and_carries_the_links_context(make: Make) -> None:
    app = make(open=True)
    said = asked(app.test_client(), launchUrl=f"{LAUNCH}?theme=dark")
    assert said.status_code == 200
    assert said.headers["Access-Control-Allow-Origin"] == "*"
    launch = inside(app).launches.redeem(said.get_json()["launch_id"])
    assert launch is not None
    assert (launch.patient_id, launch.app_context) == (ADA, "sealed")
    assert launch.client_id == PUBLIC.id and launch.user.startswith("Practitioner/")


def test_a_browser_of_another_origin_may_ask(ehr: FlaskClient) -> None:
    said = ehr.options(WHERE, headers={"Access-Control-Request-Method": "POST"})
    assert said.status_code in (200, 204)
    assert "Content-Type" in said.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"launchUrl": "http://127.0.0.1:9999/other"}, 404),
        ({"launchUrl": "http://["}, 404),
        ({"launchUrl": None}, 400),
        ({"parameters": {"patient": "nobody"}}, 404),
        ({"parameters": {}}, 404),
        ({"parameters": []}, 400),
    ],
)
def test_what_is_not_known_here_gets_no_launch(
    ehr: FlaskClient, changes: dict[str, Any], status: int
) -> None:
    said = asked(ehr, **changes)
    assert said.status_code == status
    assert said.get_json()["resourceType"] == "OperationOutcome"


def test_no_json_is_told_so(ehr: FlaskClient) -> None:
    assert ehr.post(WHERE, data=b"\xff{").status_code == 400


def test_an_ehr_that_is_not_open_wants_a_token_that_may_read_the_patient(app: Flask) -> None:
    http = app.test_client()
    assert asked(http).status_code == 401
    ada = bearer(app, "patient/Patient.rs")
    assert asked(http, ada).status_code == 200
    assert asked(http, ada, parameters={"patient": MILO}).status_code == 404
    assert asked(http, bearer(app, "patient/Observation.rs")).status_code == 404
