"""The settings of the SMART app, each in one place; vialwise/settings reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

from pydantic import Field, StrictInt

from ehr_access.base import FhirBase
from service_parts.setting_fields import FileName, SettingsModel

PUBLIC, SECRET, SIGNED = "public", "client_secret_basic", "private_key_jwt"
WRITABLE = frozenset(
    {"QuestionnaireResponse", "Observation", "DocumentReference", "MedicationAdministration"}
)


class RegisteredEhr(SettingsModel):
    """An EHR whose users may open the app; an [[ehrs]] table.

    `fhir_base` is compared with `iss` and sent as `aud` letter by letter. Endpoints may lie on its
    host and on `authorization_hosts` only. `client` is how the app proves to the token endpoint
    which app it is (SMART App Launch 2.2, "Client Authentication"). `client_secret` is the text of
    `client_secret_file` (the program reads it).
    """

    id: str = Field(
        description="A short name of your own for it, in addresses and in the log.",
        examples=["main-hospital"],
    )
    name: str = Field(
        description="Its name on pages.",
        examples=["Main Hospital (Epic)"],
        min_length=1,
        max_length=80,
    )
    fhir_base: str = Field(
        description="Its FHIR R4 address, letter by letter as its launches name it in `iss`.",
        examples=["https://ehr.example/api/FHIR/R4"],
    )
    client_id: str = Field(
        description="The app's client id at that EHR.",
        examples=["5d1c0b1e-vialwise"],
        min_length=1,
        max_length=200,
    )
    client: Literal["public", "client_secret_basic", "private_key_jwt"] = Field(
        "public",
        description="As what the app is registered there: public, client_secret_basic or "
        "private_key_jwt.",
        examples=["private_key_jwt"],
    )
    algorithm: Literal["RS384", "ES384"] = Field(
        "RS384",
        description="With private_key_jwt, what the app signs with: RS384 or ES384.",
        examples=["ES384"],
    )
    client_secret_file: FileName = Field(
        "",
        description="With client_secret_basic, a file with the secret that its user alone may "
        "read.",
        examples=["/etc/vialwise/main-hospital-secret"],
    )
    client_secret: str = Field("", repr=False)
    authorization_hosts: frozenset[str] = Field(
        frozenset(),
        description="Hosts besides that of fhir_base that its sign-in addresses may lie on.",
        examples=[["authorization.ehr.example"]],
    )
    frame_ancestors: tuple[str, ...] = Field(
        (),
        description="Origins that may show the app in a frame.",
        examples=[["https://ehr.example"]],
    )
    scopes: tuple[str, ...] = Field(
        (),
        description="The scopes on data to ask for. Otherwise what the app reads, of what the EHR "
        "offers.",
        examples=[["patient/Patient.r", "patient/MedicationRequest.rs"]],
    )
    writes: frozenset[str] = Field(
        frozenset(),
        description="The types the app may ask to write. Otherwise it writes nothing, and gives "
        "notes to paste.",
        examples=[["QuestionnaireResponse", "DocumentReference"]],
    )
    owners: frozenset[str] = Field(
        frozenset(),
        description="The users who see the feedback dashboard, as the EHR names them in fhirUser.",
        examples=[["Practitioner/123"]],
    )

    @property
    def base(self) -> FhirBase:
        return FhirBase.parse(self.fhir_base)

    @property
    def signs_with(self) -> str:
        """The algorithm the app signs its assertions with; "" where it does not sign."""
        return self.algorithm if self.client == SIGNED else ""


class AppOptions(SettingsModel):
    """What a site can set of the app. `app_keys` is the JWKS in `app_keys_file` (the program reads
    it)."""

    ehrs: tuple[RegisteredEhr, ...] = Field(
        (),
        description="The EHRs whose users may open the SMART app, an [[ehrs]] table each: see "
        "below. Without one there is no app.",
    )
    window_secrets: tuple[bytes, ...] = Field(
        (),
        description="The secrets of window_secrets_file themselves, separated by spaces, for where "
        "there are no files.",
        repr=False,
    )
    window_secrets_file: FileName = Field(
        "",
        description="A file with the secrets that encrypt what is kept of the app's windows, one a "
        "line, 32 characters or more, the newest first. With SQLite one is made beside the "
        "database.",
        examples=["/etc/vialwise/window-secrets"],
    )
    app_keys: str = Field("", repr=False)
    app_keys_file: FileName = Field(
        "",
        description="A JWKS with the app's private keys, for EHRs with private_key_jwt; `vialwise "
        "app-keys` makes it.",
        examples=["/etc/vialwise/app-keys.json"],
    )
    session_minutes: StrictInt = Field(
        480,
        description="Minutes after which a window of the app ends, whatever is done in it.",
        ge=5,
        le=1440,
    )
    idle_minutes: StrictInt = Field(
        30,
        description="Minutes after which a window of the app ends when nothing is done in it.",
        ge=2,
        le=240,
    )
    keep_forms_days: StrictInt = Field(
        7,
        description="Days that what was typed into the app's forms and not saved is kept, and what "
        "became of a form that was; encrypted, for the same user.",
        ge=1,
        le=90,
    )
    launches_per_minute: StrictInt = Field(
        120,
        description="How many launches of the app one address may begin a minute, in each worker "
        "process (there are two). Behind a proxy, trusted_proxies has to be set: otherwise all "
        "callers have the proxy's address.",
        ge=1,
        le=1_000_000,
    )


class AppSettings(AppOptions):
    """The app's settings: what a site can set, and what the program puts in when it starts.

    `app_url` is the address browsers reach the app under. `window_secrets` encrypt what is kept of
    windows, the newest first. `context_key` opens what cards hand over; empty when there is none.
    `ehr_seconds` is all the time one call to an authorization server may take.
    """

    app_url: str = ""
    context_key: bytes = Field(b"", repr=False)
    ehr_seconds: float = 8.0

    @property
    def session(self) -> timedelta:
        return timedelta(minutes=self.session_minutes)

    @property
    def idle(self) -> timedelta:
        return timedelta(minutes=self.idle_minutes)

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS; if not, this is development on one machine."""
        return self.app_url.startswith("https://")

    def url(self, path: str) -> str:
        """`path` (it starts with a slash) under the public address."""
        return self.app_url.rstrip("/") + path

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
