"""What a FHIR server says of authorization: its SMART configuration (SMART App Launch 2.2,
"Using .well-known")."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from billing_rules.model.states import Unknown
from ehr_access import limits
from ehr_access.base import FhirBase
from ehr_access.limits import Deadline
from ehr_access.transport import Transport

PATH = "/.well-known/smart-configuration"
LARGEST = 256 * 1024  # bytes


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


def parsed(document: bytes) -> SmartConfiguration | None:
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


def read(base: FhirBase, transport: Transport, deadline: Deadline) -> SmartConfiguration | Unknown:
    """Asked without a token, as everybody may read it."""
    answer = transport.get(f"{base.url}{PATH}", token=None, deadline=deadline, most_bytes=LARGEST)
    if isinstance(answer, Unknown):
        return answer
    if answer.status != 200:
        return limits.of_status(answer.status, "a SMART configuration")
    configuration = parsed(answer.body)
    if configuration is None:
        return Unknown("its SMART configuration could not be read")
    if not configuration.token_endpoint:
        return Unknown("its SMART configuration names no token address")
    return configuration
