"""This EHR as a CDS Hooks client: discovery, calls with a signed token, feedback.

A service that is slow, away or wrong costs the user nothing but its cards: every failure becomes a
sentence on the call, and nothing is raised.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import requests

from sandbox_ehr import cds_answers
from sandbox_ehr.cds_answers import Answer
from sandbox_ehr.cds_keys import SigningKey
from sandbox_ehr.cds_prefetch import LookUp, filled

_SECONDS = 8.0  # a user waits no longer (CDS Hooks 2.0.1 wants 500 ms; CRD allows 5 s)
_MOST_BYTES = 4 * 1024 * 1024
_DISCOVERY_LIFE = 300.0  # seconds
MASK = "(not shown)"
_json = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class OfferedService:
    """One entry of a service's discovery."""

    hook: str
    id: str
    title: str
    prefetch: Mapping[str, str]


# The "fhirAuthorization" of a call of that service in that context.
Lend = Callable[[OfferedService, Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """One call and all that the developer panel shows of it."""

    service: OfferedService
    hook: str
    url: str
    request: Mapping[str, Any]
    status: int = 0  # 0: no answer came
    response: str = ""
    answer: Answer = field(default_factory=Answer)
    milliseconds: int = 0
    trace: Any = None

    @property
    def shown_request(self) -> str:
        """The request as JSON, without the access token that it lends."""
        said = {**self.request}
        if "fhirAuthorization" in said:
            said["fhirAuthorization"] = {**said["fhirAuthorization"], "access_token": MASK}
        return _pretty(_json.encode(said))

    @property
    def shown_response(self) -> str:
        """The response, pretty-printed where it is JSON."""
        try:
            return _pretty(self.response.encode())
        except (msgspec.DecodeError, RecursionError):
            return self.response


@dataclass(frozen=True, slots=True, repr=False)
class CdsClient:
    """The client of one CDS server at `base`.

    `trace`: whether that server, for development, also tells what each of its rules saw.
    """

    base: str
    fhir_server: str
    key: SigningKey
    look_up: LookUp
    lend: Lend
    trace: bool = False
    seconds: float = _SECONDS
    _known: list[tuple[float, tuple[OfferedService, ...]]] = field(default_factory=list)

    def services(self) -> tuple[OfferedService, ...]:
        """What the server offers; empty when it cannot be asked. Read again every five minutes."""
        if self._known and time.monotonic() - self._known[-1][0] < _DISCOVERY_LIFE:
            return self._known[-1][1]
        url = f"{self.base}/cds-services"
        status, body, _ = self._exchange("GET", url)
        offered = _offered(body) if status == 200 else ()
        if offered:
            self._known[:] = [(time.monotonic(), offered)]
        return offered

    def fire(self, hook: str, context: Mapping[str, Any]) -> tuple[Call, ...]:
        """One call to each service that answers `hook`."""
        return tuple(
            self._call(service, context) for service in self.services() if service.hook == hook
        )

    def feedback(self, service_url: str, entries: Iterable[Mapping[str, Any]]) -> str:
        """Tell the service what became of its cards. Returns what went wrong, "" for nothing."""
        status, _, _ = self._exchange(
            "POST", f"{service_url}/feedback", {"feedback": list(entries)}
        )
        return "" if 200 <= status < 300 else f"Feedback was not taken. {_why(status)}"

    def _call(self, service: OfferedService, context: Mapping[str, Any]) -> Call:
        url = f"{self.base}/cds-services/{service.id}"
        request = self._request(service, context)
        status, body, milliseconds = self._exchange("POST", url, request)
        answer = cds_answers.read(body) if status == 200 else Answer(problem=_why(status))
        return Call(
            service=service,
            hook=service.hook,
            url=url,
            request=request,
            status=status,
            response=body.decode("utf-8", "replace"),
            answer=answer,
            milliseconds=milliseconds,
            trace=self._trace(url, request) if self.trace and status == 200 else None,
        )

    def _request(self, service: OfferedService, context: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "hook": service.hook,
            "hookInstance": str(uuid.uuid4()),
            **self._own_server(service, context),
            "context": context,
            "prefetch": filled(service.prefetch, context, self.look_up),
        }

    def _own_server(self, service: OfferedService, context: Mapping[str, Any]) -> dict[str, Any]:
        """Where the service may read more; nowhere when `fhir_server` is empty."""
        if not self.fhir_server:
            return {}
        token = self.lend(service, context)
        return {"fhirServer": self.fhir_server, "fhirAuthorization": token}

    def _trace(self, url: str, request: Mapping[str, Any]) -> Any:
        status, body, _ = self._exchange("POST", f"{url}/trace", request)
        try:
            return json.loads(body) if status == 200 else None
        except (ValueError, RecursionError):
            return None

    def _exchange(self, method: str, url: str, body: Any = None) -> tuple[int, bytes, int]:
        """Status, body and milliseconds; status 0 when no answer came that could be used."""
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if method == "POST":
            headers["Authorization"] = f"Bearer {self.key.token(url)}"
        begun = time.monotonic()
        try:
            with requests.Session() as session:
                session.trust_env = False  # neither a proxy nor ~/.netrc has a say in this
                with session.request(
                    method,
                    url,
                    data=None if body is None else _json.encode(body),
                    headers=headers,
                    timeout=(2.0, self.seconds),
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    text = _bounded(response, begun + self.seconds)
                    return response.status_code, text, _since(begun)
        except (requests.RequestException, _TooMuch):
            return 0, b"", _since(begun)


def accepted(card_uuid: str, suggestion_uuids: Iterable[str]) -> dict[str, Any]:
    """Feedback: suggestions of the card were taken."""
    taken = [{"id": uuid_} for uuid_ in suggestion_uuids]
    return {**_feedback(card_uuid, "accepted"), "acceptedSuggestions": taken}


def overridden(card_uuid: str, reason: Mapping[str, str] | None, comment: str) -> dict[str, Any]:
    """Feedback: the card was set aside, with a reason and a comment where they were given."""
    why: dict[str, Any] = {}
    if reason:
        why["reason"] = dict(reason)
    if comment:
        why["userComment"] = comment
    entry = _feedback(card_uuid, "overridden")
    return {**entry, "overrideReason": why} if why else entry


def _feedback(card_uuid: str, outcome: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"card": card_uuid, "outcome": outcome, "outcomeTimestamp": now}


class _TooMuch(Exception):
    """The answer is longer, or takes longer, than anybody would wait for."""


def _bounded(response: requests.Response, until: float) -> bytes:
    parts, length = [], 0
    for part in response.iter_content(64 * 1024):
        parts.append(part)
        length += len(part)
        if length > _MOST_BYTES or time.monotonic() > until:
            raise _TooMuch
    return b"".join(parts)


def _pretty(body: bytes) -> str:
    return msgspec.json.format(body, indent=2).decode()


def _since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)


def _why(status: int) -> str:
    if status == 0:
        return "The service did not answer in time."
    return f"The service answered with HTTP {status}."


def _offered(body: bytes) -> tuple[OfferedService, ...]:
    """The services of a discovery document; an entry that is none is passed over."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ()
    entries = said.get("services") if isinstance(said, dict) else None
    listed = entries if isinstance(entries, list) else []
    found = (_service(entry) for entry in listed if isinstance(entry, dict))
    return tuple(service for service in found if service)


def _service(entry: Mapping[str, Any]) -> OfferedService | None:
    hook, id_ = entry.get("hook"), entry.get("id")
    if not (isinstance(hook, str) and isinstance(id_, str) and hook and id_):
        return None
    prefetch = entry.get("prefetch")
    templates = prefetch if isinstance(prefetch, dict) else {}
    return OfferedService(
        hook=hook,
        id=id_,
        title=str(entry.get("title") or id_),
        prefetch={k: v for k, v in templates.items() if isinstance(v, str)},
    )
