"""What the practice EHR is started with, handed in once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from joserfc.jwk import RSAKey

from sandbox_ehr.charts import PLAIN, Quirks
from sandbox_ehr.moods import Mood

# What a client may ask for unless it is registered with less.
ALL_SCOPES = (
    "launch launch/patient launch/encounter openid fhirUser profile online_access offline_access "
    "patient/*.cruds user/*.cruds"
)
SYSTEM_SCOPES = "system/*.rs"


class ClientKind(Enum):
    """How a client proves who it is at the token endpoint (SMART App Launch 2.2)."""

    PUBLIC = "none"
    SECRET = "client_secret_basic"
    KEY = "private_key_jwt"


@dataclass(frozen=True, slots=True)
class RegisteredApp:
    """An app that is registered here.

    `redirect_uris` are compared letter by letter. `launch_url` is where the EHR opens it.
    A `SECRET` client has a secret, a `KEY` client its public keys or the address of them.
    """

    id: str
    name: str
    kind: ClientKind = ClientKind.PUBLIC
    redirect_uris: tuple[str, ...] = ()
    launch_url: str = ""
    secret: str = field(default="", repr=False)
    jwks: Mapping[str, Any] | None = None
    jwks_url: str = ""
    scope: str = ALL_SCOPES


@dataclass(frozen=True, slots=True)
class CdsService:
    """A CDS Hooks server that the order desk calls: `{base_url}/cds-services` lists its services.

    `client_id` is what this EHR's tokens for it name. `trace`: whether it also tells, for
    development, what each of its rules saw.
    """

    base_url: str
    name: str = ""
    client_id: str = "cds"
    trace: bool = False


@dataclass(frozen=True, slots=True)
class EhrSettings:
    """`base_url` has no slash at its end. `today` is the day the charts are shown on.

    `open`: calls without a token are answered too, as public sandboxes do. What a token does not
    allow is refused even then. `signing_key` signs id_tokens; without one the EHR makes its own.
    """

    base_url: str
    today: date
    clients: tuple[RegisteredApp, ...] = ()
    quirks: Quirks = PLAIN
    moods: frozenset[Mood] = frozenset()
    cds_services: tuple[CdsService, ...] = ()
    open: bool = False
    name: str = "Hollow Creek practice EHR"
    tenant: str = "hollow-creek"
    signing_key: RSAKey | None = field(default=None, repr=False)

    @property
    def fhir_base(self) -> str:
        return f"{self.base_url}/fhir"

    def client(self, id_: str) -> RegisteredApp | None:
        return next((client for client in self.clients if client.id == id_), None)

    def app_at(self, url: str) -> RegisteredApp | None:
        """The app whose launch address this is; None for one that is not registered here.

        Query additions are the link's own business; scheme, host and path are not.
        """
        asked = _address(url)
        return next(
            (c for c in self.clients if c.launch_url and _address(c.launch_url) == asked), None
        )


def _address(url: str) -> tuple[str, str, str] | None:
    try:
        return urlsplit(url)[:3]
    except ValueError:
        return None
