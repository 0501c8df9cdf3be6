"""Headers every answer of the app carries, and addresses of static files that change with their
content, so that browsers keep them long.

A page shows a chart, so nobody keeps it, it loads and runs only what the app itself serves, and
only the EHRs that were registered may show it in a frame.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, g, request

from service_parts.web import path_of
from smart_app.launch.state import launch_services

_STATIC_KEPT = 365 * 24 * 3600  # seconds; addresses of static files change with their content
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
)
_NOBODY = "'none'"


def install(app: Flask) -> None:
    app.after_request(_complete)
    version_static_files(app)


def policy(ancestors: Iterable[str]) -> str:
    """The Content-Security-Policy of a page that those origins may show."""
    return f"{_POLICY}; frame-ancestors {' '.join(ancestors) or _NOBODY}"


def _complete(response: Response) -> Response:
    settings = launch_services().settings
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


# ---------------------------------------------------------------- static files

_FOLDER = Path(__file__).parent / "static"


def version_static_files(app: Flask) -> None:
    """Let `url_for("static", ...)` name the version of the file."""
    app.url_defaults(_with_version)


def _with_version(endpoint: str, values: dict[str, object]) -> None:
    if endpoint == "static" and "filename" in values:
        values.setdefault("v", _version(str(values["filename"])))


@lru_cache(maxsize=256)
def _version(filename: str) -> str | None:
    """A few characters of the file's hash; None, and so left out, where there is no such file."""
    file = (_FOLDER / filename).resolve()
    if not file.is_relative_to(_FOLDER) or not file.is_file():
        return None
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
