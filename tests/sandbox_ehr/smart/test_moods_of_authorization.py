"""Troubles on purpose: each is seen, for all launches or for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet

from sandbox_ehr import moods
from sandbox_ehr.moods import Mood
from tests.sandbox_ehr.conftest import ADA, PUBLIC, inside
from tests.sandbox_ehr.launching import (
    SCOPE,
    STATE,
    authorized,
    code_of,
    exchange,
    launched,
    request_of,
    sent_back,
    token_of,
)

LASTING = f"{SCOPE} patient/Observation.cud offline_access"


@pytest.fixture(params=["settings", "launch"])
def troubled(request: pytest.FixtureRequest, make: Any) -> Any:
    """An EHR with one fault, and what its launches are to be made with."""

    def made(fault: Mood) -> tuple[Flask, dict[str, Any]]:
        if request.param == "settings":
            return make(moods=frozenset({fault})), {}
        return make(), {"moods": frozenset({fault})}

    return made


def authorize(app: Flask, how: dict[str, Any], **changes: Any) -> Any:
    asked = request_of(scope=LASTING, launch=launched(app, **how), **changes)
    return authorized(app.test_client(), asked)


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Mood.AUTH_INVALID_SCOPE, "invalid_scope"), (Mood.AUTH_ACCESS_DENIED, "access_denied")],
)
def test_authorization_fails(troubled: Any, fault: Mood, error: str) -> None:
    app, how = troubled(fault)
    back = sent_back(authorize(app, how))
    assert (back["error"], back["state"]) == (error, STATE)


@pytest.mark.parametrize("fault", [Mood.AUTH_INVALID_CLIENT_ID, Mood.AUTH_INVALID_REDIRECT_URI])
def test_the_registration_is_not_known(make: Any, fault: Mood) -> None:
    """For all launches alone: until these are checked, no launch is looked at."""
    assert authorize(make(moods=frozenset({fault})), {}).status_code == 400


def test_another_state_comes_back(troubled: Any) -> None:
    app, how = troubled(Mood.AUTH_WRONG_STATE)
    back = sent_back(authorize(app, how))
    assert back["code"] and back["state"] not in ("", STATE)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Mood.AUTH_INVALID_CLIENT_SECRET, "invalid_client"),
        (Mood.TOKEN_INVALID_TOKEN, "invalid_grant"),
        (Mood.TOKEN_EXPIRED_REGISTRATION_TOKEN, "invalid_client"),
        (Mood.TOKEN_INVALID_SCOPE, "invalid_scope"),
        (Mood.TOKEN_INVALID_JTI, "invalid_client"),
    ],
)
def test_the_token_endpoint_fails(troubled: Any, fault: Mood, error: str) -> None:
    app, how = troubled(fault)
    response = app.test_client().post("/auth/token", data=exchange(code_of(app, **how)))
    assert response.status_code in (400, 401) and response.json["error"] == error
    assert "simulated" in response.json["error_description"]


def test_a_refresh_token_has_expired(troubled: Any) -> None:
    app, how = troubled(Mood.TOKEN_EXPIRED_REFRESH_TOKEN)
    said = token_of(app, LASTING, **how)
    body = {
        "grant_type": "refresh_token",
        "refresh_token": said["refresh_token"],
        "client_id": PUBLIC.id,
    }
    assert app.test_client().post("/auth/token", data=body).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Mood.REQUEST_INVALID_TOKEN, "login"), (Mood.REQUEST_EXPIRED_TOKEN, "expired")],
)
def test_the_fhir_server_does_not_take_the_token(troubled: Any, fault: Mood, code: str) -> None:
    app, how = troubled(fault)
    head = {"Authorization": f"Bearer {token_of(app, **how)['access_token']}"}
    response = app.test_client().get(f"/fhir/Patient/{ADA}", headers=head)
    assert (response.status_code, response.json["issue"][0]["code"]) == (401, code)


def test_no_patient_is_named_and_none_is_in_reach(troubled: Any) -> None:
    app, how = troubled(Mood.NO_PATIENT)
    said = token_of(app, **how)
    assert "patient" not in said and "encounter" not in said
    head = {"Authorization": f"Bearer {said['access_token']}"}
    assert app.test_client().get(f"/fhir/Patient/{ADA}", headers=head).status_code == 403


def test_scopes_that_write_are_not_granted(troubled: Any) -> None:
    app, how = troubled(Mood.NO_WRITE_SCOPES)
    assert token_of(app, LASTING, **how)["scope"] == f"{SCOPE} offline_access"


def test_no_refresh_token_is_given(troubled: Any) -> None:
    app, how = troubled(Mood.NO_REFRESH_TOKEN)
    assert "refresh_token" not in token_of(app, LASTING, **how)


def test_a_token_lasts_two_seconds(troubled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    app, how = troubled(Mood.SHORT_TOKEN)
    said = token_of(app, **how)
    assert said["expires_in"] == 2
    tokens = inside(app).tokens
    later = tokens.now() + 2
    monkeypatch.setattr(tokens, "_clock", lambda: later)
    head = {"Authorization": f"Bearer {said['access_token']}"}
    assert app.test_client().get(f"/fhir/Patient/{ADA}", headers=head).status_code == 401


def test_another_nonce_comes_back(troubled: Any) -> None:
    app, how = troubled(Mood.WRONG_NONCE)
    code = sent_back(authorize(app, how, nonce="mine"))["code"]
    said = app.test_client().post("/auth/token", data=exchange(code)).json
    keys = KeySet.import_key_set(app.test_client().get("/auth/jwks").json)
    assert jwt.decode(said["id_token"], keys, algorithms=["RS256"]).claims["nonce"] != "mine"


def test_every_fault_has_its_meaning_and_a_wrong_name_lists_them() -> None:
    assert all(f.value for f in Mood)
    with pytest.raises(ValueError, match="no_patient"):
        moods.named("nonsense")


def test_every_fault_is_in_the_documents_with_its_meaning() -> None:
    page = Path(__file__).parents[3] / "docs" / "try-it.md"
    for line in (f"    {f.key.ljust(34)}{f.value}\n" for f in Mood):
        assert line in page.read_text(encoding="utf-8"), line
