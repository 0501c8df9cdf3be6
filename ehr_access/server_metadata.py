"""What a FHIR server says it offers, its capability statement, and what it says of authorization,
its SMART configuration."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import msgspec

from billing_rules.model.states import Unknown
from ehr_access import limits
from ehr_access import limits as reasons
from ehr_access.base import FhirBase
from ehr_access.limits import Deadline, Limits
from ehr_access.query import Query
from ehr_access.transport import Transport

# ----------------------------------------------------------------------
# What a FHIR server says it offers, read once and remembered.
#
# A type it does not declare is "this EHR does not offer X", never "missing". A statement that
# could not be read refuses nothing: then the queries themselves show what is offered.


_STATEMENT_SECONDS = 20.0
_TRY_AGAIN_AFTER = 60.0
_READ_AGAIN_AFTER = 24 * 3600.0
_MOST_SERVERS = 100  # remembered at once; the one asked first is forgotten first
# Observation searches need a code or a category (Epic answers 59108 otherwise).
_ANY_OBSERVATION = "laboratory,vital-signs"


class _Named(msgspec.Struct):
    code: str = ""
    name: str = ""


class _Resource(msgspec.Struct):
    type: str
    interaction: list[_Named] = []
    searchParam: list[_Named] = []  # noqa: N815 - FHIR's name


class _Rest(msgspec.Struct):
    mode: str = "server"
    resource: list[_Resource] = []


class _Statement(msgspec.Struct):
    resourceType: str  # noqa: N815 - FHIR's name
    fhirVersion: str = ""  # noqa: N815 - FHIR's name
    rest: list[_Rest] = []


_statement = msgspec.json.Decoder(_Statement)


@dataclass(frozen=True, slots=True)
class Capability:
    """The FHIR version, and for each declared type its interactions and search parameters."""

    fhir_version: str
    interactions: dict[str, frozenset[str]]
    search_params: dict[str, frozenset[str]]

    def adapted(self, query: Query) -> Query | Unknown:
        """`query` as this server can answer it, or why it cannot.

        A parameter that only narrows is left out where it is not declared; the patient's never.
        """
        if self.fhir_version and not self.fhir_version.startswith("4."):
            return Unknown(f"this EHR speaks FHIR {self.fhir_version}, and R4 is needed")
        if query.resource_type not in self.interactions:
            return reasons.not_offered(query.resource_type)
        needed = "read" if query.id else "search-type"
        offered = self.interactions[query.resource_type]
        if offered and needed not in offered:
            return Unknown(f"this EHR does not offer to {needed} {query.resource_type}")
        declared = self.search_params[query.resource_type]
        missing = frozenset(n for n in query.names() - declared if not n.startswith("_"))
        if query.id or not declared or not missing:
            return query
        if "patient" in missing:
            return Unknown(f"this EHR cannot search {query.resource_type} by patient")
        return query.without(missing)

    def offers(self, interaction: str, resource_type: str) -> bool:
        """Whether the server declares it ("create", "update"). A type declared without any
        interaction may offer all."""
        declared = self.interactions.get(resource_type)
        return declared is not None and (not declared or interaction in declared)


def read_statement(body: bytes) -> Capability | Unknown:
    """The capability statement in `body`, or that it is not one."""
    try:
        statement = _statement.decode(body)
    except (msgspec.MsgspecError, ValueError):
        return reasons.NOT_FHIR
    if statement.resourceType != "CapabilityStatement":
        return reasons.NOT_FHIR
    resources = [r for rest in statement.rest if rest.mode == "server" for r in rest.resource]
    return Capability(
        statement.fhirVersion,
        {r.type: frozenset(i.code for i in r.interaction) for r in resources},
        {r.type: frozenset(p.name for p in r.searchParam) for r in resources},
    )


def with_required(query: Query) -> Query:
    """An Observation search without code and category, with the categories the rules live on."""
    lacks = not query.names() & {"code", "category", "_id"}
    if query.resource_type == "Observation" and not query.id and lacks:
        return query.plus("category", _ANY_OBSERVATION)
    return query


@dataclass(slots=True)
class _Remembered:
    read: threading.Event = field(default_factory=threading.Event)
    state: Capability | Unknown = reasons.TOO_LATE
    until: float = 0.0
    being_read: bool = False


class Capabilities:
    """The statements of all servers asked so far.

    A statement is read in a thread of its own, once at a time, and may take longer than whoever
    asks can wait: it is then there for the next one.
    """

    def __init__(self, transport: Transport, limits: Limits | None = None) -> None:
        self._transport = transport
        self._limits = limits or Limits()
        self._guard = threading.Lock()
        self._known: dict[FhirBase, _Remembered] = {}

    def of(self, base: FhirBase, deadline: Deadline) -> Capability | Unknown:
        """What the server offers, or why that is not known by the deadline."""
        with self._guard:
            if base not in self._known and len(self._known) >= _MOST_SERVERS:
                del self._known[next(iter(self._known))]
            remembered = self._known.setdefault(base, _Remembered())
            if time.monotonic() >= remembered.until and not remembered.being_read:
                remembered.being_read = True
                remembered.read.clear()
                threading.Thread(target=self._read, args=(base, remembered), daemon=True).start()
        if not remembered.read.wait(deadline.remaining):
            return reasons.TOO_LATE
        return remembered.state

    def _read(self, base: FhirBase, remembered: _Remembered) -> None:
        state: Capability | Unknown = reasons.NOT_FHIR
        try:
            state = self._asked(base)
        finally:
            wait = _READ_AGAIN_AFTER if isinstance(state, Capability) else _TRY_AGAIN_AFTER
            with self._guard:
                remembered.state = state
                remembered.until = time.monotonic() + wait
                remembered.being_read = False
                remembered.read.set()

    def _asked(self, base: FhirBase) -> Capability | Unknown:
        answer = self._transport.get(
            f"{base.url}/metadata",
            token=None,
            deadline=Deadline.after(_STATEMENT_SECONDS),
            most_bytes=self._limits.metadata_bytes,
        )
        if isinstance(answer, Unknown):
            return answer
        if answer.status != 200:
            return reasons.of_status(answer.status, "a capability statement")
        return read_statement(answer.body)


# ----------------------------------------------------------------------
# What a FHIR server says of authorization: its SMART configuration (SMART App Launch 2.2, "Using
# .well-known").


SMART_PATH = "/.well-known/smart-configuration"
SMART_LARGEST = 256 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class SmartConfiguration:
    """The parts that are used, as the document writes them; "" and empty for what is absent, or is
    something else than the specification has there."""

    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    jwks_uri: str
    issuer: str
    capabilities: frozenset[str]
    scopes_supported: tuple[str, ...]
    challenge_methods: tuple[str, ...]
    auth_methods: tuple[str, ...]
    signing_algorithms: tuple[str, ...]
    names_issuer: bool  # RFC 9207: the way back says `iss`

    @property
    def says_who(self) -> bool:
        """Whether this EHR can say who is signed in."""
        return "sso-openid-connect" in self.capabilities or bool(self.issuer and self.jwks_uri)


def parse_smart_configuration(document: bytes) -> SmartConfiguration | None:
    """The configuration in `document`; None where that is not a JSON object."""
    try:
        members = msgspec.json.decode(document)
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict):
        return None

    def text(name: str) -> str:
        value = members.get(name)
        return value if isinstance(value, str) else ""

    def texts(name: str) -> tuple[str, ...]:
        value = members.get(name)
        return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()

    return SmartConfiguration(
        authorization_endpoint=text("authorization_endpoint"),
        token_endpoint=text("token_endpoint"),
        revocation_endpoint=text("revocation_endpoint"),
        jwks_uri=text("jwks_uri"),
        issuer=text("issuer"),
        capabilities=frozenset(texts("capabilities")),
        scopes_supported=texts("scopes_supported"),
        challenge_methods=texts("code_challenge_methods_supported"),
        auth_methods=texts("token_endpoint_auth_methods_supported"),
        signing_algorithms=texts("token_endpoint_auth_signing_alg_values_supported"),
        names_issuer=members.get("authorization_response_iss_parameter_supported") is True,
    )


def read_smart_configuration(
    base: FhirBase, transport: Transport, deadline: Deadline
) -> SmartConfiguration | Unknown:
    """Asked without a token, as everybody may read it."""
    answer = transport.get(
        f"{base.url}{SMART_PATH}", token=None, deadline=deadline, most_bytes=SMART_LARGEST
    )
    if isinstance(answer, Unknown):
        return answer
    if answer.status != 200:
        return limits.of_status(answer.status, "a SMART configuration")
    configuration = parse_smart_configuration(answer.body)
    if configuration is None:
        return Unknown("its SMART configuration could not be read")
    if not configuration.token_endpoint:
        return Unknown("its SMART configuration names no token address")
    return configuration
