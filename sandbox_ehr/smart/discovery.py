"""What `/.well-known/smart-configuration` says: what is implemented, no more (SMART App Launch 2.2,
"Conformance")."""

from __future__ import annotations

from typing import Any

from sandbox_ehr.settings import ALL_SCOPES, SYSTEM_SCOPES, Settings
from sandbox_ehr.smart.assertions import ALGORITHMS
from sandbox_ehr.smart.authorization import METHODS

CAPABILITIES = (
    "launch-ehr",
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-banner",
    "context-ehr-patient",
    "context-ehr-encounter",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
)


def document(settings: Settings) -> dict[str, Any]:
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
        "capabilities": list(CAPABILITIES),
    }


def openid(settings: Settings) -> dict[str, Any]:
    """The same for OpenID Connect clients (OpenID Connect Discovery 1.0)."""
    return {
        **document(settings),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
