"""One GET: bounded in time and size, never redirected, retried once when the server is busy.

The addresses asked for hold patient ids, so no exception of requests or urllib3 leaves this
module and what those libraries would log about addresses is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from billing_rules.states import Unknown
from ehr_access import reasons
from ehr_access.limits import Deadline

_CONNECT_SECONDS = 3.0
_CHUNK = 65_536
_deadline: ContextVar[Deadline] = ContextVar("deadline")


def _never(record: logging.LogRecord) -> bool:
    return False


for _name in ("connection", "connectionpool", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(_never)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an HTTP answer, whatever its status."""

    status: int
    body: bytes


class _WaitTooLong(Exception):
    """The server asks for a longer wait than there is time."""


class _BusyRetry(Retry):
    """One more try after 429 or 503, as long as Retry-After says, if the deadline allows."""

    RETRY_AFTER_STATUS_CODES = frozenset({429, 503})

    def sleep(self, response: Any = None) -> None:
        asked = self.get_retry_after(response) if response else None
        if (asked or self.get_backoff_time()) >= _deadline.get().remaining:
            raise _WaitTooLong
        super().sleep(response)


_ONCE_WHEN_BUSY = _BusyRetry(
    total=1,
    connect=0,
    read=0,
    redirect=0,
    other=0,
    status=1,
    status_forcelist=(429, 503),
    allowed_methods=("GET",),
    backoff_factor=0.2,
    raise_on_status=False,
)


class _Bearer(AuthBase):
    """Sets the token, or nothing. Being there, it also keeps requests from reading ~/.netrc."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Transport:
    """A pool of connections, shared by any number of clients and threads. Keeps no cookies."""

    def __init__(self, connections: int = 16, verify: bool | str = True) -> None:
        self._session = requests.Session()
        self._session.verify = verify
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_maxsize=connections, max_retries=_ONCE_WHEN_BUSY)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def get(
        self, url: str, *, token: str | None, deadline: Deadline, most_bytes: int
    ) -> Answer | Unknown:
        """The answer, or why there is none. Never raises for anything a server does."""
        if deadline.passed:
            return reasons.TOO_LATE
        before = _deadline.set(deadline)
        try:
            return self._got(url, token, deadline, most_bytes)
        except (requests.Timeout, TimeoutError):
            return reasons.TOO_LATE
        except _WaitTooLong:
            return reasons.BUSY
        except (requests.ConnectionError, OSError) as error:
            return reasons.TOO_LATE if _timed_out(error) else reasons.NOT_REACHED
        except (requests.RequestException, HTTPError, ValueError):
            return reasons.BROKEN
        finally:
            _deadline.reset(before)

    def _got(
        self, url: str, token: str | None, deadline: Deadline, most_bytes: int
    ) -> Answer | Unknown:
        left = deadline.remaining
        with self._session.get(
            url,
            auth=_Bearer(token),
            headers=_HEADERS,
            timeout=(min(left, _CONNECT_SECONDS), left),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = _read(response, deadline, most_bytes)
        return body if isinstance(body, Unknown) else Answer(response.status_code, body)

    def close(self) -> None:
        self._session.close()


_HEADERS: Mapping[str, str] = {
    "Accept": "application/fhir+json, application/json;q=0.9",
    "User-Agent": "vialwise",
}


def _read(response: requests.Response, deadline: Deadline, most_bytes: int) -> bytes | Unknown:
    """The body, read as it comes, so that a dripping server is seen between two drops."""
    chunks: list[bytes] = []
    size = 0
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            size += len(chunk)
            if size > most_bytes:
                return reasons.TOO_LARGE
            if deadline.passed:
                return reasons.TOO_LATE
            chunks.append(chunk)
    except HTTPError as error:
        return reasons.TOO_LATE if _timed_out(error) else reasons.BROKEN
    return b"".join(chunks)


def _timed_out(error: BaseException) -> bool:
    """Whether a timeout stands anywhere in what led to `error`."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, TimeoutError) or "Timeout" in type(seen).__name__:
            return True
        inner = next((a for a in seen.args if isinstance(a, BaseException)), None)
        seen = inner or seen.__cause__ or seen.__context__
    return False
