"""The authorization server of an EHR: what it states about signing in, and codes and tokens
exchanged."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from threading import Lock
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError

from billing_rules.model.states import Unknown
from ehr_access import server_metadata
from ehr_access.base import AddressRefused, FhirBase
from ehr_access.limits import Deadline, all_of
from ehr_access.server_metadata import SmartConfiguration
from ehr_access.transport import HttpAnswer, Transport, read_body
from service_parts.log_events import Event
from smart_app.launch.error_pages import EHR_SILENT, EHR_UNSUITABLE, Stopped
from smart_app.launch.registration import AppKeys
from smart_app.settings import PUBLIC, AppSettings, RegisteredEhr

# ----------------------------------------------------------------------
# What an EHR says about signing in: `.well-known/smart-configuration` (SMART App Launch 2.2,
# "Conformance").
#
# It is read from registered EHRs only, and nothing in it is followed to a host that was not
# registered: a server that is broken into, or a document that is, must not send codes and client
# assertions somewhere else.


_ADDRESSES = ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "jwks_uri")
_SECONDS = 6.0
_KEPT = 600.0  # seconds; Transport shows no headers, and EHRs change this about yearly
_FAILURE_KEPT = 5.0  # a server that is down is not asked for every click


class Discovery:
    """The configurations of all EHRs asked so far. Safe to share between threads."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock
        self._guard = Lock()
        self._known: dict[str, tuple[float, SmartConfiguration | Stopped]] = {}

    def of(self, ehr: RegisteredEhr) -> SmartConfiguration:
        """The configuration of a registered EHR. Raises Stopped when it cannot be used."""
        with self._guard:
            until, known = self._known.get(ehr.id, (0.0, Stopped(EHR_SILENT)))
        if self._clock() >= until:
            known = self._asked(ehr)
            kept = _FAILURE_KEPT if isinstance(known, Stopped) else _KEPT
            with self._guard:
                self._known[ehr.id] = (self._clock() + kept, known)
        if isinstance(known, Stopped):
            raise Stopped(known.stop, known.detail)
        return known

    def _asked(self, ehr: RegisteredEhr) -> SmartConfiguration | Stopped:
        address = ehr.base.url + server_metadata.SMART_PATH
        until, most = Deadline.after(_SECONDS), server_metadata.SMART_LARGEST
        answer = self._transport.get(address, token=None, deadline=until, most_bytes=most)
        try:
            return read_configuration(answer, address, ehr)
        except Stopped as stopped:
            return stopped


def read_configuration(
    answer: HttpAnswer | Unknown, address: str, ehr: RegisteredEhr
) -> SmartConfiguration:
    """The configuration in `answer`, which came from `address`, with absolute addresses. Raises
    Stopped."""
    if isinstance(answer, Unknown) or answer.status >= 500 or answer.status == 429:
        raise Stopped(EHR_SILENT)
    if answer.status != 200:
        raise _unsuitable("It has no SMART configuration at its FHIR address.")
    stated = server_metadata.parse_smart_configuration(answer.body)
    if stated is None:
        raise _unsuitable("Its SMART configuration is not readable.")
    addresses: dict[str, Any] = {
        name: _endpoint(name, getattr(stated, name), address, ehr) for name in _ADDRESSES
    }
    usable = replace(stated, **addresses)
    fault = configuration_fault(usable, ehr)
    if fault:
        raise _unsuitable(fault)
    return usable


def configuration_fault(configuration: SmartConfiguration, ehr: RegisteredEhr) -> str:
    """Why the app cannot sign in with it; "" when it can. What a server leaves out is not held
    against it, except S256, which has to be said (SMART App Launch 2.2, "PKCE")."""
    if not configuration.authorization_endpoint or not configuration.token_endpoint:
        return "It names no address for signing in."
    if "S256" not in configuration.challenge_methods:
        return "It does not say that it supports PKCE with S256, without which no code is safe."
    offered = configuration.auth_methods
    if ehr.client != PUBLIC and offered and ehr.client not in offered:
        return f"It does not accept {ehr.client}, as which the app is registered with it."
    accepted, algorithm = configuration.signing_algorithms, ehr.signs_with
    if algorithm and accepted and algorithm not in accepted:
        return f"It does not accept {algorithm}, with which the app is set to sign."
    return ""


def require_capability(configuration: SmartConfiguration, capability: str) -> None:
    """Raises Stopped when the EHR lists capabilities, and not this one."""
    if configuration.capabilities and capability not in configuration.capabilities:
        raise _unsuitable(f"It does not offer {capability}.")


def _unsuitable(fault: str) -> Stopped:
    return Stopped(EHR_UNSUITABLE, fault)


def _endpoint(name: str, endpoint: str, address: str, ehr: RegisteredEhr) -> str:
    """An address in the document: relative ones are meant from the document's own (conformance
    B1.3). Raises Stopped for one that must not be used."""
    if not endpoint:
        return ""
    whole = urljoin(address, endpoint)
    try:
        base = FhirBase.parse(whole.partition("?")[0])
    except AddressRefused:
        raise _unsuitable(f"Its {name} is not an address.") from None
    if not base.carries_tokens or (base.scheme == "http" and not ehr.base.is_loopback):
        raise _unsuitable(f"Its {name} is not https.")
    if base.host not in {ehr.base.host, *map(str.lower, ehr.authorization_hosts)}:
        raise _unsuitable(f"Its {name} is on a host that was not registered for it.")
    if urlsplit(whole).fragment:
        raise _unsuitable(f"Its {name} is not an address.")
    return whole


# ----------------------------------------------------------------------
# The authorization server of one EHR: where to send browsers, and codes and tokens exchanged.
#
# Authlib speaks OAuth (RFC 6749, 7636, 7009, 7523). What it leaves to its user is done here:
# basic credentials are form-encoded first (RFC 6749, 2.3.1), assertions live for minutes, only
# names that are meant come back from an error, and every request is bounded in time and size and
# never redirected.


_CONNECT_SECONDS = 3.0
_MOST_BYTES = 256 * 1024
_ASSERTION_LIFE = 240  # seconds; five minutes at most (SMART App Launch 2.2)
# The codes of RFC 6749, 5.2; whatever else a server says is not repeated anywhere.
_ERRORS = (
    *("invalid_request", "invalid_client", "invalid_grant"),
    *("unauthorized_client", "unsupported_grant_type", "invalid_scope"),
)
NOT_SENT = "not sent"
log = logging.getLogger("smart_app")


class Bounded(HTTPAdapter):
    """Mounted on Authlib's session, so that a server that drips or floods is left as one of its
    FHIR side would be. `seconds` is for each request as a whole."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__(max_retries=0)

    def send(self, request: requests.PreparedRequest, **given: Any) -> requests.Response:  # type: ignore[override]
        deadline = Deadline.after(self._seconds)
        given |= {"stream": True, "timeout": (_CONNECT_SECONDS, self._seconds)}
        response = super().send(request, **given)
        with response:
            # requests reads what is there already and does not ask the server again.
            response._content = self._body(response, deadline)
            response._content_consumed = True  # type: ignore[attr-defined]
        return response

    def _body(self, response: requests.Response, deadline: Deadline) -> bytes:
        """Raises requests.RequestException for more, or for longer, than any answer that is
        meant."""
        try:
            body = read_body(response, deadline, _MOST_BYTES)
        except HTTPError:
            raise requests.RequestException from None
        if isinstance(body, Unknown):
            raise requests.RequestException
        return body


class NotGiven(Exception):
    """The authorization server gave nothing. `kind` is an OAuth error code or our own word."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class AuthorizationServer:
    """One EHR's authorization server, as `configuration` describes it."""

    def __init__(
        self,
        ehr: RegisteredEhr,
        configuration: SmartConfiguration,
        settings: AppSettings,
        keys: AppKeys,
    ) -> None:
        self._ehr = ehr
        self._at = configuration
        self._settings = settings
        self._keys = keys

    def address(
        self, *, scope: str, state: str, verifier: str, nonce: str, aud: str, launch: str
    ) -> str:
        """Where the browser goes to sign in (SMART App Launch 2.2, "Obtain authorization code")."""
        more = {"aud": aud, "nonce": nonce, **({"launch": launch} if launch else {})}
        with closing(self._session()) as session:
            address, _ = session.create_authorization_url(
                self._at.authorization_endpoint,
                state=state,
                code_verifier=verifier,
                scope=scope,
                **more,
            )
        return str(address)

    def exchanged(self, code: str, verifier: str) -> Mapping[str, Any]:
        """The token response for `code`. Raises NotGiven."""
        return self._tokens(
            lambda session: session.fetch_token(
                self._at.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=verifier,
                allow_redirects=False,
            )
        )

    def refreshed(self, refresh_token: str) -> Mapping[str, Any]:
        """The token response for a refresh token. Raises NotGiven."""
        return self._tokens(
            lambda session: session.refresh_token(
                self._at.token_endpoint, refresh_token=refresh_token, allow_redirects=False
            )
        )

    def revoke(self, *tokens: tuple[str, str]) -> None:
        """Give back tokens with their kinds, where the server takes them. Never raises: whoever
        signs out has signed out."""
        if not self._at.revocation_endpoint:
            return
        for kind, token in tokens:
            try:
                with closing(self._session()) as session:
                    session.revoke_token(
                        self._at.revocation_endpoint,
                        token=token,
                        token_type_hint=kind,
                        allow_redirects=False,
                    ).raise_for_status()
            except (requests.RequestException, AuthlibBaseError, OSError, ValueError) as error:
                fields = {"ehr": self._ehr.id, "kind": type(error).__name__}
                log.warning(Event("not revoked", fields))

    def _tokens(self, request: Callable[[OAuth2Session], Any]) -> Mapping[str, Any]:
        """The token response, inside one deadline whatever the server does. Raises NotGiven."""
        until = Deadline.after(self._settings.ehr_seconds)
        response = all_of({"": lambda: self._token_response(request)}, until, 1)[""]
        if isinstance(response, NotGiven):
            raise response
        if isinstance(response, Unknown):
            raise NotGiven("too late")
        return response

    def _token_response(
        self, request: Callable[[OAuth2Session], Any]
    ) -> Mapping[str, Any] | NotGiven:
        try:
            with closing(self._session()) as session:
                return dict(request(session))
        except AuthlibBaseError as error:
            code = str(getattr(error, "error", ""))
            return NotGiven(code if code in _ERRORS else "error")
        except requests.ConnectionError as error:
            # Without a connection the server cannot have seen the request.
            cause = getattr(error.args[0], "reason", None) if error.args else None
            never = isinstance(error, requests.ConnectTimeout)
            unsent = never or isinstance(cause, NewConnectionError)
            return NotGiven(NOT_SENT if unsent else "not reached")
        except (requests.RequestException, OSError):
            return NotGiven("not reached")
        except (ValueError, TypeError, KeyError, AttributeError):
            return NotGiven("no token response")

    def _session(self) -> OAuth2Session:
        """A session for one request. It keeps no cookies, reads no ~/.netrc and no proxy."""
        algorithm = self._ehr.signs_with
        key = self._keys.signing(algorithm) if algorithm else None
        method = "none" if self._ehr.client == PUBLIC else self._ehr.client
        session = OAuth2Session(
            self._ehr.client_id,
            client_secret=key or self._ehr.client_secret or None,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            redirect_uri=self._settings.redirect_uri,
            code_challenge_method="S256",
        )
        session.register_client_auth_method(("client_secret_basic", _basic))
        # SMART App Launch 2.2, "Client Authentication: Asymmetric": iss, sub, aud, exp, jti; the
        # key id in the header, and where the key may be fetched.
        jku = self._settings.url("/jwks.json")
        session.register_client_auth_method(
            PrivateKeyJWT(
                self._at.token_endpoint,
                claims={"exp": int(time.time()) + _ASSERTION_LIFE},
                headers={"typ": "JWT", "kid": key.kid, "jku": jku} if key else {},
                alg=algorithm or None,
            )
        )
        session.mount("https://", Bounded(self._settings.ehr_seconds))
        session.mount("http://", Bounded(self._settings.ehr_seconds))
        session.headers["User-Agent"] = "vialwise"
        return session


def _basic(client: Any, method: str, uri: str, headers: Any, body: Any) -> tuple[str, Any, Any]:
    """Basic credentials as RFC 6749, 2.3.1 wants them: each form-encoded, then joined. A space is
    %20 and not +, which servers that decode percent signs only understand as well."""
    text = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
    headers["Authorization"] = "Basic " + base64.b64encode(text.encode()).decode()
    return uri, headers, body
