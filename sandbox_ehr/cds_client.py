"""This EHR as a CDS Hooks client: discovery, calls with a signed token, feedback, and what a
service answered, read strictly (CDS Hooks 2.0.1, "CDS Service Response").

A service that is slow, away or wrong costs the user nothing but its cards: every failure becomes
a sentence on the call, and nothing is raised."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec
import requests
from joserfc import jwt
from joserfc.jwk import ECKey
from msgspec import Meta, Struct

from sandbox_ehr.fhir import interactions
from sandbox_ehr.fhir.access import Access
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.requests import FhirRequest, FhirServer
from sandbox_ehr.smart.tokens import SERVICE_SECONDS, IssuedTokens

# ----------------------------------------------------------------------
# What a CDS service answered, read strictly (CDS Hooks 2.0.1, "CDS Service Response").
#
# An EHR shows what it can stand for: a card that breaks the specification is not shown as advice,
# but named with what is wrong, and the other cards stand.


Text = Annotated[str, Meta(min_length=1, pattern=r"\S")]
Summary = Annotated[str, Meta(min_length=1, max_length=139, pattern=r"\S")]
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class CardCoding(Struct, frozen=True):
    code: Text
    system: str = ""
    display: str = ""


class CardSource(Struct, frozen=True):
    label: Text
    url: str = ""
    icon: str = ""
    topic: CardCoding | None = None


class Action(Struct, frozen=True, rename="camel"):
    type: Literal["create", "update", "delete"]
    description: Text
    resource: dict[str, Any] | None = None
    resource_id: str = ""


class Suggestion(Struct, frozen=True, rename="camel"):
    label: Text
    uuid: str = ""
    is_recommended: bool = False
    actions: tuple[Action, ...] | None = None


class OfferedLink(Struct, frozen=True, rename="camel"):
    label: Text
    url: Text
    type: Literal["absolute", "smart"]
    app_context: str = ""


class Card(Struct, frozen=True, rename="camel"):
    summary: Summary
    indicator: Literal["info", "warning", "critical"]
    source: CardSource
    uuid: str = ""
    detail: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    selection_behavior: Literal["at-most-one", "any", ""] = ""
    override_reasons: tuple[CardCoding, ...] = ()
    links: tuple[OfferedLink, ...] = ()

    def suggestion(self, uuid: str) -> Suggestion | None:
        return next((s for s in self.suggestions if s.uuid and s.uuid == uuid), None)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A card that breaks the specification: where it stands in the answer, and what is wrong."""

    place: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CdsResponse:
    """The cards of an answer, those that are none, and what is wrong with the whole of it."""

    cards: tuple[Card, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    problem: str = ""
    system_actions: int = 0


def read_response(body: bytes) -> CdsResponse:
    """The answer in `body`; whatever it holds, this raises nothing."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return CdsResponse(problem="The answer is not JSON.")
    if not isinstance(said, dict) or not isinstance(said.get("cards"), list):
        return CdsResponse(problem="The answer has no list of cards.")
    read_cards = [_card(card, place) for place, card in enumerate(said["cards"], 1)]
    actions = said.get("systemActions")
    return CdsResponse(
        cards=tuple(c for c in read_cards if isinstance(c, Card)),
        malformed=tuple(c for c in read_cards if isinstance(c, Malformed)),
        system_actions=len(actions) if isinstance(actions, list) else 0,
    )


def _card(body: Any, place: int) -> Card | Malformed:
    try:
        card = msgspec.convert(body, Card, strict=True)
        faults = tuple(_faults(card))
    except (msgspec.ValidationError, RecursionError) as error:
        # msgspec's sentence, with the path as the specification names it.
        what, _, path = str(error).partition(" - at `$")
        words = f"{path.rstrip('`').lstrip('.') or 'the card'}: {what.replace('`', '')}"
        return Malformed(place, (words,))
    return Malformed(place, faults) if faults else card


def _faults(card: Card) -> Iterator[str]:
    """What the types cannot say (CDS Hooks 2.0.1, "Card Attributes", "Suggestion", "Action")."""
    if card.suggestions and not card.selection_behavior:
        yield "selectionBehavior: it is required where there are suggestions"
    recommended = sum(s.is_recommended for s in card.suggestions)
    if card.selection_behavior == "at-most-one" and recommended > 1:
        yield "suggestions: at most one may be recommended"
    for suggestion in card.suggestions:
        if suggestion.actions == ():
            yield "suggestions: actions is empty"
        for action in suggestion.actions or ():
            yield from _action_faults(action)
    for reason in card.override_reasons:
        if not reason.display or not reason.system:
            yield "overrideReasons: a reason needs code, system and display"
    yield from _address_faults(card)


def _action_faults(action: Action) -> Iterator[str]:
    if action.type == "delete":
        if "/" not in action.resource_id:
            yield "actions: a delete needs resourceId, as Type/id"
    elif not action.resource or not isinstance(action.resource.get("resourceType"), str):
        yield f"actions: {action.type} needs a resource"
    elif action.type == "update" and not action.resource.get("id"):
        yield "actions: update needs the id of the resource"


def _address_faults(card: Card) -> Iterator[str]:
    for link in card.links:
        if not is_web_address(link.url):
            yield "links: url is no web address"
        if link.app_context and link.type != "smart":
            yield "links: appContext goes with smart links only"
    for address in (card.source.url, card.source.icon):
        if address and not is_web_address(address):
            yield "source: no web address"


def is_web_address(url: str) -> bool:
    """Whether a user may be sent there: https, or this machine itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.username or any(c <= " " for c in url):
        return False
    return (parts.scheme == "https" and bool(parts.hostname)) or (
        parts.scheme == "http" and parts.hostname in LOOPBACK
    )


# ----------------------------------------------------------------------
# This EHR as a CDS Hooks client: discovery, calls with a signed token, feedback.
#
# A service that is slow, away or wrong costs the user nothing but its cards: every failure
# becomes a sentence on the call, and nothing is raised.


# ---------------------------------------------------------------- the key that signs calls

ALGORITHM = "ES384"
LIFE = 300  # seconds; "no more than five minutes in the future"


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key of this process. `issuer` and `jku` are what the service has registered."""

    key: ECKey
    issuer: str
    jku: str

    def token(self, url: str) -> str:
        """A token for one call of `url`."""
        now = int(time.time())
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self.key.kid, "jku": self.jku}
        claims = {"iss": self.issuer, "aud": url, "exp": now + LIFE, "iat": now}
        claims["jti"] = str(uuid.uuid4())
        return jwt.encode(header, claims, self.key, algorithms=[ALGORITHM])

    def jwks(self) -> dict[str, Any]:
        """The public half, as a service fetches it."""
        public = self.key.as_dict(private=False)
        return {"keys": [{**public, "use": "sig", "alg": ALGORITHM}]}


def new_key(issuer: str, jku: str) -> SigningKey:
    """A fresh key: what it signed is worth nothing once the process has ended."""
    kid = f"cds-client-{uuid.uuid4()}"
    return SigningKey(ECKey.generate_key("P-384", {"kid": kid}), issuer, jku)


# ---------------------------------------------------------------- prefetch templates

Resource = dict[str, Any]
# A relative FHIR query ("Patient/1", "Coverage?patient=1") -> what it found; None for nothing.
# Raises LookupError for what this EHR does not answer: the key is then left out.
LookUp = Callable[[str], Resource | None]

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_USERS = {
    "userPractitionerId": "Practitioner",
    "userPractitionerRoleId": "PractitionerRole",
    "userPatientId": "Patient",
    "userRelatedPersonId": "RelatedPerson",
}


def filled(
    templates: Mapping[str, str], context: Mapping[str, Any], look_up: LookUp
) -> dict[str, Resource | None]:
    """The prefetch of one request: `null` where the EHR looked and found nothing."""
    found: dict[str, Resource | None] = {}
    for key, template in templates.items():
        query = with_tokens(template, context)
        if query is not None:
            with suppress(LookupError):
                found[key] = look_up(query)
    return found


def with_tokens(template: str, context: Mapping[str, Any]) -> str | None:
    """The query, or None when it names something that a 2.0 client cannot fill."""
    # Tokens are the context's own texts and the user's id by type, and nothing else.
    values = {f"context.{name}": text for name, text in context.items() if isinstance(text, str)}
    kind, _, id_ = str(context.get("userId", "")).partition("/")
    values |= {token: id_ for token, type_ in _USERS.items() if type_ == kind}
    if not all(values.get(token) for token in _PLACEHOLDER.findall(template)):
        return None
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def from_chart(served: FhirServer) -> LookUp:
    """Queries answered as this EHR's own FHIR server answers them, quirks included."""

    def look_up(query: str) -> Resource | None:
        path, _, params = query.partition("?")
        asked = tuple(parse_qsl(params, keep_blank_values=True))
        call = FhirRequest("GET", tuple(path.split("/")), Access(everything=True), asked)
        try:
            found = interactions.answer(served, call).resource
        except FhirError as error:
            if error.status in (404, 410) and "?" not in query:
                return None
            raise LookupError(query) from None
        empty = found is not None and "?" in query and not found.get("entry")
        return None if empty and served.quirks.null_prefetch else found

    return look_up


# ---------------------------------------------------------------- calls

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
Authorize = Callable[[OfferedService, Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, repr=False)
class HookCall:
    """One call and all that the developer panel shows of it."""

    service: OfferedService
    hook: str
    url: str
    request: Mapping[str, Any]
    status: int = 0  # 0: no answer came
    response: str = ""
    answer: CdsResponse = field(default_factory=CdsResponse)
    milliseconds: int = 0
    trace: Any = None

    @property
    def shown_request(self) -> str:
        """The request as JSON, without its access token."""
        request = {**self.request}
        if "fhirAuthorization" in request:
            request["fhirAuthorization"] = {**request["fhirAuthorization"], "access_token": MASK}
        return _pretty(_json.encode(request))

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
    authorize: Authorize
    trace: bool = False
    seconds: float = _SECONDS
    _known: list[tuple[float, tuple[OfferedService, ...]]] = field(default_factory=list)

    def services(self) -> tuple[OfferedService, ...]:
        """What the server offers; empty when it cannot be asked. Read again every five minutes."""
        if self._known and time.monotonic() - self._known[-1][0] < _DISCOVERY_LIFE:
            return self._known[-1][1]
        url = f"{self.base}/cds-services"
        status, body, _ = self._exchange("GET", url)
        offered = tuple(_offered(body)) if status == 200 else ()
        if offered:
            self._known[:] = [(time.monotonic(), offered)]
        return offered

    def fire(self, hook: str, context: Mapping[str, Any]) -> tuple[HookCall, ...]:
        """One call to each service that answers `hook`."""
        return tuple(self._call(s, context) for s in self.services() if s.hook == hook)

    def feedback(self, service_url: str, entries: Iterable[Mapping[str, Any]]) -> str:
        """Tell the service what became of its cards. Returns what went wrong, "" for nothing."""
        body = {"feedback": list(entries)}
        status, _, _ = self._exchange("POST", f"{service_url}/feedback", body)
        return "" if 200 <= status < 300 else f"Feedback was not taken. {_why(status)}"

    def _call(self, service: OfferedService, context: Mapping[str, Any]) -> HookCall:
        url = f"{self.base}/cds-services/{service.id}"
        request: dict[str, Any] = {"hook": service.hook, "hookInstance": str(uuid.uuid4())}
        if self.fhir_server:  # where the service may read more
            request["fhirServer"] = self.fhir_server
            request["fhirAuthorization"] = self.authorize(service, context)
        request["context"] = context
        request["prefetch"] = filled(service.prefetch, context, self.look_up)
        status, body, milliseconds = self._exchange("POST", url, request)
        trace = None
        if self.trace and status == 200:
            trace_status, trace_body, _ = self._exchange("POST", f"{url}/trace", request)
            trace = _json_of(trace_body) if trace_status == 200 else None
        return HookCall(
            service=service,
            hook=service.hook,
            url=url,
            request=request,
            status=status,
            response=body.decode("utf-8", "replace"),
            answer=read_response(body) if status == 200 else CdsResponse(problem=_why(status)),
            milliseconds=milliseconds,
            trace=trace,
        )

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
    why: dict[str, Any] = {"reason": dict(reason)} if reason else {}
    why |= {"userComment": comment} if comment else {}
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
    how = f"answered with HTTP {status}" if status else "did not answer in time"
    return f"The service {how}."


def _json_of(body: bytes) -> Any:
    """The JSON in `body`; None where it holds none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _offered(body: bytes) -> Iterator[OfferedService]:
    """The services of a discovery document; an entry that is not one is passed over."""
    document = _json_of(body)
    entries = document.get("services") if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        hook, id_ = (entry.get("hook"), entry.get("id")) if isinstance(entry, dict) else ("", "")
        if isinstance(hook, str) and isinstance(id_, str) and hook and id_:
            prefetch = entry.get("prefetch")
            templates = prefetch if isinstance(prefetch, dict) else {}
            texts = {k: v for k, v in templates.items() if isinstance(v, str)}
            yield OfferedService(hook, id_, str(entry.get("title") or id_), texts)


# ---------------------------------------------------------------- the access token for one call

_RESOURCE_TYPE = re.compile(r"[A-Z][A-Za-z]+")


def authorizing(tokens: IssuedTokens, client_id: str) -> Authorize:
    """Tokens for the service that is known here as `client_id`."""

    def authorize(service: OfferedService, context: Mapping[str, Any]) -> dict[str, Any]:
        scope, patient = scopes(service), str(context["patientId"])
        token = tokens.issue(
            client_id,
            scope,
            patient=patient,
            user=str(context.get("userId", "")),
            encounter=str(context.get("encounterId", "")),
        )
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": SERVICE_SECONDS,
            "scope": scope,
            "subject": client_id,
            "patient": patient,
        }

    return authorize


def scopes(service: OfferedService) -> str:
    """Read and search of the types its templates name, and the drugs that these refer to."""
    types = {found[0] for t in service.prefetch.values() if (found := _RESOURCE_TYPE.match(t))}
    return " ".join(f"patient/{kind}.rs" for kind in sorted(types | {"Medication"}))
