"""What SMART adds to the FHIR server: discovery, the tokens of calls, launches on request."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sandbox_ehr.fhir.access import Access, parse_all
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.moods import Mood
from sandbox_ehr.settings import ALL_SCOPES, SYSTEM_SCOPES, Settings
from sandbox_ehr.smart import people
from sandbox_ehr.smart.authorization import METHODS
from sandbox_ehr.smart.clients import ALGORITHMS
from sandbox_ehr.state import running

# ---------------------------------------------------------------- the token of a call (RFC 6750)

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE | re.ASCII)


def access_of(authorization: str | None) -> Access:
    """What the `Authorization` header allows. Raises FhirError (401)."""
    ehr = running()
    if authorization is None:
        if ehr.settings.open:
            return Access(everything=True)
        raise FhirError(401, "this server wants an access token: Authorization: Bearer ...")
    match = _BEARER.fullmatch(authorization)
    if match is None:
        raise FhirError(401, "the Authorization header has no bearer token")
    granted = ehr.tokens.access(match[1])
    moods = ehr.settings.moods | (granted.moods if granted else frozenset())
    if granted is None or Mood.REQUEST_INVALID_TOKEN in moods:
        raise FhirError(401, "the access token is not known here, or was revoked", "login")
    if ehr.tokens.is_expired(granted) or Mood.REQUEST_EXPIRED_TOKEN in moods:
        raise FhirError(401, "the access token has expired", "expired")
    return Access(parse_all(granted.scope), granted.patient)


def challenge(error: FhirError) -> str:
    """The WWW-Authenticate header of a refusal."""
    text = str(error)
    if "wants an access token" in text:
        return 'Bearer realm="fhir"'
    return f'Bearer realm="fhir", error="invalid_token", error_description="{text}"'


# ---------------------------------------------------------------- discovery

CAPABILITIES = (
    "launch-ehr launch-standalone authorize-post client-public client-confidential-symmetric "
    "client-confidential-asymmetric sso-openid-connect context-banner context-ehr-patient "
    "context-ehr-encounter context-standalone-patient permission-offline permission-online "
    "permission-patient permission-user permission-v1 permission-v2"
)


def smart_configuration(settings: Settings) -> dict[str, Any]:
    auth = f"{settings.base_url}/auth"
    return {
        "issuer": settings.fhir_base,
        "jwks_uri": f"{auth}/jwks",
        "authorization_endpoint": f"{auth}/authorize",
        "token_endpoint": f"{auth}/token",
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "introspection_endpoint": f"{auth}/introspect",
        "revocation_endpoint": f"{auth}/revoke",
        "response_types_supported": ["code"],
        "authorization_response_iss_parameter_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": [*ALL_SCOPES.split(), *SYSTEM_SCOPES.split()],
        "capabilities": CAPABILITIES.split(),
    }


def openid_configuration(settings: Settings) -> dict[str, Any]:
    """The same for OpenID Connect clients (OpenID Connect Discovery 1.0)."""
    return {
        **smart_configuration(settings),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


# ---------------------------------------------------------------- launches on request

LAUNCH_PATH = "/_services/smart/Launch"


class LaunchParameters(msgspec.Struct):
    patient: str = ""
    encounter: str = ""
    appContext: str = ""


class LaunchRequest(msgspec.Struct):
    launchUrl: str
    parameters: LaunchParameters = msgspec.field(default_factory=LaunchParameters)


def launch_of(body: bytes, access: Access) -> dict[str, Any]:
    """`{"launch_id": ...}`, good once and for ten minutes. Raises FhirError."""
    ehr = running()
    try:
        asked = msgspec.json.decode(body, type=LaunchRequest)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise FhirError(400, "the body wants launchUrl and parameters.patient") from None
    client = ehr.settings.app_at(asked.launchUrl)
    if client is None:
        raise FhirError(404, "no app is registered under this launchUrl", "not-found")
    patient = ehr.records.read("Patient", asked.parameters.patient)
    if patient is None or not access.covers("r", patient):
        raise FhirError(404, "no patient whom you may see has this id", "not-found")
    token = ehr.launches.new(
        asked.parameters.patient,
        asked.parameters.encounter[:500],
        people.default(ehr.records),
        asked.parameters.appContext[:4000],
        client_id=client.id,
    )
    return {"launch_id": token}
