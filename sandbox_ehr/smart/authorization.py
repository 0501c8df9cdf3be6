"""The authorization server: Authlib's, with what SMART App Launch 2.2 asks for beyond OAuth 2."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, TokenMixin, grants
from authlib.oauth2.rfc6749.authenticate_client import authenticate_none
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import OpenIDCode, UserInfo
from joserfc.jwk import RSAKey

from sandbox_ehr.fhir import access
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.moods import Mood
from sandbox_ehr.settings import ClientKind, EhrSettings
from sandbox_ehr.smart import people
from sandbox_ehr.smart.clients import Assertions, OAuthClient, RegisteredKeys, SeenOnce
from sandbox_ehr.smart.tokens import (
    ACCESS_SECONDS,
    CODE_SECONDS,
    REFRESH_SECONDS,
    SYSTEM_SECONDS,
    AuthorizationCode,
    AuthorizationCodes,
    IssuedTokens,
    Session,
    TokenGrant,
)

METHODS = [kind.value for kind in (ClientKind.KEY, ClientKind.SECRET, ClientKind.PUBLIC)]
SHORT_SECONDS = 2
_REFRESHING = {"online_access", "offline_access"}


class SmartServer(AuthorizationServer):
    """Authlib's server, and what its grants need of this EHR."""

    def __init__(self, settings: EhrSettings, tokens: IssuedTokens, records: Records) -> None:
        self.settings = settings
        self.tokens = tokens
        self.records = records
        self.codes = AuthorizationCodes()
        self._key = settings.signing_key
        self._making_key = threading.Lock()
        super().__init__(query_client=self._registered, save_token=self._keep)
        self.register_token_generator("default", BearerTokenGenerator(_new, _new, _lifetime))
        self.register_client_auth_method(
            ClientKind.KEY.value,
            Assertions(f"{settings.base_url}/auth/token", RegisteredKeys(), SeenOnce()),
        )
        self.register_client_auth_method(ClientKind.PUBLIC.value, self._public)
        self.register_grant(CodeGrant, [S256Only(), SmartIdToken(self)])
        self.register_grant(RefreshGrant)
        self.register_grant(SystemGrant)
        self.register_endpoint(Introspection)
        self.register_endpoint(Revocation)
        self.register_extension(Issuer(settings.fhir_base))

    @property
    def key(self) -> RSAKey:
        """What id_tokens are signed with; made when it is first needed, which takes a moment."""
        with self._making_key:
            if self._key is None:
                how: Any = {"use": "sig", "alg": "RS256"}
                self._key = RSAKey.generate_key(2048, how, auto_kid=True)
            return self._key

    @property
    def fhir_base(self) -> str:
        return self.settings.fhir_base

    def moods_of(self, session: Session | TokenGrant) -> frozenset[Mood]:
        return session.moods | self.settings.moods

    def _registered(self, client_id: str) -> OAuthClient | None:
        client = self.settings.client(client_id)
        return OAuthClient(client) if client else None

    def _public(self, query_client: Any, request: Any) -> OAuthClient | None:
        """A public client by its id, or by its refresh token: SMART App Launch 2.2 does not ask for
        the id when a token is refreshed, and npm's fhirclient sends none."""
        said = request.payload.data
        if said.get("client_id") or said.get("grant_type") != "refresh_token":
            client: OAuthClient | None = authenticate_none(query_client, request)
            return client
        granted = self.tokens.refresh(said.get("refresh_token", ""))
        return self._registered(granted.client_id) if granted else None

    def _keep(self, response: dict[str, Any], request: Any) -> None:
        """Remember what the tokens of `response` grant, and add the launch's parameters to it."""
        granted = _granted(request, response)
        moods = self.moods_of(granted)
        if Mood.NO_PATIENT in moods:
            granted = replace(granted, patient="", encounter="")
        if Mood.SHORT_TOKEN in moods:
            response["expires_in"] = SHORT_SECONDS
        self.tokens.keep(response["access_token"], granted, response["expires_in"])
        refreshes = bool(_REFRESHING & set(granted.scope.split()))
        if not refreshes or Mood.NO_REFRESH_TOKEN in moods:
            response.pop("refresh_token", None)
        elif "refresh_token" in response:
            self.tokens.keep(response["refresh_token"], granted, REFRESH_SECONDS, refresh=True)
        response.update(launch_parameters(granted))


def _granted(request: Any, response: Mapping[str, Any]) -> TokenGrant:
    client_id = request.client.get_client_id()
    if request.authorization_code is not None:
        code: AuthorizationCode = request.authorization_code
        session = code.session
        return TokenGrant(
            client_id,
            response["scope"],
            session.user,
            session.patient,
            session.encounter,
            session.more,
            session.moods,
            code.family,
        )
    if request.refresh_token is not None:
        before: TokenGrant = request.refresh_token.granted
        return replace(before, scope=response["scope"])
    return TokenGrant(client_id, response["scope"])


def launch_parameters(granted: TokenGrant) -> dict[str, Any]:
    """What the token response says of the launch (SMART App Launch 2.2, "Launch context")."""
    context = {"patient": granted.patient, "encounter": granted.encounter}
    return {**granted.more, **{name: id_ for name, id_ in context.items() if id_}}


def _new(**_: Any) -> str:
    return secrets.token_urlsafe(32)


def _lifetime(client: OAuthClient, grant_type: str) -> int:
    return SYSTEM_SECONDS if grant_type == "client_credentials" else ACCESS_SECONDS


# ---------------------------------------------------------------- grants


class S256Only(CodeChallenge):
    """PKCE for every client, and never `plain` (SMART App Launch 2.2)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        said = grant.request.payload.data
        if not said.get("code_challenge") or said.get("code_challenge_method") != "S256":
            raise InvalidRequestError(
                "code_challenge and code_challenge_method=S256 are required",
                redirect_uri=redirect_uri,
            )
        super().validate_code_challenge(grant, redirect_uri)


class CodeGrant(grants.AuthorizationCodeGrant):
    """A code is for one app, one minute and one use."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def save_authorization_code(self, code: str, request: Any) -> None:
        said = request.payload.data
        server: SmartServer = self.server
        nonce = said.get("nonce", "")
        if nonce and Mood.WRONG_NONCE in server.moods_of(request.user):
            nonce = secrets.token_urlsafe(8)
        server.codes.keep(
            code,
            AuthorizationCode(
                request.client.get_client_id(),
                request.payload.redirect_uri,
                said["code_challenge"],
                request.user,
                nonce,
                secrets.token_urlsafe(8),
                server.codes.now() + CODE_SECONDS,
                int(time.time()),
            ),
        )

    def query_authorization_code(self, code: str, client: OAuthClient) -> AuthorizationCode | None:
        server: SmartServer = self.server
        family = server.codes.family_if_used(code)
        if family:  # RFC 6749, 4.1.2: a second use ends what the first one gave
            server.tokens.end(family)
        return server.codes.take(code, client.get_client_id())

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        """Taking it was its deletion."""

    def authenticate_user(self, authorization_code: AuthorizationCode) -> Session:
        return authorization_code.session


class RefreshGrant(grants.RefreshTokenGrant):
    """Every refresh token is good once: its use gives the next one."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> StoredToken | None:
        server: SmartServer = self.server
        granted = server.tokens.refresh(refresh_token)
        if granted is None or server.tokens.is_expired(granted):
            return None
        return StoredToken(granted, refresh_token, server.tokens)

    def authenticate_user(self, refresh_token: StoredToken) -> str:
        """Whoever let the app in; a token without one would not have come this far."""
        return refresh_token.granted.user or "nobody"

    def issue_token(self, user: Any, refresh_token: StoredToken) -> dict[str, Any]:
        if not self.server.tokens.use_refresh(refresh_token.text):
            raise InvalidRequestError("the refresh token was used at the same time elsewhere")
        response: dict[str, Any] = super().issue_token(user, refresh_token)
        return response

    def revoke_old_credential(self, refresh_token: StoredToken) -> None:
        """Its use was its end."""


class SystemGrant(grants.ClientCredentialsGrant):
    """SMART Backend Services: system scopes for a client that signs, and for nobody else."""

    TOKEN_ENDPOINT_AUTH_METHODS = [ClientKind.KEY.value]

    def validate_requested_scope(self) -> None:
        asked = [access.parse(word) for word in (self.request.payload.scope or "").split()]
        if not asked or any(scope is None or scope.level != "system" for scope in asked):
            raise InvalidScopeError("a backend service asks for system scopes")
        super().validate_requested_scope()


class SmartIdToken(OpenIDCode):
    """Who is signed in, signed with RS256 (SMART App Launch 2.2, "Scopes for requesting identity
    data")."""

    def __init__(self, server: SmartServer) -> None:
        super().__init__()
        self._server = server

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False  # it comes back in one id_token only, since a code is good once

    def resolve_client_private_key(self, client: OAuthClient) -> RSAKey:
        return self._server.key

    def get_encode_header(self, client: OAuthClient) -> dict[str, Any]:
        return {"alg": "RS256", "kid": self._server.key.kid, "typ": "JWT"}

    def get_client_claims(self, client: OAuthClient) -> dict[str, Any]:
        return {"iss": self._server.fhir_base, "aud": [client.get_client_id()]}

    def generate_user_info(self, user: Session, scope: str) -> UserInfo:
        claims = {"sub": hashlib.sha256(user.user.encode()).hexdigest()[:32]}
        if {"fhirUser", "profile"} & set(scope.split()):
            address = f"{self._server.fhir_base}/{user.user}"
            claims |= {"fhirUser": address, "profile": address}
            claims |= people.name_of(self._server.records, user.user)
        return UserInfo(claims)


class Issuer(IssuerParameter):
    """Says with every authorization response whose it is (RFC 9207)."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    def get_issuer(self) -> str:
        return self._issuer


# ---------------------------------------------------------------- tokens that are asked about


@dataclass(frozen=True, slots=True)
class StoredToken(TokenMixin):
    """A token that is kept, in the words Authlib asks in."""

    granted: TokenGrant
    text: str
    tokens: IssuedTokens

    def check_client(self, client: OAuthClient) -> bool:
        return self.granted.client_id == client.get_client_id()

    def get_scope(self) -> str:
        return self.granted.scope

    def get_expires_in(self) -> int:
        return self.granted.expires_at - self.tokens.now()

    def is_expired(self) -> bool:
        return self.tokens.is_expired(self.granted)

    def is_revoked(self) -> bool:
        return False  # what was revoked is not found


def _found(server: SmartServer, token: str) -> StoredToken | None:
    granted = server.tokens.access(token) or server.tokens.peek_refresh(token)
    return StoredToken(granted, token, server.tokens) if granted else None


class Introspection(IntrospectionEndpoint):
    """What a token stands for (SMART App Launch 2.2, "Token Introspection"); to its own client."""

    CLIENT_AUTH_METHODS = METHODS[:2]

    def query_token(self, token_string: str, token_type_hint: str | None) -> StoredToken | None:
        return _found(self.server, token_string)

    def check_permission(self, token: StoredToken, client: OAuthClient, request: Any) -> bool:
        return token.check_client(client)

    def introspect_token(self, token: StoredToken) -> dict[str, Any]:
        granted = token.granted
        said: dict[str, Any] = {
            "active": True,
            "client_id": granted.client_id,
            "scope": granted.scope,
            "token_type": "Bearer",
            "exp": granted.expires_at,
            "iat": granted.issued_at,
            "iss": self.server.fhir_base,
            **launch_parameters(granted),
        }
        if granted.user:
            session = Session(granted.user, granted.scope)
            user = SmartIdToken(self.server).generate_user_info(session, granted.scope)
            said |= {name: user[name] for name in ("sub", "fhirUser") if name in user}
        return said


class Revocation(RevocationEndpoint):
    """An access token ends alone, a refresh token with all that came of it (RFC 7009)."""

    CLIENT_AUTH_METHODS = METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> StoredToken | None:
        return _found(self.server, token_string)

    def revoke_token(self, token: StoredToken, request: Any) -> None:
        self.server.tokens.revoke(token.text)
