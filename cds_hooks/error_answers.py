"""Every answer that is not a success, shaped in one place as an OperationOutcome.

CDS Hooks 3.0.0-ballot, "HTTP Status Codes": an OperationOutcome SHOULD say what went wrong. No
answer holds a stack trace, chart text or anything else of the request.
"""

from __future__ import annotations

import logging

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from cds_hooks import exact_json
from cds_hooks.errors import Refused
from service_parts.log_events import fault

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


def install(app: Flask) -> None:
    """Shape every error of `app`."""
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _own_fault)


def _refused(error: Refused) -> Response:
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
