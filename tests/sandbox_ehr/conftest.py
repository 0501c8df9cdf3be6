"""The practice EHR in this process, with apps registered in each of the three ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey, KeySet, RSAKey

from sandbox_ehr import charts
from sandbox_ehr.app import create_app
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.settings import ALL_SCOPES, SYSTEM_SCOPES, ClientKind, EhrSettings, RegisteredApp
from sandbox_ehr.state import RunningEhr

BASE = "http://127.0.0.1:8420"
FHIR = f"{BASE}/fhir"
TODAY = date(2026, 11, 23)
BACK = "http://127.0.0.1:9999/callback"
LAUNCH = "http://127.0.0.1:9999/launch"
ADA = "pat-ada-winterbourne"

RS_KEY = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)
EC_KEY = ECKey.generate_key("P-384", {"use": "sig"}, auto_kid=True)
JWKS = KeySet([RS_KEY, EC_KEY]).as_dict(private=False)

PUBLIC = RegisteredApp("public-app", "Public app", redirect_uris=(BACK,), launch_url=LAUNCH)
SECRET = replace(
    PUBLIC, id="secret-app", name="Secret app", kind=ClientKind.SECRET, secret="s3cret/with:signs"
)
SIGNING = replace(
    PUBLIC,
    id="signing-app",
    name="Signing app",
    kind=ClientKind.KEY,
    jwks=JWKS,
    scope=f"{ALL_SCOPES} {SYSTEM_SCOPES}",
)
CLIENTS = (PUBLIC, SECRET, SIGNING)

Make = Callable[..., Flask]


@pytest.fixture(scope="session")
def loaded() -> list[dict[str, Any]]:
    return charts.invented(TODAY)


@pytest.fixture
def make(loaded: list[dict[str, Any]]) -> Make:
    """An EHR with other settings than usual."""

    def made(**changes: Any) -> Flask:
        settings = EhrSettings(BASE, TODAY, CLIENTS)
        app = create_app(Records.of(loaded), replace(settings, **changes))
        app.testing = False  # errors are answered, as they are when it runs
        return app

    return made


@pytest.fixture
def app(make: Make) -> Flask:
    return make()


@pytest.fixture
def ehr(make: Make) -> FlaskClient:
    """An open EHR: no token is needed."""
    return make(open=True).test_client()


@pytest.fixture
def http(app: Flask) -> FlaskClient:
    """One that wants a token."""
    return app.test_client()


def inside(app: Flask) -> RunningEhr:
    found = app.extensions["sandbox-ehr"]
    assert isinstance(found, RunningEhr)
    return found


def bearer(app: Flask, scope: str, patient: str = ADA, **more: Any) -> dict[str, str]:
    """The header of a token with these scopes."""
    token = inside(app).tokens.issue("cds", scope, patient=patient, **more)
    return {"Authorization": f"Bearer {token}"}


def text_of(outcome: dict[str, Any]) -> str:
    assert outcome["resourceType"] == "OperationOutcome"
    return " ".join(issue["diagnostics"] for issue in outcome["issue"])


def found(bundle: dict[str, Any], mode: str = "match") -> list[dict[str, Any]]:
    entries = bundle.get("entry", [])
    return [e["resource"] for e in entries if e["search"]["mode"] == mode]
