"""What every page of the desk says to the browser, and which posts it takes."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Response, abort, request

from sandbox_ehr.desk.running import desk

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; frame-src 'self'{apps}"
)


def only_from_here() -> None:
    """A form of another site posts nothing here: the browser says where a post comes from."""
    if request.method not in ("POST", "PUT", "DELETE"):
        return
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site not in ("same-origin", "none") or (origin and origin != request.host_url.rstrip("/")):
        abort(403)


def secured(response: Response) -> Response:
    """No script at all; frames hold the registered apps only."""
    apps = "".join(f" {origin}" for origin in _app_origins())
    response.headers.setdefault("Content-Security-Policy", _POLICY.format(apps=apps))
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response


def _app_origins() -> list[str]:
    addresses = [urlsplit(c.launch_url) for c in desk().settings.clients if c.launch_url]
    return sorted({f"{a.scheme}://{a.netloc}" for a in addresses})
