"""Who runs the service may see what it counts: a guard for the pages of operators.

One secret, sent as a Bearer token (RFC 6750) or as the password of HTTP Basic (RFC 7617, any user
name), over TLS or on this machine only. A guard is called before a page and answers None to let
the request through, so that others can protect the same pages in their own way.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from flask import Response, request

log = logging.getLogger("cds_hooks")

SHORTEST_SECRET = 32  # characters; nobody types it, a browser or Prometheus keeps it
Guard = Callable[[], Response | None]

_ASK = {"WWW-Authenticate": 'Basic realm="Vialwise operators", charset="UTF-8"'}
_TEXT = "text/plain; charset=utf-8"
_OF_PROXIES = ("X-Forwarded-Proto", "X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")
_IN_CLEAR = (
    "Use https: the operator's secret must not be sent in clear. Behind a proxy that ends TLS, set "
    "trusted_proxies.\n"
)


def with_secret(secret: bytes) -> Guard:
    """The guard that lets in who knows `secret`."""
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(f"the operator's secret has less than {SHORTEST_SECRET} characters")
    return lambda: _refusal(secret)


def let_in(guard: Guard | None) -> bool:
    """Whether the current request passes `guard`; everyone does where there is none."""
    return guard is None or guard() is None


def _refusal(secret: bytes) -> Response | None:
    if not _is_private():
        return Response(_IN_CLEAR, 403, content_type=_TEXT)
    sent = _sent()
    if hmac.compare_digest(sent, secret):
        return None
    if sent:
        log.warning("security: what was sent is not the operator's secret")
    return Response("The operator's secret is needed.\n", 401, _ASK, content_type=_TEXT)


def _sent() -> bytes:
    """What the caller gives for the secret; empty when it gives nothing."""
    given = request.authorization
    if given is None or len(request.headers.getlist("Authorization")) != 1:
        return b""
    said = given.token if given.type == "bearer" else given.password
    return (said or "").encode()


def _is_private() -> bool:
    """Whether nobody on the way could read the request.

    It came over TLS, to a proxy whose word counts (vialwise/proxies.py), or from this machine. What
    a proxy passed on did not come from here, also where the proxy is on this machine.
    """
    if request.is_secure:
        return True
    passed_on = any(name in request.headers for name in _OF_PROXIES)
    return not passed_on and _is_loopback(request.remote_addr or "")


def _is_loopback(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
