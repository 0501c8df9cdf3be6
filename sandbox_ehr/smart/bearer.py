"""The token of a call to the FHIR server, as what its caller may do (RFC 6750)."""

from __future__ import annotations

import re

from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.moods import Mood
from sandbox_ehr.running import running
from sandbox_ehr.smart import scopes
from sandbox_ehr.smart.access import Access
from sandbox_ehr.smart.tokens import Granted

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE | re.ASCII)


def access(authorization: str | None) -> Access:
    """What the `Authorization` header allows. Raises FhirError (401)."""
    it = running()
    if authorization is None:
        if it.settings.open:
            return Access(everything=True)
        raise FhirError(401, "this server wants an access token: Authorization: Bearer ...")
    match = _BEARER.fullmatch(authorization)
    if match is None:
        raise FhirError(401, "the Authorization header has no bearer token")
    granted = it.tokens.access(match[1])
    if granted is None or Mood.REQUEST_INVALID_TOKEN in _faults(granted):
        raise FhirError(401, "the access token is not known here, or was revoked", "login")
    if it.tokens.is_expired(granted) or Mood.REQUEST_EXPIRED_TOKEN in _faults(granted):
        raise FhirError(401, "the access token has expired", "expired")
    return Access(scopes.parse_all(granted.scope), granted.patient)


def challenge(error: FhirError) -> str:
    """The WWW-Authenticate header of a refusal."""
    text = str(error)
    if "wants an access token" in text:
        return 'Bearer realm="fhir"'
    return f'Bearer realm="fhir", error="invalid_token", error_description="{text}"'


def _faults(granted: Granted) -> frozenset[Mood]:
    return granted.moods | running().settings.moods
