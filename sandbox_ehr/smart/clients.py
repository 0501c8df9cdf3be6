"""Registered clients in the words Authlib asks in, and those that sign instead of sharing a secret
(SMART App Launch 2.2, "Client Authentication: Asymmetric")."""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sandbox_ehr.fhir import access
from sandbox_ehr.settings import ClientKind, RegisteredApp

_SYSTEM = "client_credentials"
_GRANTS = ("authorization_code", "refresh_token")


@dataclass(frozen=True, slots=True)
class OAuthClient(ClientMixin):
    """`client` as an OAuth 2 client."""

    client: RegisteredApp

    def get_client_id(self) -> str:
        return self.client.id

    def get_default_redirect_uri(self) -> str | None:
        return None  # SMART App Launch 2.2: the app says where it wants to be sent back to

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What of `scope` it may have; None when nothing of it."""
        return access.granted(scope or "", self.client.scope) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.client.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        if self.client.kind is not ClientKind.SECRET or not self.client.secret:
            return False
        return hmac.compare_digest(client_secret.encode(), self.client.secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.client.kind.value

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        if grant_type == _SYSTEM:  # SMART Backend Services: with a key only
            return self.client.kind is ClientKind.KEY
        return grant_type in _GRANTS


# ---------------------------------------------------------------- signed assertions

ALGORITHMS = ("RS384", "ES384")
LONGEST_LIFE = 300
_LEEWAY = 10
_KEYS_SECONDS = 300.0
_LARGEST_KEYS = 100_000
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Assertions(JWTBearerClientAssertion):
    """`private_key_jwt`: every check of the section, each token once."""

    CLIENT_AUTH_METHOD = ClientKind.KEY.value

    def __init__(self, token_url: str, keys: RegisteredKeys, seen: SeenOnce) -> None:
        super().__init__(leeway=_LEEWAY)
        self._token_endpoint = token_url
        self._keys = keys
        self._seen = seen

    def get_audiences(self) -> list[str]:
        return [self._token_endpoint]

    def resolve_client_public_key(self, client: OAuthClient) -> KeySet:
        return self._keys.of(client.client)

    def process_assertion_claims(self, assertion: str, resolve_key: Any) -> dict[str, Any]:
        """Authlib's checks, with the algorithms of SMART and no others."""
        try:
            token = jwt.decode(assertion, resolve_key, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError, TypeError):
            raise InvalidClientError("the assertion is not signed by a key of the client") from None
        if str(token.header.get("typ", "")).upper() != "JWT" or "kid" not in token.header:
            raise InvalidClientError("the assertion's header has typ JWT and a kid")
        self.verify_claims(token.claims)
        return token.claims

    def verify_claims(self, claims: Any) -> None:
        expires = claims.get("exp")
        if not isinstance(expires, int) or expires > time.time() + LONGEST_LIFE + _LEEWAY:
            raise InvalidClientError("the assertion expires within five minutes")
        super().verify_claims(claims)

    def validate_jti(self, claims: Any, jti: Any) -> bool:
        """Whether it is new: an assertion that was used before is refused."""
        return isinstance(jti, str) and self._seen.first_time(f"{claims['iss']} {jti}")


class SeenOnce:
    """What was seen, for as long as an assertion can live."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}

    def first_time(self, name: str) -> bool:
        now = self._clock()
        with self._lock:
            self._until = {seen: until for seen, until in self._until.items() if until > now}
            is_new = name not in self._until
            self._until[name] = now + LONGEST_LIFE + 2 * _LEEWAY
            return is_new


class RegisteredKeys:
    """The public keys of the clients, fetched where an address was registered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._fetched: dict[str, tuple[float, KeySet]] = {}

    def of(self, client: RegisteredApp) -> KeySet:
        """Raises InvalidClientError when there are none, or they cannot be had."""
        if client.jwks is not None:
            return _key_set(client.jwks)
        if not client.jwks_url:
            raise InvalidClientError("the client has no keys registered")
        with self._lock:
            until, known = self._fetched.get(client.jwks_url, (0.0, None))
            if known is None or self._clock() >= until:
                known = _key_set(_fetch(client.jwks_url))
                self._fetched[client.jwks_url] = (self._clock() + _KEYS_SECONDS, known)
            return known


def _fetch(url: str) -> Mapping[str, Any]:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise InvalidClientError("the client's keys are fetched over https only")
    try:
        with requests.get(url, timeout=5, allow_redirects=False, stream=True) as answer:
            body = answer.raw.read(_LARGEST_KEYS + 1, decode_content=True)
            if answer.status_code != 200 or len(body) > _LARGEST_KEYS:
                raise InvalidClientError("the client's keys could not be fetched")
        found = json.loads(body)
    except (requests.RequestException, OSError, ValueError, RecursionError):
        raise InvalidClientError("the client's keys could not be fetched") from None
    return found if isinstance(found, dict) else {}


def _key_set(jwks: Mapping[str, Any]) -> KeySet:
    """The keys that can verify; what else stands in the set is passed over."""
    try:
        keys = [k for k in jwks.get("keys", ()) if isinstance(k, dict) and k.get("kty") in _KINDS]
        return KeySet.import_key_set({"keys": keys})
    except (JoseError, ValueError, TypeError, KeyError):
        raise InvalidClientError("the client's keys cannot be read") from None


_KINDS = ("RSA", "EC")
