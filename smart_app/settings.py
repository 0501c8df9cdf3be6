"""What the app is told from outside; read from files and environment elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from ehr_access.base import FhirBase


class ClientKind(Enum):
    """How the app proves to an EHR's token endpoint which app it is (SMART App Launch 2.2, "Client
    Authentication")."""

    PUBLIC = "public"
    SECRET = "client_secret_basic"
    RS384 = "private_key_jwt RS384"
    ES384 = "private_key_jwt ES384"

    @property
    def algorithm(self) -> str:
        """What it signs with; "" where it does not sign."""
        return self.value.partition(" ")[2]


@dataclass(frozen=True, slots=True)
class RegisteredEhr:
    """An EHR whose users may open the app.

    `id` names it in addresses and in the log, `name` on pages. `fhir_base` is compared with `iss`
    and sent as `aud` letter by letter. Endpoints may lie on its host and on `authorization_hosts`
    only. `frame_ancestors` are the origins that may show the app in a frame. `scopes` are asked
    for instead of those the app would choose; `writes` are the resource types it asks to write,
    none by default (checklist B4.6). `owners` are the fhirUser references ("Practitioner/1") of
    those who see the feedback dashboard.
    """

    id: str
    name: str
    fhir_base: str
    client_id: str
    kind: ClientKind = ClientKind.PUBLIC
    secret: str = field(default="", repr=False)
    authorization_hosts: frozenset[str] = frozenset()
    frame_ancestors: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    writes: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()

    @property
    def base(self) -> FhirBase:
        return FhirBase.parse(self.fhir_base)


@dataclass(frozen=True, slots=True)
class Settings:
    """The app's settings.

    `public_url` is the address browsers reach the app under, without a final slash. A window ends
    `session` after its launch, and `idle` after the last thing done in it. `seal_keys` encrypt
    what is kept of windows, the newest first. `signing_keys` is the JWKS with the app's private
    keys, "" without any. `context_key` opens what cards hand over; empty when there is none.
    `ehr_seconds` is all the time one call to an authorization server may take.
    `launches_per_minute` is how many launches one address may begin at each worker.
    """

    public_url: str
    ehrs: tuple[RegisteredEhr, ...]
    seal_keys: tuple[bytes, ...] = field(repr=False)
    session: timedelta = timedelta(hours=8)
    idle: timedelta = timedelta(minutes=30)
    signing_keys: str = field(default="", repr=False)
    context_key: bytes = field(default=b"", repr=False)
    ehr_seconds: float = 8.0
    launches_per_minute: int = 120

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS; if not, this is development on one machine."""
        return self.public_url.startswith("https://")

    def url(self, path: str) -> str:
        """`path` (it starts with a slash) under the public address."""
        return self.public_url.rstrip("/") + path

    @property
    def redirect_uri(self) -> str:
        """Where EHRs send browsers back to, as it is registered with each of them."""
        return self.url("/callback")

    def ehr_of_issuer(self, iss: str) -> RegisteredEhr | None:
        """The EHR that calls itself so, letter by letter but for a slash at the end."""
        return next((ehr for ehr in self.ehrs if _same(ehr.fhir_base, iss)), None)

    def ehr(self, id_: str) -> RegisteredEhr | None:
        return next((ehr for ehr in self.ehrs if ehr.id == id_), None)

    def frame_ancestors(self) -> Iterator[str]:
        """Every origin that may show the app."""
        yield from dict.fromkeys(origin for ehr in self.ehrs for origin in ehr.frame_ancestors)


def _same(registered: str, iss: str) -> bool:
    return registered.rstrip("/") == iss.rstrip("/")
