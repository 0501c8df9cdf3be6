"""The practice EHR in a strict mood, for the tests of launches: whatever is not exactly right is
refused, by itself or by what is checked here beyond it.

What it does wrong on purpose is set by a test: `configuration`, `granted` and `claims` are laid
over what it would say by itself, None removes.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from sandbox_ehr import settings as practice
from sandbox_ehr.app import start
from sandbox_ehr.moods import Answer, Reply, Request, Sent
from smart_app.launch.registration import AppKeys
from smart_app.settings import RegisteredEhr
from tests.practice_ehr import TODAY, Ehr, declares, practice_ehr
from tests.smart_app.clients import ClientKind

CLIENT, SECRET = "vialwise at this EHR", "a secret: with+signs & spaces"
REDIRECT = "https://app.example/app/callback"
LAUNCH = "launch-code/with+signs"
TYPES = ("Patient", "Practitioner", "MedicationRequest", "Observation", "Condition", "Coverage")
DOCTOR = {
    "resourceType": "Practitioner",
    "id": "7",
    "name": [{"family": "Fenwick", "given": ["Odile"], "prefix": ["Dr."]}],
}
PATIENT = {"resourceType": "Patient", "id": "p-1"}
USER = "Practitioner/7"
KINDS = {
    ClientKind.PUBLIC: practice.ClientKind.PUBLIC,
    ClientKind.SECRET: practice.ClientKind.SECRET,
    ClientKind.RS384: practice.ClientKind.KEY,
    ClientKind.ES384: practice.ClientKind.KEY,
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

    server: Ehr
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
    codes: set[str] = field(default_factory=set)
    given: dict[str, str] = field(default_factory=dict)  # refresh tokens: as sent, its own

    @property
    def base(self) -> str:
        return self.server.url

    @property
    def url(self) -> str:
        return self.base.removesuffix("/fhir")

    def registered(self, **changes: Any) -> RegisteredEhr:
        """How the app registers it. The EHR begins anew, with the app as its one client."""
        self._begin()
        said = {
            "id": "strict",
            "name": "Strict Hospital",
            "fhir_base": self.base,
            "client_id": CLIENT,
            **self.kind.written,
            "client_secret": SECRET if self.kind is ClientKind.SECRET else "",
            "frame_ancestors": ("https://ehr.example",),
            **changes,
        }
        return RegisteredEhr(**said)

    def _begin(self) -> None:
        client = practice.RegisteredApp(
            CLIENT,
            "Vialwise",
            KINDS[self.kind],
            redirect_uris=(REDIRECT,),
            secret=SECRET,
            jwks=self.app_keys.published(),
        )
        settings = practice.EhrSettings(
            self.url, TODAY, (client,), open=True, signing_key=signing_key()
        )
        start(self.server.app, self.server.records, settings)
        self.server.hold([DOCTOR, PATIENT])
        self.server.be(self.mood)

    def signed_in(self, location: str) -> str:
        """What the browser does at the EHR: ask, be let in, and be sent back to this address."""
        answered = requests.get(location, allow_redirects=False, timeout=5)
        if answered.status_code == 200:  # a page to sign in, choose the patient and agree
            scopes = dict(parse_qsl(urlsplit(location).query))["scope"].split()
            form = {"answer": "allow", "user": USER, "patient": "p-1", "allowed": scopes}
            answered = requests.post(location, data=form, allow_redirects=False, timeout=5)
        assert answered.status_code == 302, (self.refuses, answered.text)
        return answered.headers["Location"]

    # ------------------------------------------------------------ the mood

    def mood(self, request: Request, answer: Answer) -> Sent:
        addresses = {
            "/fhir/.well-known/smart-configuration": self._configuration,
            "/auth/jwks": self._keys,
            "/auth/authorize": self._authorize,
            "/auth/token": self._token,
            "/auth/revoke": self._revoke,
        }
        if request.path in addresses:
            return addresses[request.path](request, answer)
        return self._read(request, answer) if request.path.count("/") == 3 else answer(request)

    def _refuse(self, why: str, error: str = "invalid_request", status: int = 400) -> Reply:
        self.refuses.append(why)
        return Reply({"error": error, "error_description": why}, status, JSON)

    def _configuration(self, request: Request, answer: Answer) -> Sent:
        sent = answer(request)
        assert isinstance(sent, Reply)
        own = {
            **sent.json,
            "issuer": self.url,
            "authorization_response_iss_parameter_supported": None,
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
        return Reply(laid_over(own, self.configuration), headers=JSON)

    def _keys(self, request: Request, answer: Answer) -> Sent:
        keys = KeySet([signing_key(), signing_key("EC")])
        return Reply(keys.as_dict(private=False), headers=JSON)

    def _authorize(self, request: Request, answer: Answer) -> Sent:
        said = dict(parse_qsl(request.query, keep_blank_values=True))
        if request.method == "GET":
            self.asked.append(said)
        launched = said.get("launch") == LAUNCH
        for right, why in (
            (said.get("aud") == self.base, "aud is not this server"),
            (len(said.get("code_challenge", "")) == 43, "no PKCE"),
            (len(said.get("state", "")) >= 22, "no state"),
            (("launch" in said.get("scope", "").split()) == launched, "scope and launch differ"),
        ):
            if not right:
                return self._refuse(why)
        if launched:
            launches = self.server.app.extensions["sandbox-ehr"].launches
            said["launch"] = launches.new("p-1", "e-1", USER, client_id=CLIENT)
        sent = answer(replace(request, query=urlencode(said)))
        assert isinstance(sent, Reply)
        if sent.status != 302:
            self.refuses.extend([sent.content.decode()] if sent.status >= 400 else [])
            return sent
        parts = urlsplit(sent.headers["Location"])
        back = dict(parse_qsl(parts.query))
        back.pop("iss", None)  # a test adds it where it is to be looked at
        if "error" in back:
            self.refuses.append(back.get("error_description", back["error"]))
        self.codes.add(back.get("code", ""))
        place = parts._replace(query=urlencode(back)).geturl()
        return replace(sent, headers={**sent.headers, "Location": place})

    def _token(self, request: Request, answer: Answer) -> Sent:
        time.sleep(self.slow)
        form = dict(parse_qsl(request.body.decode()))
        if why := self._not_as_registered(request, form):
            return self._refuse(why, "invalid_client", 401)
        if form.get("grant_type") == "refresh_token":
            self.refreshed += 1
            if form.get("refresh_token") not in self.refresh:
                return self._refuse("refresh token unknown or used", "invalid_grant")
            self.refresh.discard(form["refresh_token"])
            form["refresh_token"] = self.given[form["refresh_token"]]
        elif form.get("code", "") not in self.codes:
            return self._refuse("code unknown or used", "invalid_grant")
        self.codes.discard(form.get("code", ""))
        asks = self._asks_as_registered(request)
        sent = answer(replace(asks, body=urlencode(form).encode()))
        assert isinstance(sent, Reply)
        if sent.status != 200:
            said = sent.json
            self.refuses.append(said.get("error_description", said["error"]))
            return sent
        return self._given(sent.json)

    def _not_as_registered(self, request: Request, form: Mapping[str, str]) -> str:
        """What the practice EHR does not look at: where the keys of a client that signs are, and
        that id and secret are form-encoded (RFC 6749, 2.3.1) and stand nowhere else. "" is right.
        """
        if self.kind is ClientKind.PUBLIC:
            return "a public client has no secret" if "Authorization" in request.headers else ""
        if self.kind is ClientKind.SECRET:
            said = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
            pair = tuple(map(unquote_plus, said.decode().split(":")))
            return "" if pair == (CLIENT, SECRET) and "client_id" not in form else "wrong secret"
        head = form["client_assertion"].partition(".")[0]
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        right = header.get("jku") == REDIRECT.replace("callback", "jwks.json")
        right = right and header["alg"] == self.kind.algorithm and "client_secret" not in form
        return "" if right else "another key than registered"

    def _asks_as_registered(self, request: Request) -> Request:
        """The same for Authlib, which takes a "+" in id or secret for what it is."""
        if self.kind is not ClientKind.SECRET:
            return request
        pair = ":".join(map(quote, (CLIENT, SECRET))).encode()
        return request.with_header("Authorization", f"Basic {base64.b64encode(pair).decode()}")

    def _given(self, own: dict[str, Any]) -> Reply:
        """The token response with what a test has laid over it."""
        own |= {"expires_in": 300, "tenant": None}
        if "id_token" in own:
            own |= {"id_token": self._id_token(own["id_token"]), "encounter": "e-1"}
        said = laid_over(own, self.granted)
        self.live.add(said.get("access_token", ""))
        self.refresh.add(said.get("refresh_token", ""))
        self.given[said.get("refresh_token", "")] = own.get("refresh_token", "")
        return Reply(said, headers=JSON)

    def _id_token(self, own: str) -> str:
        claims = jwt.decode(own, signing_key(), algorithms=["RS256"]).claims
        claims |= {"iss": self.url, "aud": CLIENT}
        signer = self.signer or signing_key()
        alg = "RS256" if isinstance(signer, RSAKey) else "ES384"
        header = laid_over({"alg": alg, "kid": signer.kid}, self.header)
        said = laid_over(claims, self.claims)
        return jwt.encode(header, said, signer, algorithms=[header["alg"]])

    def _revoke(self, request: Request, answer: Answer) -> Sent:
        form = dict(parse_qsl(request.body.decode()))
        token = form["token"]
        if why := self._not_as_registered(request, form):
            return self._refuse(why, "invalid_client", 401)
        sent = answer(self._asks_as_registered(request))
        assert isinstance(sent, Reply)
        if sent.status != 200:
            self.refuses.append(sent.json["error"])
            return sent
        self.revoked.append(token)
        self.live.discard(token)
        self.refresh.discard(token)
        return sent

    def _read(self, request: Request, answer: Answer) -> Sent:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.live:
            return Reply({"resourceType": "OperationOutcome"}, 401)
        found = self.resources.get(request.path.removeprefix("/fhir/"))
        return Reply(found) if found else answer(request)


JSON = {"Content-Type": "application/json"}


@contextmanager
def strict_ehr() -> Iterator[StrictEhr]:
    with practice_ehr() as server:
        declares(server, **dict.fromkeys(TYPES, "patient"))
        yield StrictEhr(server)


def laid_over(said: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    whole = {**said, **changes}
    return {name: value for name, value in whole.items() if value is not None}
