"""What a FHIR server says of authorization: its SMART configuration (SMART App Launch 2.2,
"Using .well-known")."""

from __future__ import annotations

import msgspec

from billing_rules.states import Unknown
from ehr_access import reasons
from ehr_access.base import FhirBase
from ehr_access.limits import Deadline
from ehr_access.transport import Transport

_LARGEST = 1_000_000  # bytes


class SmartConfiguration(msgspec.Struct, frozen=True):
    """The members that decide which clients can sign in; absent ones are empty."""

    authorization_endpoint: str = ""
    token_endpoint: str = ""
    capabilities: tuple[str, ...] = ()
    code_challenge_methods_supported: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(SmartConfiguration)


def read(
    base: FhirBase, transport: Transport, deadline: Deadline
) -> SmartConfiguration | Unknown:
    """Asked without a token, as everybody may read it."""
    answer = transport.get(
        f"{base.url}/.well-known/smart-configuration",
        token=None,
        deadline=deadline,
        most_bytes=_LARGEST,
    )
    if isinstance(answer, Unknown):
        return answer
    if answer.status != 200:
        return reasons.of_status(answer.status, "a SMART configuration")
    try:
        said = _decoder.decode(answer.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return Unknown("its SMART configuration could not be read")
    if not said.token_endpoint:
        return Unknown("its SMART configuration names no token address")
    return said
