"""Where a redirect of the framework's own leads: nowhere but to this program."""

from __future__ import annotations

from urllib.parse import urlsplit


def path_of(address: str) -> str:
    """Path and query of an absolute address.

    A framework that adds a missing slash makes the address from the request's Host, which a
    stranger can choose, and from the scheme inside the proxy, which is http.
    """
    parts = urlsplit(address)
    path = "/" + parts.path.lstrip("/\\")
    return f"{path}?{parts.query}" if parts.query else path
