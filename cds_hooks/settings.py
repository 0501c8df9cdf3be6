"""The settings of the CDS service, each in one place; vialwise/settings reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictBool, StrictFloat, StrictInt

from cds_hooks.quiet import Quiet
from cds_hooks.trusted_clients import Client
from ehr_access.base import FhirBase
from service_parts.setting_fields import FileName, SettingsModel

# Seconds; no setting goes beyond (Da Vinci CRD 2.2.1, found-2: 90 % of answers within 5 s).
HARD_DEADLINE = 5.0


def utc_now() -> datetime:
    return datetime.now(UTC)


def utc_today() -> date:
    return utc_now().date()


def host_of(url: str) -> str:
    """The host that a web address names; "" where it names none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_web(url: str) -> bool:
    return bool(host_of(url)) and urlsplit(url).scheme in ("https", "http") and " " not in url


def _only(fits: Callable[[str], object]) -> AfterValidator:
    """A text that `fits`; "" is one that is not set."""

    def check(text: str) -> str:
        if text and not fits(text):
            raise ValueError
        return text

    return AfterValidator(check)


WebAddress = Annotated[str, _only(is_web)]
BaseAddress = Annotated[str, _only(FhirBase.parse)]
Origin = Annotated[str, _only(lambda url: not FhirBase.parse(url).path and url[-1] != "/")]
Host = Annotated[str, _only(lambda host: host_of(f"https://{host}") == host)]


class Link(SettingsModel):
    """A link every card carries: `url` is absolute (CDS Hooks 2.0.1, "Link")."""

    label: str = Field(description="Its text.", examples=["Billing guide"], min_length=1)
    url: WebAddress = Field(
        description="Its https address.",
        title="a web address",
        examples=["https://clinic.example/billing"],
        min_length=1,
    )


class ServiceOptions(SettingsModel):
    """What a site can set of the CDS service."""

    public_url: str = Field(
        "",
        description="The address EHRs reach the service under; their tokens name it. Otherwise the "
        "address listened on.",
        examples=["https://cds.clinic.example"],
    )
    clients: tuple[Client, ...] = Field(
        (), description="The EHRs that may call, a [[clients]] table each: see below."
    )
    development: StrictBool = Field(
        False,
        description="Lets the public CDS Hooks Sandbox be a client, and keys be fetched from this "
        "machine without https. Never with real patients.",
        examples=[True],
    )
    billing_plan: StrictBool = Field(
        False,
        description="Whether a clean order gets an info card with its claim lines.",
        examples=[True],
    )
    most_cards: StrictInt = Field(
        10,
        description="Cards of one answer, the most urgent first; the last says how many more there "
        "are.",
        ge=1,
        le=100,
    )
    documentation_at_select: StrictBool = Field(
        True,
        description="Whether missing documentation is named already when an order is selected, as "
        "information; when it is signed it always is.",
        examples=[False],
    )
    quiet: tuple[Quiet, ...] = Field(
        (),
        description="Shadow mode and quiet hours: what is kept and not shown, a [[quiet]] table "
        "each: see below.",
    )
    quiet_days: StrictInt = Field(
        30,
        description="Days that an overridden finding is not repeated for the same patient and "
        "order; 0 repeats it always.",
        ge=0,
        le=3650,
    )
    links: tuple[Link, ...] = Field(
        (), description="Links that every card carries, a [[links]] table each: see below."
    )
    link_hosts: frozenset[Host] = Field(
        frozenset(),
        title="a list of hosts without https://",
        description="The hosts that cards may link to, as the EHR has them on its list; other "
        "links are left out. Otherwise all hosts.",
        examples=[["cds.clinic.example", "www.cms.gov"]],
    )
    app_launch_url: str = Field(
        "",
        description="The launch address of the SMART app as it is registered at the EHR; cards "
        "link to it. Otherwise the one below public_url, where there are [[ehrs]].",
        examples=["https://app.clinic.example/launch"],
    )
    source_label: str = Field(
        "Vialwise",
        description="Who stands behind a card that no rule's own record does.",
        examples=["Clinic billing"],
        min_length=1,
    )
    source_url: WebAddress = Field(
        "",
        title="a web address",
        description="Where to read about them. Otherwise the public address.",
        examples=["https://clinic.example/billing"],
    )
    given_days: StrictInt = Field(
        3,
        description="How many days patient-view looks back for doses given, today included.",
        ge=1,
        le=366,
    )
    fetch_seconds: StrictFloat = Field(
        2.0,
        description="Seconds for all that is fetched from the EHR for one request.",
        gt=0,
        le=HARD_DEADLINE,
    )
    fetch_pages: StrictInt = Field(
        5, description="Pages that are read of one search.", ge=1, le=100
    )
    fhir_bases: frozenset[BaseAddress] = Field(
        frozenset(),
        title="a list of FHIR addresses",
        description="FHIR servers that callers may name with --open, besides those of this "
        "machine. A registered client has its own.",
        examples=[["https://r4.sandbox.example/fhir"]],
    )
    cors_origins: frozenset[Origin] = Field(
        frozenset(),
        title="a list of origins",
        description="Browser origins that may call.",
        examples=[["https://sandbox.clinic.example"]],
    )
    max_body_bytes: StrictInt = Field(
        5 * 1024 * 1024,
        description="Bytes of a request body; a larger one is answered 413.",
        ge=65_536,
        le=104_857_600,
    )
    max_json_depth: StrictInt = Field(
        64, description="How deeply the JSON of a request may be nested.", ge=16, le=256
    )
    keep_comments: StrictBool = Field(
        False,
        description="Whether the free text of feedback is kept; it may name a patient.",
        examples=[True],
    )
    operator_secret_file: FileName = Field(
        "",
        description="A file with the secret, 32 characters or more, that opens /feedback, /metrics "
        "and the details of /readyz to those who run the service. Without one there is no "
        "/feedback, and the others are open.",
        examples=["/etc/vialwise/operator-secret"],
    )
    operator_secret: bytes = Field(
        b"", description="The same secret itself, for where there are no files.", repr=False
    )


class Settings(ServiceOptions):
    """The CDS service's settings: what a site can set, and what the program puts in at its start.

    Where `public_url` is not set the program puts in the address listened on. `today` answers with
    the day it is where the clinic is, `clock` with the time. `open` serves without client
    authentication, for development with invented patients only. `rule_set` names the rules and data
    in force, for the record. `context_key` seals what cards hand over to the app at
    `app_launch_url`; cards link to it where both are set.
    """

    today: Callable[[], date] = utc_today
    open: bool = False
    clock: Callable[[], datetime] = utc_now
    rule_set: str = ""
    context_key: bytes = Field(b"", repr=False)

    def url(self, path: str) -> str:
        """`path` (it starts with a slash) under the public address."""
        return self.public_url.rstrip("/") + path

    def linked(self, url: str) -> str:
        """`url` where a card may link to it, else "" (conformance A10.4)."""
        if not self.link_hosts or host_of(url) in self.link_hosts:
            return url
        return ""
