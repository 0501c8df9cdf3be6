"""Headers every answer of the app carries.

A page shows a chart, so nobody keeps it, it loads and runs only what the app itself serves, and
only the EHRs that were registered may show it in a frame.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask, Response, g, request

from service_parts.web import path_of
from smart_app.launching import launching

_STATIC_KEPT = 365 * 24 * 3600  # seconds; addresses of static files change with their content
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
)
_NOBODY = "'none'"


def install(app: Flask) -> None:
    app.after_request(_complete)


def policy(ancestors: Iterable[str]) -> str:
    """The Content-Security-Policy of a page that those origins may show."""
    return f"{_POLICY}; frame-ancestors {' '.join(ancestors) or _NOBODY}"


def _complete(response: Response) -> Response:
    settings = launching().settings
    if response.status_code == 308:  # Flask's own: a slash is missing, or there are two
        response.location = path_of(response.location or "")
    if request.endpoint == "static" and response.status_code == 200:
        response.headers["Cache-Control"] = f"public, max-age={_STATIC_KEPT}, immutable"
    else:
        response.headers.setdefault("Cache-Control", "no-store")
    ehr = g.get("vialwise_ehr")
    ancestors = ehr.frame_ancestors if ehr else tuple(settings.frame_ancestors())
    response.headers.setdefault("Content-Security-Policy", policy(ancestors))
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if settings.secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response
