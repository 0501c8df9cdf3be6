"""An app that launches, as strict about what it gets as it may be."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from werkzeug.test import TestResponse

from sandbox_ehr.settings import RegisteredApp
from tests.sandbox_ehr.conftest import ADA, BACK, BASE, EC_KEY, FHIR, PUBLIC, RS_KEY, inside

VERIFIER = "v" * 43
STATE = "state-1234567890-abcdefgh"
SCOPE = "launch openid fhirUser patient/Patient.rs patient/Observation.rs"


def challenge(verifier: str = VERIFIER) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def request_of(
    client: RegisteredApp = PUBLIC, scope: str = SCOPE, **changes: str | None
) -> dict[str, str]:
    """The parameters of an authorization request; None leaves one out."""
    said: dict[str, str | None] = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": BACK,
        "scope": scope,
        "state": STATE,
        "aud": FHIR,
        "code_challenge": challenge(),
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def launched(
    app: Flask, patient: str = ADA, user: str = "Practitioner/prac-imogen-hartwell", **more: Any
) -> str:
    """A launch token, as the order desk makes it."""
    return inside(app).launches.new(patient, user=user, **more)


def authorized(http: FlaskClient, asked: dict[str, str]) -> TestResponse:
    return http.get("/auth/authorize", query_string=asked)


def sent_back(response: TestResponse) -> dict[str, str]:
    """What the app is sent back with, to the address it registered."""
    assert response.status_code == 302, response.text
    address = response.headers["Location"]
    assert address.partition("?")[0] == BACK
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))


def code_of(app: Flask, client: RegisteredApp = PUBLIC, scope: str = SCOPE, **more: Any) -> str:
    """An authorization code of an EHR launch."""
    asked = request_of(client, scope, launch=launched(app, **more))
    back = sent_back(authorized(app.test_client(), asked))
    assert back["state"] == STATE
    return back["code"]


def exchange(code: str, /, **changes: str | None) -> dict[str, str]:
    """The token request for a code."""
    said: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        "client_id": PUBLIC.id,
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def token_of(app: Flask, scope: str = SCOPE, **more: Any) -> dict[str, Any]:
    """The token response of an EHR launch of the public app."""
    asked = exchange(code_of(app, scope=scope, **more))
    response = app.test_client().post("/auth/token", data=asked)
    assert response.status_code == 200, response.text
    return response.json


def basic(client: RegisteredApp, secret: str | None = None) -> dict[str, str]:
    pair = f"{quote(client.id, safe='')}:{quote(secret or client.secret, safe='')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def assertion(
    client: RegisteredApp, alg: str = "RS384", header: dict[str, Any] | None = None, **changes: Any
) -> str:
    """A signed client assertion."""
    key = EC_KEY if alg.startswith("ES") else RS_KEY
    now = int(time.time())
    claims = {
        "iss": client.id,
        "sub": client.id,
        "aud": f"{BASE}/auth/token",
        "exp": now + 200,
        "iat": now,
        "jti": secrets.token_hex(8),
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    said = {"alg": alg, "kid": key.kid, "typ": "JWT", **(header or {})}
    return jwt.encode({k: v for k, v in said.items() if v}, claims, key, [alg])


def signed(client: RegisteredApp, **how: Any) -> dict[str, str]:
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion(client, **how),
    }
