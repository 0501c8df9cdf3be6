"""What a FHIR server says of authorization: its SMART configuration (SMART App Launch 2.2,
"Using .well-known")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    """The configuration in `document`; None where that is no JSON object."""
    try:
        said = msgspec.json.decode(document)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    return SmartConfiguration(
        authorization_endpoint=_text(said, "authorization_endpoint"),
        token_endpoint=_text(said, "token_endpoint"),
        revocation_endpoint=_text(said, "revocation_endpoint"),
        jwks_uri=_text(said, "jwks_uri"),
        issuer=_text(said, "issuer"),
        capabilities=frozenset(_texts(said, "capabilities")),
        scopes_supported=_texts(said, "scopes_supported"),
        challenge_methods=_texts(said, "code_challenge_methods_supported"),
        auth_methods=_texts(said, "token_endpoint_auth_methods_supported"),
        signing_algorithms=_texts(said, "token_endpoint_auth_signing_alg_values_supported"),
        names_issuer=said.get("authorization_response_iss_parameter_supported") is True,
    )


def read(base: FhirBase, transport: Transport, deadline: Deadline) -> SmartConfiguration | Unknown:
    """Asked without a token, as everybody may read it."""
    answer = transport.get(f"{base.url}{PATH}", token=None, deadline=deadline, most_bytes=LARGEST)
    if isinstance(answer, Unknown):
        return answer
    if answer.status != 200:
        return limits.of_status(answer.status, "a SMART configuration")
    said = parsed(answer.body)
    if said is None:
        return Unknown("its SMART configuration could not be read")
    if not said.token_endpoint:
        return Unknown("its SMART configuration names no token address")
    return said


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _texts(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = said.get(name)
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()
