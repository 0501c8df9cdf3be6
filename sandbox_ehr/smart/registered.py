"""A registered client in the words Authlib asks in."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import ClientMixin

from sandbox_ehr.settings import Client, ClientKind
from sandbox_ehr.smart import scopes

_SYSTEM = "client_credentials"
_GRANTS = ("authorization_code", "refresh_token")


@dataclass(frozen=True, slots=True)
class Registered(ClientMixin):
    """`client` as an OAuth 2 client."""

    client: Client

    def get_client_id(self) -> str:
        return self.client.id

    def get_default_redirect_uri(self) -> str | None:
        return None  # SMART App Launch 2.2: the app says where it wants to be sent back to

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What of `scope` it may have; None when nothing of it."""
        return scopes.granted(scope or "", self.client.scope) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.client.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        if self.client.kind is not ClientKind.SECRET or not self.client.secret:
            return False
        return hmac.compare_digest(client_secret.encode(), self.client.secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.client.kind.value

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        if grant_type == _SYSTEM:  # SMART Backend Services: with a key only
            return self.client.kind is ClientKind.KEY
        return grant_type in _GRANTS
