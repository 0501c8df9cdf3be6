"""Requests to an authorization server, bounded in time and size, never redirected.

Authlib sends through a requests session; this adapter is mounted on it, so that a server that drips
or floods is left as one of its FHIR side would be (ehr_access/transport.py).
"""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from ehr_access.limits import Deadline

_CONNECT_SECONDS = 3.0
_MOST_BYTES = 256 * 1024
_CHUNK = 65_536


class TooMuch(requests.RequestException):
    """The answer is larger, or takes longer, than any that is meant."""


class Bounded(HTTPAdapter):
    """`seconds` is for each request as a whole."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__(max_retries=0)

    def send(self, request: requests.PreparedRequest, **given: Any) -> requests.Response:  # type: ignore[override]
        deadline = Deadline.after(self._seconds)
        given |= {"stream": True, "timeout": (_CONNECT_SECONDS, self._seconds)}
        response = super().send(request, **given)
        with response:
            # requests reads what is there already and does not ask the server again.
            response._content = _read(response, deadline)
            response._content_consumed = True  # type: ignore[attr-defined]
        return response


def _read(response: requests.Response, deadline: Deadline) -> bytes:
    chunks: list[bytes] = []
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            if deadline.passed or sum(map(len, chunks)) > _MOST_BYTES:
                raise TooMuch
    except HTTPError:
        raise TooMuch from None
    return b"".join(chunks)
