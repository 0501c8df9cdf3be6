"""One request: bounded in time and size, never redirected, retried once when the server is busy.

A busy server (429, 503) has done nothing, so a write may be sent again then, and only then. A read
is asked once more when its connection ended without an answer: servers close idle connections, and
may do so while the next request is on its way.

The addresses asked for hold patient ids, so no exception of requests or urllib3 leaves this
module and what those libraries would log about addresses is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import Retry
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError

from billing_rules.model.states import Unknown
from ehr_access import limits
from ehr_access.limits import Deadline

_CONNECT_SECONDS = 3.0
_CHUNK = 65_536
_deadline: ContextVar[Deadline] = ContextVar("deadline")


for _name in ("connection", "connectionpool", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").addFilter(lambda record: False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status and body of an HTTP answer, whatever its status; header names in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class _WaitTooLong(Exception):
    """The server asks for a longer wait than there is time."""


class _OnceMore(Retry):
    """One more try after 429 or 503, as long as Retry-After says, or of a read whose connection
    was closed, if the deadline allows."""

    RETRY_AFTER_STATUS_CODES = frozenset({429, 503})

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> _OnceMore:
        closed = method == "GET" and isinstance(error, ProtocolError)
        counted = self if closed or error is None else self.new(read=0)
        return super(_OnceMore, counted).increment(method, url, response, error, _pool, _stacktrace)

    def sleep(self, response: Any = None) -> None:
        asked = self.get_retry_after(response) if response else None
        if (asked or self.get_backoff_time()) >= _deadline.get().remaining:
            raise _WaitTooLong
        super().sleep(response)


_ONCE_MORE = _OnceMore(
    total=1,
    connect=0,
    read=1,
    redirect=0,
    other=0,
    status=1,
    status_forcelist=(429, 503),
    allowed_methods=("GET", "POST", "PUT"),
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
        adapter = HTTPAdapter(pool_maxsize=connections, max_retries=_ONCE_MORE)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def get(
        self, url: str, *, token: str | None, deadline: Deadline, most_bytes: int
    ) -> HttpAnswer | Unknown:
        """The answer, or why there is none. Never raises for anything a server does."""
        return self.send(
            "GET", url, None, {}, token=token, deadline=deadline, most_bytes=most_bytes
        )

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        token: str | None,
        deadline: Deadline,
        most_bytes: int,
    ) -> HttpAnswer | Unknown:
        """The answer to a write, or why there is none: NOT_REACHED or BUSY only where the server
        did nothing, any other reason where it may have written. Never raises."""
        writes = method != "GET"
        if deadline.passed:
            return limits.NOT_REACHED if writes else limits.TOO_LATE
        before = _deadline.set(deadline)
        left = deadline.remaining
        try:
            with self._session.request(
                method,
                url,
                data=body,
                auth=_Bearer(token),
                headers={**_HEADERS, **headers},
                timeout=(min(left, _CONNECT_SECONDS), left),
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = read_body(response, deadline, most_bytes)
            if isinstance(answer, Unknown):
                return answer
            named = {name.lower(): value for name, value in response.headers.items()}
            return HttpAnswer(response.status_code, answer, named)
        except HTTPError as error:  # while the body was read
            return limits.TOO_LATE if _timed_out(error) else limits.BROKEN
        except (requests.Timeout, TimeoutError):
            return limits.TOO_LATE
        except _WaitTooLong:
            return limits.BUSY
        except (requests.ConnectionError, OSError) as error:
            if _timed_out(error):
                return limits.TOO_LATE
            connected = not any(isinstance(e, NewConnectionError) for e in _led_to(error))
            return limits.BROKEN if writes and connected else limits.NOT_REACHED
        except (requests.RequestException, ValueError):
            return limits.BROKEN
        finally:
            _deadline.reset(before)

    def close(self) -> None:
        self._session.close()


_HEADERS: Mapping[str, str] = {
    "Accept": "application/fhir+json, application/json;q=0.9",
    "User-Agent": "vialwise",
}


def read_body(response: requests.Response, deadline: Deadline, most_bytes: int) -> bytes | Unknown:
    """The body of a streamed answer, or that it is too large or late. It is read as it comes, so
    that a dripping server is seen between two drops. Raises urllib3's HTTPError."""
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > most_bytes:
            return limits.TOO_LARGE
        if deadline.passed:
            return limits.TOO_LATE
    return bytes(body)


def _timed_out(error: BaseException) -> bool:
    """Whether a timeout stands anywhere in what led to `error`."""
    return any(isinstance(e, TimeoutError) or "Timeout" in type(e).__name__ for e in _led_to(error))


def _led_to(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it was raised for, inside out."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        inner = next((a for a in seen.args if isinstance(a, BaseException)), None)
        inner = inner or getattr(seen, "reason", None)
        cause = inner if isinstance(inner, BaseException) else None
        seen = cause or seen.__cause__ or seen.__context__
