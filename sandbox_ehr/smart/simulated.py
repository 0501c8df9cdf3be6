"""Trouble on purpose, where authorization and tokens are asked for (sandbox_ehr/moods.py)."""

from __future__ import annotations

from collections.abc import Callable

from authlib.oauth2.rfc6749 import (
    AccessDeniedError,
    InvalidClientError,
    InvalidGrantError,
    InvalidScopeError,
    OAuth2Error,
)

from sandbox_ehr.moods import Mood

_Errors = dict[Mood, Callable[[], OAuth2Error]]

_AT_AUTHORIZATION: _Errors = {
    Mood.AUTH_INVALID_SCOPE: lambda: InvalidScopeError("simulated: the scope is not valid"),
    Mood.AUTH_ACCESS_DENIED: lambda: AccessDeniedError("simulated: access was denied"),
}
_AT_TOKEN: _Errors = {
    Mood.AUTH_INVALID_CLIENT_SECRET: lambda: _client("wrong client secret"),
    Mood.TOKEN_INVALID_TOKEN: lambda: InvalidGrantError("simulated: the token is not valid"),
    Mood.TOKEN_EXPIRED_REGISTRATION_TOKEN: lambda: _client("the client assertion has expired"),
    Mood.TOKEN_INVALID_SCOPE: lambda: InvalidScopeError("simulated: the scope is not valid"),
    Mood.TOKEN_INVALID_JTI: lambda: _client("the jti was used before"),
}
_AT_REFRESH: _Errors = {
    Mood.TOKEN_EXPIRED_REFRESH_TOKEN: lambda: InvalidGrantError(
        "simulated: the refresh token has expired"
    ),
}


def at_authorization(wanted: frozenset[Mood]) -> None:
    """Raises the OAuth2Error that is wanted, if any."""
    _raise(wanted, _AT_AUTHORIZATION)


def at_token(wanted: frozenset[Mood], refreshing: bool) -> None:
    """The same, when a token is asked for."""
    if refreshing:
        _raise(wanted, _AT_REFRESH)
    _raise(wanted, _AT_TOKEN)


def _raise(wanted: frozenset[Mood], errors: _Errors) -> None:
    for fault, error in errors.items():
        if fault in wanted:
            raise error()


def _client(words: str) -> OAuth2Error:
    return InvalidClientError(f"simulated: {words}", status_code=401)
