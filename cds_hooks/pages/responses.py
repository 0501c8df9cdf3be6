"""How answers look: headers, pages, and errors as an OperationOutcome.

CDS Hooks 2.0.1, "Cross-Origin Resource Sharing": discovery and services answer browser clients. An
origin is answered only when it is on the list; a wildcard is never sent. No answer holds a stack
trace, chart text or anything else of the request.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from cds_hooks import exact_json
from cds_hooks.errors import RequestRefused
from cds_hooks.settings import Settings
from service_parts.log_events import fault
from service_parts.web import path_of

# ----------------------------------------------------------------------
# How answers look: the headers that every one carries, and those that anyone may keep for a
# while.
#
# CDS Hooks 2.0.1, "Cross-Origin Resource Sharing": discovery and services answer browser clients.
# An origin is answered only when it is on the list; a wildcard is never sent.


CACHEABLE = "public, max-age=3600"
JSON, HTML = "application/json", "text/html"
CORS_PATHS = ("/cds-services",)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
    "Access-Control-Max-Age": "600",
}
_NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
PAGE_POLICY = f"{_NOTHING}; style-src 'self'"  # for our own pages: their style sheet, no script
FORM_POLICY = PAGE_POLICY.replace("form-action 'none'", "form-action 'self'")  # one with filters
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": _NOTHING,
}


def install(app: Flask, settings: Settings) -> None:
    """Set the headers on every answer of `app`, errors included."""
    app.before_request(_answer_preflight)
    app.after_request(partial(_complete, settings))


def _answer_preflight() -> Response | None:
    """204 to a browser's preflight: it carries no token, so it comes before authentication."""
    preflight = "Access-Control-Request-Method" in request.headers
    if request.method == "OPTIONS" and preflight and _has_cors():
        return Response(status=204)
    return None


def _complete(settings: Settings, response: Response) -> Response:
    if response.status_code == 308:  # Flask's own: a slash is missing, or there are two
        response.location = path_of(response.location or "")
    response.headers.setdefault("Cache-Control", "no-store")
    for name, value in _SECURITY.items():
        response.headers.setdefault(name, value)
    if settings.public_url.startswith("https:"):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if _has_cors() and settings.cors_origins:
        _allow_origin(response, settings.cors_origins)
    return response


def _has_cors() -> bool:
    return request.path.startswith(CORS_PATHS)


def _allow_origin(response: Response, allowed: frozenset[str]) -> None:
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    if origin not in allowed:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    if request.method == "OPTIONS":
        response.headers.update(_PREFLIGHT)


# ---------------------------------------------------------------- nothing of any patient in them


def as_json(body: object, content_type: str = JSON) -> Response:
    """`body` as JSON that may be cached."""
    return cacheable(Response(exact_json.encode(body), content_type=content_type))


def page(template: str, root: str, status: int = 200, **values: Any) -> Response:
    """A page from its template. `root` leads from its address to the front page ("../"), so that
    pages also work behind a prefix."""
    text = render_template(template, root=root, **values)
    response = Response(text, status, content_type=f"{HTML}; charset=utf-8")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


def cacheable(response: Response) -> Response:
    """The answer with an ETag; 304 where the caller has it already."""
    response.headers["Cache-Control"] = CACHEABLE
    response.add_etag()
    response.make_conditional(request)
    return response


def wants_json() -> bool:
    """Whether the caller would rather have JSON than a page."""
    return request.accept_mimetypes.best_match([HTML, JSON]) == JSON


# ----------------------------------------------------------------------
# Every answer that is not a success, shaped in one place as an OperationOutcome.
#
# CDS Hooks 3.0.0-ballot, "HTTP Status Codes": an OperationOutcome SHOULD say what went wrong. No
# answer holds a stack trace, chart text or anything else of the request.


log = logging.getLogger("cds_hooks")

# status -> (FHIR issue type, what the caller may know)
_ISSUES: dict[int, tuple[str, str]] = {
    400: ("invalid", "The request is malformed."),
    401: ("login", ""),
    404: ("not-found", "There is nothing at this address."),
    405: ("not-supported", "This address does not answer that method."),
    412: ("incomplete", "Data this service needs could not be obtained."),
    413: ("too-long", "The request body is too large."),
    429: ("throttled", "This client calls too often; send it again later."),
    503: ("transient", "The service cannot do this now; send it again later."),
}
_OWN_FAULT = ("exception", "The service failed; the request was not answered.")


def install_errors(app: Flask) -> None:
    """Shape every error of `app`."""
    app.register_error_handler(RequestRefused, _refused)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _own_fault)


def _refused(error: RequestRefused) -> Response:
    issue, why = _ISSUES.get(error.status, _OWN_FAULT)
    response = _outcome(error.status, error.issue or issue, error.why or why)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after:
        response.headers["Retry-After"] = error.retry_after
    return response


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    response = _outcome(status, *_ISSUES.get(status, ("processing", error.name)))
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


def _own_fault(error: Exception) -> Response:
    log.error("failed: %s", fault(error))
    return _outcome(500, *_OWN_FAULT)


def _outcome(status: int, issue: str, why: str) -> Response:
    entry = {"severity": "error", "code": issue}
    if why:
        entry["diagnostics"] = why
    body = exact_json.encode({"resourceType": "OperationOutcome", "issue": [entry]})
    return Response(body, status, content_type="application/json")
