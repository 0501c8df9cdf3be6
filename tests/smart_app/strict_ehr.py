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
from typing import Any, NoReturn
from urllib.parse import unquote_plus, urlencode

import requests
from flask import Flask, Response, abort, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey
from werkzeug.serving import make_server

from smart_app.app_keys import AppKeys
from smart_app.settings import ClientKind, RegisteredEhr
from tests.practice_ehr import statement

CLIENT, SECRET = "vialwise at this EHR", "a secret: with+signs & spaces"
REDIRECT = "https://app.example/app/callback"
LAUNCH = "launch-code/with+signs"
TYPES = ("Patient", "Practitioner", "MedicationRequest", "Observation", "Condition", "Coverage")
DOCTOR = {
    "resourceType": "Practitioner",
    "id": "7",
    "name": [{"family": "Fenwick", "given": ["Odile"], "prefix": ["Dr."]}],
}


def signing_key(kind: str = "RSA") -> Key:
    """The key with which it signs id_tokens; slashes and pluses are Epic's habit."""
    return _signing_key(kind)


@cache
def _signing_key(kind: str) -> Key:
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

    def signed_in(self, location: str) -> str:
        """What the browser does at the EHR: ask, be let in, and be sent back to this address."""
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
    app, server = Flask("strict_ehr"), _Server(ehr)
    for rule, view, method in (
        ("/r4/.well-known/smart-configuration", server.configuration, "GET"),
        ("/r4/metadata", server.metadata, "GET"),
        ("/r4/<kind>/<id_>", server.read, "GET"),
        ("/keys", server.keys, "GET"),
        ("/authorize", server.authorize, "GET"),
        ("/token", server.token, "POST"),
        ("/revoke", server.revoke, "POST"),
    ):
        app.add_url_rule(rule, view.__name__, view, methods=[method])
    return app


@dataclass
class _Server:
    ehr: StrictEhr

    def refuse(self, why: str, error: str = "invalid_request", status: int = 400) -> NoReturn:
        self.ehr.refuses.append(why)
        body = json.dumps({"error": error, "error_description": why})
        abort(Response(body, status, content_type="application/json"))

    def configuration(self) -> Response:
        url = self.ehr.url
        own = {
            "issuer": url,
            "jwks_uri": f"{url}/keys",
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "revocation_endpoint": f"{url}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "grant_types_supported": ["authorization_code"],
            "capabilities": [
                "launch-ehr",
                "launch-standalone",
                "permission-v2",
                "permission-online",
                "sso-openid-connect",
                "context-ehr-patient",
            ],
        }
        return jsonify(laid_over(own, self.ehr.configuration))

    def metadata(self) -> Response:
        return jsonify(statement(**dict.fromkeys(TYPES, "patient")))

    def keys(self) -> Response:
        keys = KeySet([signing_key(), signing_key("EC")])
        return jsonify(keys.as_dict(private=False))

    def authorize(self) -> Any:
        said = request.args.to_dict()
        self.ehr.asked.append(said)
        launched = said.get("launch") == LAUNCH
        for right, why in (
            (said.get("client_id") == CLIENT, "client_id is not as registered"),
            (said.get("redirect_uri") == REDIRECT, "redirect_uri is not as registered"),
            (said.get("aud") == self.ehr.base, "aud is not this server"),
            (said.get("code_challenge_method") == "S256", "no PKCE"),
            (len(said.get("code_challenge", "")) == 43, "no PKCE"),
            (said.get("response_type") == "code", "no code flow"),
            (len(said.get("state", "")) >= 22, "no state"),
            (("launch" in said.get("scope", "").split()) == launched, "scope and launch differ"),
        ):
            if not right:
                self.refuse(why)
        code = secrets.token_urlsafe(16)
        self.ehr.codes[code] = said
        back = {"code": code, "state": said["state"]}
        return redirect(f"{REDIRECT}?{urlencode(back)}", 302)

    def authenticate(self, form: Mapping[str, str]) -> None:
        basic = request.headers.get("Authorization", "")
        if self.ehr.kind is ClientKind.PUBLIC:
            fine = form.get("client_id") == CLIENT and not basic
        elif self.ehr.kind is ClientKind.SECRET:
            said = base64.b64decode(basic.removeprefix("Basic ")).decode()
            pair = tuple(map(unquote_plus, said.split(":")))
            fine = pair == (CLIENT, SECRET) and "client_id" not in form
        else:
            fine = _is_fine_assertion(self.ehr, form)
        if not fine:
            self.refuse("not the registered client", "invalid_client", 401)

    def token(self) -> Response:
        time.sleep(self.ehr.slow)
        form = request.form.to_dict()
        self.authenticate(form)
        if form.get("grant_type") == "refresh_token":
            return self.renewed(form)
        said = self.ehr.codes.pop(form.get("code", ""), None)
        if form.get("grant_type") != "authorization_code" or said is None:
            self.refuse("code unknown or used", "invalid_grant")
        if form.get("redirect_uri") != said["redirect_uri"]:
            self.refuse("redirect_uri differs", "invalid_grant")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != said["code_challenge"]:
            self.refuse("wrong verifier", "invalid_grant")
        own = {"patient": "p-1", "encounter": "e-1", "id_token": self.id_token(said)}
        return self.given(said["scope"], {**own, "need_patient_banner": True})

    def given(self, scope: str, more: dict[str, Any]) -> Response:
        access, refresh = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        own = {"access_token": access, "token_type": "bearer", "expires_in": 300, "scope": scope}
        if "online_access" in scope.split():
            own["refresh_token"] = refresh
        said = laid_over({**own, **more}, self.ehr.granted)
        self.ehr.live.add(said.get("access_token", ""))
        self.ehr.refresh.add(said.get("refresh_token", ""))
        return jsonify(said)

    def id_token(self, said: Mapping[str, str]) -> str:
        ehr, now = self.ehr, int(time.time())
        own = {
            "iss": ehr.url,
            "sub": "user-7",
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": said.get("nonce"),
            "fhirUser": f"{ehr.base}/Practitioner/7",
        }
        signer = ehr.signer or signing_key()
        alg = "RS256" if isinstance(signer, RSAKey) else "ES384"
        header = laid_over({"alg": alg, "kid": signer.kid}, ehr.header)
        claims = laid_over(own, ehr.claims)
        return jwt.encode(header, claims, signer, algorithms=[header["alg"]])

    def renewed(self, form: Mapping[str, str]) -> Response:
        self.ehr.refreshed += 1
        if form.get("refresh_token") not in self.ehr.refresh:
            self.refuse("refresh token unknown or used", "invalid_grant")
        self.ehr.refresh.discard(form["refresh_token"])
        return self.given("online_access patient/Patient.r patient/MedicationRequest.rs", {})

    def revoke(self) -> str:
        self.authenticate(request.form)
        self.ehr.revoked.append(request.form["token"])
        self.ehr.live.discard(request.form["token"])
        self.ehr.refresh.discard(request.form["token"])
        return ""

    def read(self, kind: str, id_: str) -> Any:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.ehr.live:
            return jsonify({"resourceType": "OperationOutcome"}), 401
        found = self.ehr.resources.get(f"{kind}/{id_}")
        return (jsonify(found), 200) if found else ({"resourceType": "OperationOutcome"}, 404)


def _is_fine_assertion(ehr: StrictEhr, form: Mapping[str, str]) -> bool:
    """SMART App Launch 2.2, "Client Authentication: Asymmetric", to the letter."""
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    if form.get("client_assertion_type") != kind or "client_secret" in form:
        return False
    published = KeySet.import_key_set(ehr.app_keys.published())
    said = jwt.decode(form["client_assertion"], published, algorithms=[ehr.kind.algorithm])
    claims, now = said.claims, time.time()
    fresh = claims["jti"] not in ehr.used
    ehr.used.add(claims["jti"])
    return (
        fresh
        and claims["iss"] == claims["sub"] == CLIENT
        and claims["aud"] in (f"{ehr.url}/token", f"{ehr.url}/revoke")
        and now < claims["exp"] <= now + 300
        and said.header["typ"] == "JWT"
        and said.header["jku"] == REDIRECT.replace("callback", "jwks.json")
    )
