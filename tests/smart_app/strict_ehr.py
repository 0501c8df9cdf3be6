"""An EHR for the tests of launches: an authorization server that refuses whatever is not exactly
right, and as much of a FHIR server as a launch reads. On a free loopback port.

What it does wrong on purpose is set by a test: `configuration`, `granted` and `claims` are laid
over what it would say by itself, None removes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote_plus, urlencode

from flask import Flask, Response, abort, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey
from werkzeug.serving import make_server

from smart_app.app_keys import AppKeys
from smart_app.settings import ClientKind, RegisteredEhr
from tests.ehr_access.server import statement

CLIENT, SECRET = "vialwise at this EHR", "a secret: with+signs & spaces"
REDIRECT = "https://app.example/app/callback"
LAUNCH = "launch-code/with+signs"
TYPES = ("Patient", "Practitioner", "MedicationRequest", "Observation", "Condition", "Coverage")
DOCTOR = {
    "resourceType": "Practitioner",
    "id": "7",
    "name": [{"family": "Fenwick", "given": ["Odile"], "prefix": ["Dr."]}],
}


@cache
def signing_key(kind: str = "RSA") -> Key:
    if kind == "EC":
        return ECKey.generate_key("P-384", {"kid": "ec-1"})
    return RSAKey.generate_key(2048, {"kid": "rsa/1+="})


@dataclass
class StrictEhr:
    """What it was told, what it was asked, and what it gave."""

    url: str
    kind: ClientKind = ClientKind.PUBLIC
    app_keys: AppKeys = field(default_factory=AppKeys)
    configuration: dict[str, Any] = field(default_factory=dict)
    granted: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    signer: Key | None = None
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuses: list[str] = field(default_factory=list)  # why requests were refused
    asked: list[dict[str, str]] = field(default_factory=list)  # authorization requests
    revoked: list[str] = field(default_factory=list)
    live: set[str] = field(default_factory=set)  # access tokens
    refresh: set[str] = field(default_factory=set)
    refreshed: int = 0
    slow: float = 0.0  # seconds before the token endpoint answers
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)  # jti and codes

    @property
    def base(self) -> str:
        return f"{self.url}/r4"

    def registered(self, **changes: Any) -> RegisteredEhr:
        said = {
            "id": "strict",
            "name": "Strict Hospital",
            "fhir_base": self.base,
            "client_id": CLIENT,
            "kind": self.kind,
            "secret": SECRET if self.kind is ClientKind.SECRET else "",
            "frame_ancestors": ("https://ehr.example",),
            **changes,
        }
        return RegisteredEhr(**said)

    def signed_in(self, location: str, **answer: str) -> str:
        """What the browser does at the EHR: ask, be let in, and be sent back to this address."""
        import requests

        answered = requests.get(location, allow_redirects=False, timeout=5)
        assert answered.status_code == 302, (self.refuses, answered.text)
        return answered.headers["Location"]


@contextmanager
def strict_ehr() -> Iterator[StrictEhr]:
    ehr = StrictEhr("")
    server = make_server("127.0.0.1", 0, _app(ehr), threaded=True)
    ehr.url = f"http://127.0.0.1:{server.server_port}"
    ehr.resources["Practitioner/7"] = DOCTOR
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield ehr
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def laid_over(said: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**said, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def _app(ehr: StrictEhr) -> Flask:
    app = Flask("strict_ehr")

    def refuse(why: str, error: str = "invalid_request", status: int = 400) -> Any:
        ehr.refuses.append(why)
        abort(Response(json.dumps({"error": error, "error_description": why}), status,
                       content_type="application/json"))  # fmt: skip

    @app.get("/r4/.well-known/smart-configuration")
    def configuration() -> Any:
        own = {
            "issuer": ehr.url,
            "jwks_uri": f"{ehr.url}/keys",
            "authorization_endpoint": f"{ehr.url}/authorize",
            "token_endpoint": f"{ehr.url}/token",
            "revocation_endpoint": f"{ehr.url}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": ["authorization_code"],
            "capabilities": ["launch-ehr", "launch-standalone", "permission-v2",
                             "permission-online", "sso-openid-connect", "context-ehr-patient"],
        }  # fmt: skip
        return jsonify(laid_over(own, ehr.configuration))

    @app.get("/r4/metadata")
    def metadata() -> Any:
        return jsonify(statement(**dict.fromkeys(TYPES, "patient")))

    @app.get("/keys")
    def keys() -> Any:
        return jsonify(KeySet([signing_key(), signing_key("EC")]).as_dict(private=False))

    @app.get("/authorize")
    def authorize() -> Any:
        said = request.args.to_dict()
        ehr.asked.append(said)
        if said.get("client_id") != CLIENT or said.get("redirect_uri") != REDIRECT:
            refuse("client or redirect_uri is not as registered")
        if said.get("aud") != ehr.base:
            refuse("aud is not this server")
        if said.get("code_challenge_method") != "S256" or len(said.get("code_challenge", "")) != 43:
            refuse("no PKCE")
        if said.get("response_type") != "code" or len(said.get("state", "")) < 22:
            refuse("no code flow with a state")
        if ("launch" in said.get("scope", "").split()) != (said.get("launch") == LAUNCH):
            refuse("launch code and scope do not go together")
        code = secrets.token_urlsafe(16)
        ehr.codes[code] = said
        back = {"code": code, "state": said["state"]}
        return redirect(f"{REDIRECT}?{urlencode(back)}", 302)

    def authenticate(form: Mapping[str, str]) -> None:
        basic = request.headers.get("Authorization", "")
        if ehr.kind is ClientKind.PUBLIC:
            if form.get("client_id") != CLIENT or basic:
                refuse("not the public client", "invalid_client", 401)
        elif ehr.kind is ClientKind.SECRET:
            said = base64.b64decode(basic.removeprefix("Basic ")).decode()
            pair = tuple(map(unquote_plus, said.split(":")))
            if pair != (CLIENT, SECRET) or "client_id" in form:
                refuse("wrong secret", "invalid_client", 401)
        else:
            _check_assertion(ehr, form, refuse)

    @app.post("/token")
    def token() -> Any:
        time.sleep(ehr.slow)
        form = request.form.to_dict()
        authenticate(form)
        if form.get("grant_type") == "refresh_token":
            return renewed(form)
        code = form.get("code", "")
        said = ehr.codes.pop(code, None)
        if form.get("grant_type") != "authorization_code" or said is None:
            refuse("code unknown or used", "invalid_grant")
        if form.get("redirect_uri") != said["redirect_uri"]:
            refuse("redirect_uri differs", "invalid_grant")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != said["code_challenge"]:
            refuse("wrong verifier", "invalid_grant")
        own = {"patient": "p-1", "encounter": "e-1", "id_token": id_token(said)}
        return given(said["scope"], {**own, "need_patient_banner": True})

    def given(scope: str, more: dict[str, Any]) -> Any:
        access, refresh = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        own = {"access_token": access, "token_type": "bearer", "expires_in": 300, "scope": scope}
        if "online_access" in scope.split():
            own["refresh_token"] = refresh
        said = laid_over({**own, **more}, ehr.granted)
        ehr.live.add(said.get("access_token", ""))
        ehr.refresh.add(said.get("refresh_token", ""))
        return jsonify(said)

    def id_token(said: Mapping[str, str]) -> str:
        now = int(time.time())
        own = {
            "iss": ehr.url, "sub": "user-7", "aud": CLIENT, "iat": now, "exp": now + 300,
            "nonce": said.get("nonce"), "fhirUser": f"{ehr.base}/Practitioner/7",
        }  # fmt: skip
        signer = ehr.signer or signing_key()
        alg = "RS256" if isinstance(signer, RSAKey) else "ES384"
        header = laid_over({"alg": alg, "kid": signer.kid}, ehr.header)
        claims = laid_over(own, ehr.claims)
        return jwt.encode(header, claims, signer, algorithms=[header["alg"]])

    def renewed(form: Mapping[str, str]) -> Any:
        ehr.refreshed += 1
        if form.get("refresh_token") not in ehr.refresh:
            refuse("refresh token unknown or used", "invalid_grant")
        ehr.refresh.discard(form["refresh_token"])
        return given("online_access patient/Patient.r patient/MedicationRequest.rs", {})

    @app.post("/revoke")
    def revoke() -> Any:
        authenticate(request.form)
        ehr.revoked.append(request.form["token"])
        ehr.live.discard(request.form["token"])
        ehr.refresh.discard(request.form["token"])
        return ""

    @app.get("/r4/<kind>/<id_>")
    def read(kind: str, id_: str) -> Any:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in ehr.live:
            return jsonify({"resourceType": "OperationOutcome"}), 401
        found = ehr.resources.get(f"{kind}/{id_}")
        return (jsonify(found), 200) if found else ({"resourceType": "OperationOutcome"}, 404)

    return app


def _check_assertion(ehr: StrictEhr, form: Mapping[str, str], refuse: Any) -> None:
    """SMART App Launch 2.2, "Client Authentication: Asymmetric", to the letter."""
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    if form.get("client_assertion_type") != kind or "client_secret" in form:
        refuse("no assertion", "invalid_client", 401)
    published = KeySet.import_key_set(ehr.app_keys.published())
    said = jwt.decode(form["client_assertion"], published, algorithms=[ehr.kind.algorithm])
    claims, now = said.claims, time.time()
    fine = (
        claims["iss"] == claims["sub"] == CLIENT
        and claims["aud"] == f"{ehr.url}/token"
        and now < claims["exp"] <= now + 300
        and claims["jti"] not in ehr.used
        and said.header["typ"] == "JWT"
        and said.header["jku"] == REDIRECT.replace("callback", "jwks.json")
    )
    ehr.used.add(claims["jti"])
    if not fine:
        refuse("wrong assertion", "invalid_client", 401)
