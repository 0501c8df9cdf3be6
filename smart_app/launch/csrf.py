"""That a form was sent from this window's own page, not from somebody else's.

The token is made from the secret in the window's cookie, which no other page can read. A template
writes `{{ csrf_field() }}` inside every form; htmx sends `{{ csrf_token() }}` as the header
X-CSRF-Token (`hx-headers`, layout.html).
"""

from __future__ import annotations

import hashlib
import hmac

from flask import g, request
from markupsafe import Markup

from smart_app.launch.error_pages import FORGED, Stopped
from smart_app.launch.state import launch_services

FIELD, HEADER = "csrf_token", "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def set_secret(secret: str) -> None:
    """The secret of this request's window."""
    g.vialwise_csrf = hmac.new(secret.encode(), b"vialwise csrf 1", hashlib.sha256).hexdigest()


def csrf_token() -> str:
    """The token of this request's window; "" outside of windows."""
    return str(g.get("vialwise_csrf", ""))


def csrf_field() -> Markup:
    """The hidden field every form needs."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, csrf_token())


def require() -> None:
    """Raises Stopped for a request that changes something and was not sent from this window."""
    if request.method in _SAFE:
        return
    sent = request.headers.get(HEADER, "") or request.form.get(FIELD, "")
    expected = csrf_token()
    if not expected or not hmac.compare_digest(sent.encode(), expected.encode()):
        raise Stopped(FORGED)
    origin = request.headers.get("Origin", "")
    if origin not in ("", _own_origin()):
        raise Stopped(FORGED)


def _own_origin() -> str:
    scheme, _, rest = launch_services().settings.app_url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
