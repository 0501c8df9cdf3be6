"""The cookies: one for each launch under way and one for each window, so that two never mix.

Behind TLS they are `__Host-` cookies that an EHR's frame may use (SameSite=None) and that belong to
that EHR's pages alone (Partitioned, "Cookies Having Independent Partitioned State"): no third-party
cookie is needed. On a developer's machine, without TLS, they are plain ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from flask import Request, Response

_PREFIX = "vialwise-"
ID = re.compile(r"[0-9a-f]{16,32}")
KIND_LAUNCH, KIND_WINDOW = "launch", "window"
MOST_WINDOWS = 20  # open in one browser; headers have a limit
MOST_LAUNCHES = 10  # under way in one browser


def read(request: Request, kind: str, id_: str, secure: bool) -> str:
    """The secret that this browser holds for that launch or window; "" when it holds none."""
    return request.cookies.get(_name(kind, id_, secure), "")


def put(
    response: Response, kind: str, id_: str, secret: str, life: timedelta, secure: bool
) -> None:
    response.set_cookie(
        _name(kind, id_, secure),
        secret,
        max_age=int(life.total_seconds()),
        path="/",
        httponly=True,
        secure=secure,
        samesite="None" if secure else "Lax",
        partitioned=secure,
    )


def remove(response: Response, kind: str, id_: str, secure: bool) -> None:
    put(response, kind, id_, "", timedelta(0), secure)


def ids(request: Request, kind: str, secure: bool) -> Iterator[str]:
    """The ids of the launches or windows this browser holds a cookie for, the oldest first
    (RFC 6265, 5.4: browsers send earlier cookies before later ones)."""
    start = _name(kind, "", secure)
    for name in request.cookies:
        id_ = name.removeprefix(start)
        if name.startswith(start) and ID.fullmatch(id_):
            yield id_


def _name(kind: str, id_: str, secure: bool) -> str:
    return f"{'__Host-' if secure else ''}{_PREFIX}{kind}-{id_}"
