"""The proxies in front: who called and whether over TLS, as they say it, and nobody else.

`X-Forwarded-For` and `X-Forwarded-Proto` can be sent by anyone, so only as many of their entries
are believed as there are proxies of the site's own, counted from the end (werkzeug's ProxyFix).
Which host was called is never asked: it is public_url.
"""

from __future__ import annotations

from typing import Any

from werkzeug.middleware.proxy_fix import ProxyFix


def behind(application: Any, proxies: int) -> Any:
    """`application` as it is called through that many proxies; 0 believes nobody."""
    if not proxies:
        return application
    return ProxyFix(application, x_for=proxies, x_proto=proxies, x_host=0)
