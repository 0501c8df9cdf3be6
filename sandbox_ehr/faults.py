"""Troubles this EHR makes on purpose, so that an app can be seen to bear them.

They are asked for by the settings, for every launch, or by one launch. The first eleven are those
that the SMART launcher simulates, under its names.
"""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """Its name on the command line, and what goes wrong."""

    AUTH_INVALID_CLIENT_ID = "auth_invalid_client_id"
    AUTH_INVALID_REDIRECT_URI = "auth_invalid_redirect_uri"
    AUTH_INVALID_SCOPE = "auth_invalid_scope"
    AUTH_INVALID_CLIENT_SECRET = "auth_invalid_client_secret"
    TOKEN_INVALID_TOKEN = "token_invalid_token"
    TOKEN_EXPIRED_REFRESH_TOKEN = "token_expired_refresh_token"
    TOKEN_EXPIRED_REGISTRATION_TOKEN = "token_expired_registration_token"
    TOKEN_INVALID_SCOPE = "token_invalid_scope"
    TOKEN_INVALID_JTI = "token_invalid_jti"
    REQUEST_INVALID_TOKEN = "request_invalid_token"
    REQUEST_EXPIRED_TOKEN = "request_expired_token"
    AUTH_ACCESS_DENIED = "auth_access_denied"
    AUTH_WRONG_STATE = "auth_wrong_state"
    NO_PATIENT = "no_patient"
    NO_WRITE_SCOPES = "no_write_scopes"
    NO_REFRESH_TOKEN = "no_refresh_token"
    SHORT_TOKEN = "short_token"
    WRONG_NONCE = "wrong_nonce"

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    Fault.AUTH_INVALID_CLIENT_ID: "authorization answers that the client id is not known",
    Fault.AUTH_INVALID_REDIRECT_URI: "authorization answers that the redirect URI is not known",
    Fault.AUTH_INVALID_SCOPE: "authorization sends the app back with invalid_scope",
    Fault.AUTH_INVALID_CLIENT_SECRET: "the token endpoint does not take the client's secret",
    Fault.TOKEN_INVALID_TOKEN: "the token endpoint answers that code or refresh token are invalid",
    Fault.TOKEN_EXPIRED_REFRESH_TOKEN: "a refresh token has expired when it is used",
    Fault.TOKEN_EXPIRED_REGISTRATION_TOKEN: "the client's own assertion is said to have expired",
    Fault.TOKEN_INVALID_SCOPE: "the token endpoint answers invalid_scope",
    Fault.TOKEN_INVALID_JTI: "the jti of the client's assertion is said to have been used before",
    Fault.REQUEST_INVALID_TOKEN: "the FHIR server does not take the access token",
    Fault.REQUEST_EXPIRED_TOKEN: "the FHIR server says that the access token has expired",
    Fault.AUTH_ACCESS_DENIED: "authorization sends the app back with access_denied",
    Fault.AUTH_WRONG_STATE: "authorization sends the app back with another state than it sent",
    Fault.NO_PATIENT: "the token response names no patient",
    Fault.NO_WRITE_SCOPES: "of the scopes asked for, those that write are not granted",
    Fault.NO_REFRESH_TOKEN: "no refresh token is given, whatever was asked for",
    Fault.SHORT_TOKEN: "access tokens last two seconds",
    Fault.WRONG_NONCE: "the id_token carries another nonce than the app sent",
}


def fault(name: str) -> Fault:
    """The fault of that name. Raises ValueError with all names."""
    try:
        return Fault(name)
    except ValueError:
        known = ", ".join(f.value for f in Fault)
        raise ValueError(f"no simulated error is called {name}: there are {known}") from None
