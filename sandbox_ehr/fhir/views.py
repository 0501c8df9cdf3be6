"""The FHIR endpoint over HTTP: bytes and headers in, bytes and headers out."""

from __future__ import annotations

import logging
import traceback
from datetime import datetime
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import msgspec
from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from sandbox_ehr.fhir import calls, capability, handlers, validation
from sandbox_ehr.fhir.calls import Answer, Call, Served
from sandbox_ehr.fhir.handlers import NotAllowed
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.smart import at_fhir
from sandbox_ehr.state import running

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
        return _sent(Answer(200, statement, {"Cache-Control": "max-age=60"}))
    method = "GET" if request.method == "HEAD" else request.method
    # Werkzeug has unquoted the address once, and nothing unquotes it again.
    parts = tuple(path.rstrip("/").split("/")) if path.rstrip("/") else ()
    access = at_fhir.access_of(request.headers.get("Authorization"))
    headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
    call = Call(method, parts, access, _params(method, parts), _body(method, parts), headers)
    return _sent(handlers.answer(served(), call))


@fhir.post(at_fhir.LAUNCH_PATH)
def launch() -> Response:
    """Not FHIR, but asked of the FHIR server: see launch_service."""
    access = at_fhir.access_of(request.headers.get("Authorization"))
    said = at_fhir.launch_of(request.get_data(), access)
    return Response(_encoder.encode(said), content_type="application/json")


def served() -> Served:
    it = running()
    return Served(it.records, it.pages, it.settings.quirks, it.settings.fhir_base)


@fhir.errorhandler(FhirError)
@fhir.app_errorhandler(FhirError)
def refused(error: FhirError) -> Response:
    answer = Answer(error.status, error.outcome)
    response = _sent(answer)
    if isinstance(error, NotAllowed):
        response.headers["Allow"] = ", ".join(error.allowed)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = at_fhir.challenge(error)
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
    ".well-known/smart-configuration": at_fhir.smart_configuration,
    ".well-known/openid-configuration": at_fhir.openid_configuration,
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
    asked = calls.query_parameters(_text(request.query_string))
    if method == "POST" and parts[1:] == ("_search",):
        if _media_type(request.content_type or "") != _FORM:
            raise FhirError(415, f"a search is posted as {_FORM}")
        asked += calls.query_parameters(_text(request.get_data()))
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


def _sent(answer: Answer) -> Response:
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
