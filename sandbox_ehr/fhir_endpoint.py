"""The FHIR endpoint over HTTP: bytes and headers in, bytes and headers out; and what SMART adds
to it: discovery, the tokens of requests, launches on request."""

from __future__ import annotations

import logging
import re
import traceback
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import msgspec
from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from sandbox_ehr.fhir import capability, interactions, requests, validation
from sandbox_ehr.fhir.access import Access, parse_all
from sandbox_ehr.fhir.interactions import NotAllowed
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.requests import FhirRequest, FhirResponse, FhirServer
from sandbox_ehr.moods import Mood
from sandbox_ehr.settings import ALL_SCOPES, SYSTEM_SCOPES, EhrSettings
from sandbox_ehr.smart import people
from sandbox_ehr.smart.authorization import METHODS
from sandbox_ehr.smart.clients import ALGORITHMS
from sandbox_ehr.state import running

# ----------------------------------------------------------------------
# What SMART adds to the FHIR server: discovery, the tokens of calls, launches on request.


# ---------------------------------------------------------------- the token of a call (RFC 6750)

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE | re.ASCII)


def access_of(authorization: str | None) -> Access:
    """What the `Authorization` header allows. Raises FhirError (401)."""
    ehr = running()
    if authorization is None:
        if ehr.settings.open:
            return Access(everything=True)
        raise FhirError(401, "this server wants an access token: Authorization: Bearer ...")
    match = _BEARER.fullmatch(authorization)
    if match is None:
        raise FhirError(401, "the Authorization header has no bearer token")
    granted = ehr.tokens.access(match[1])
    moods = ehr.settings.moods | (granted.moods if granted else frozenset())
    if granted is None or Mood.REQUEST_INVALID_TOKEN in moods:
        raise FhirError(401, "the access token is not known here, or was revoked", "login")
    if ehr.tokens.is_expired(granted) or Mood.REQUEST_EXPIRED_TOKEN in moods:
        raise FhirError(401, "the access token has expired", "expired")
    return Access(parse_all(granted.scope), granted.patient)


def challenge(error: FhirError) -> str:
    """The WWW-Authenticate header of a refusal."""
    text = str(error)
    if "wants an access token" in text:
        return 'Bearer realm="fhir"'
    return f'Bearer realm="fhir", error="invalid_token", error_description="{text}"'


# ---------------------------------------------------------------- discovery

CAPABILITIES = (
    "launch-ehr launch-standalone authorize-post client-public client-confidential-symmetric "
    "client-confidential-asymmetric sso-openid-connect context-banner context-ehr-patient "
    "context-ehr-encounter context-standalone-patient permission-offline permission-online "
    "permission-patient permission-user permission-v1 permission-v2"
)


def smart_configuration(settings: EhrSettings) -> dict[str, Any]:
    auth = f"{settings.base_url}/auth"
    return {
        "issuer": settings.fhir_base,
        "jwks_uri": f"{auth}/jwks",
        "authorization_endpoint": f"{auth}/authorize",
        "token_endpoint": f"{auth}/token",
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "introspection_endpoint": f"{auth}/introspect",
        "revocation_endpoint": f"{auth}/revoke",
        "response_types_supported": ["code"],
        "authorization_response_iss_parameter_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [*ALL_SCOPES.split(), *SYSTEM_SCOPES.split()],
        "capabilities": CAPABILITIES.split(),
    }


def openid_configuration(settings: EhrSettings) -> dict[str, Any]:
    """The same for OpenID Connect clients (OpenID Connect Discovery 1.0)."""
    return {
        **smart_configuration(settings),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


# ---------------------------------------------------------------- launches on request

LAUNCH_PATH = "/_services/smart/Launch"


class LaunchParameters(msgspec.Struct):
    patient: str = ""
    encounter: str = ""
    appContext: str = ""


class LaunchRequest(msgspec.Struct):
    launchUrl: str
    parameters: LaunchParameters = msgspec.field(default_factory=LaunchParameters)


def launch_of(body: bytes, access: Access) -> dict[str, Any]:
    """`{"launch_id": ...}`, good once and for ten minutes. Raises FhirError."""
    ehr = running()
    try:
        asked = msgspec.json.decode(body, type=LaunchRequest)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise FhirError(400, "the body wants launchUrl and parameters.patient") from None
    client = ehr.settings.app_at(asked.launchUrl)
    if client is None:
        raise FhirError(404, "no app is registered under this launchUrl", "not-found")
    patient = ehr.records.read("Patient", asked.parameters.patient)
    if patient is None or not access.covers("r", patient):
        raise FhirError(404, "no patient whom you may see has this id", "not-found")
    token = ehr.launches.new(
        asked.parameters.patient,
        asked.parameters.encounter[:500],
        people.default(ehr.records),
        asked.parameters.appContext[:4000],
        client_id=client.id,
    )
    return {"launch_id": token}


# ----------------------------------------------------------------------
# The FHIR endpoint over HTTP: bytes and headers in, bytes and headers out.


log = logging.getLogger("sandbox_ehr")
fhir = Blueprint("fhir", __name__)

JSON = "application/fhir+json"
_TYPES = frozenset({JSON, "application/json", "text/json", "application/json+fhir", "json"})
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_HEADERS = ("if-match", "if-none-match", "if-none-exist", "prefer")
# Decimals keep the digits they were written with (FHIR R4, "decimal").
_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_FORM = "application/x-www-form-urlencoded"
_WORDS = {405: "this address does not take this method", 413: "the body is larger than 5 MB"}
# What a browser app may send and read from another origin (Fetch, "CORS protocol").
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Accept, If-Match, If-None-Match, "
    "If-None-Exist, Prefer",
    "Access-Control-Expose-Headers": "ETag, Location, Last-Modified, WWW-Authenticate",
    "Access-Control-Max-Age": "600",
}


@fhir.route("", defaults={"path": ""}, methods=_METHODS, strict_slashes=False)
@fhir.route("/<path:path>", methods=_METHODS)
def endpoint(path: str) -> Response:
    """Every address below the FHIR base."""
    if request.method == "OPTIONS":
        return Response(status=204)
    if path in _WELL_KNOWN:
        _only_get()
        document = _WELL_KNOWN[path](running().settings)
        return Response(_encoder.encode(document), content_type="application/json")
    _acceptable()
    if path == "metadata":
        _only_get()
        statement = capability.statement(running().settings)
        return _sent(FhirResponse(200, statement, {"Cache-Control": "max-age=60"}))
    method = "GET" if request.method == "HEAD" else request.method
    # Werkzeug has unquoted the address once, and nothing unquotes it again.
    parts = tuple(path.rstrip("/").split("/")) if path.rstrip("/") else ()
    access = access_of(request.headers.get("Authorization"))
    headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
    call = FhirRequest(method, parts, access, _params(method, parts), _body(method, parts), headers)
    return _sent(interactions.answer(served(), call))


@fhir.post(LAUNCH_PATH)
def launch() -> Response:
    """Not FHIR, but asked of the FHIR server: see launch_service."""
    access = access_of(request.headers.get("Authorization"))
    said = launch_of(request.get_data(), access)
    return Response(_encoder.encode(said), content_type="application/json")


def served() -> FhirServer:
    it = running()
    return FhirServer(it.records, it.pages, it.settings.quirks, it.settings.fhir_base)


@fhir.errorhandler(FhirError)
@fhir.app_errorhandler(FhirError)
def refused(error: FhirError) -> Response:
    answer = FhirResponse(error.status, error.outcome)
    response = _sent(answer)
    if isinstance(error, NotAllowed):
        response.headers["Allow"] = ", ".join(error.allowed)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = challenge(error)
    return response


@fhir.errorhandler(HTTPException)
@fhir.app_errorhandler(HTTPException)
def not_served(error: HTTPException) -> Response | HTTPException:
    """What Flask itself refuses: as FHIR says it here, and as it is elsewhere."""
    if not request.path.startswith("/fhir"):
        return error
    status = error.code or 500
    return refused(FhirError(status, _WORDS.get(status, "the request cannot be served")))


@fhir.errorhandler(Exception)
def failed(error: Exception) -> Response:
    """Names the place in the log, and never what was being worked on."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    log.error("failed itself: %s at %s:%s", type(error).__name__, last.filename, last.lineno)
    return refused(FhirError(500, "the server failed itself"))


@fhir.after_request
def cors(response: Response) -> Response:
    response.headers.update(_CORS)
    return response


_WELL_KNOWN = {
    ".well-known/smart-configuration": smart_configuration,
    ".well-known/openid-configuration": openid_configuration,
}


def _only_get() -> None:
    if request.method not in ("GET", "HEAD"):
        raise NotAllowed(("GET",))


# ---------------------------------------------------------------- in


def _acceptable() -> None:
    """Whether the caller takes JSON. Raises FhirError (406)."""
    format_ = request.args.get("_format")
    if format_ is not None:
        if _media_type(format_.replace(" ", "+")) not in _TYPES:
            raise FhirError(406, "this server speaks JSON only: _format=json")
        return
    accepted = request.accept_mimetypes
    exact = any(accepted[kind] for kind in (JSON, "application/json", "text/json"))
    if accepted and not exact and not any(_media_type(name) in _TYPES for name, _ in accepted):
        raise FhirError(406, f"this server speaks JSON only: Accept: {JSON}")


def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _params(method: str, parts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The query; for a search that was posted, what stands in its body too (FHIR R4, "search")."""
    asked = requests.query_parameters(_text(request.query_string))
    if method == "POST" and parts[1:] == ("_search",):
        if _media_type(request.content_type or "") != _FORM:
            raise FhirError(415, f"a search is posted as {_FORM}")
        asked += requests.query_parameters(_text(request.get_data()))
    return tuple(asked)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FhirError(400, "the query is no UTF-8") from None


def _body(method: str, parts: tuple[str, ...]) -> dict[str, Any] | None:
    if method not in ("POST", "PUT") or parts[1:] == ("_search",):
        return None
    data = request.get_data()
    if not data:
        return None
    if _media_type(request.content_type or "") not in _TYPES:
        raise FhirError(415, f"this server takes JSON only: Content-Type: {JSON}")
    try:
        body = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise FhirError(400, "the body is no JSON", "structure") from None
    if not isinstance(body, dict) or not isinstance(body.get("resourceType"), str):
        raise FhirError(400, "the body is no resource: it has no 'resourceType'", "structure")
    if not validation.depth(body):
        raise FhirError(400, "the body is nested too deeply", "too-costly")
    return body


# ---------------------------------------------------------------- out


def _sent(answer: FhirResponse) -> Response:
    body = b"" if answer.resource is None else _encoder.encode(answer.resource)
    response = Response(body, answer.status)
    response.headers["Cache-Control"] = "no-store"
    for name, value in answer.headers.items():
        if name == "Last-Modified":
            value = format_datetime(datetime.fromisoformat(value), usegmt=True)
        response.headers[name] = value
    if body:
        response.headers["Content-Type"] = f"{JSON}; charset=utf-8"
    else:
        del response.headers["Content-Type"]
    return response
