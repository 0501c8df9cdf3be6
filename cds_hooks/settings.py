"""The settings of the CDS service, each in one place: its clients, quiet hours and links.

vialwise/settings reads them. `Quiet` says when findings are evaluated and kept, and not shown;
`Client` is a registered EHR, and `FhirTrust` the FHIR servers that it may send this service to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    model_validator,
)

from ehr_access.base import AddressRefused, FhirBase, allowed_base
from service_parts.setting_fields import FileName, SettingsModel

# ----------------------------------------------------------------------
# When findings are evaluated and kept, and not shown: shadow mode and quiet hours.


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"


class Quiet(SettingsModel):
    """What is kept and not shown, and when: always with `shadow`, else from `start` to before `end`
    on each of `days`, the whole days where both are empty. An end before the start is on the day
    after; days of none are all."""

    rule: str = Field(
        "", description="The rule's id. Otherwise all rules.", examples=["dose_interval"]
    )
    client: str = Field(
        "",
        description="The `iss` of a client. Otherwise all clients.",
        examples=["https://ehr.example/r4"],
    )
    tenant: str = Field("", description="A tenant. Otherwise all tenants.", examples=["clinic-7"])
    shadow: StrictBool = Field(False, description="Shadow mode: at all times.", examples=[True])
    days: tuple[Day, ...] = Field(
        (),
        description="Quiet hours: on these days of the week, of mon, tue, wed, thu, fri, sat and "
        "sun; hours over midnight belong to the day they begin on. Otherwise every day.",
        examples=[["sat", "sun"]],
    )
    start: str = Field(
        "",
        description="The time they begin, in the clinic's time zone. Otherwise the whole day.",
        examples=["22:00"],
        title="a time from 00:00 to 23:59",
        pattern=_TIME,
    )
    end: str = Field(
        "",
        description="The time they end; before `start` it is on the day after.",
        examples=["06:30"],
        title="a time from 00:00 to 23:59",
        pattern=_TIME,
    )

    def concerns(self, client: str, tenant: str) -> bool:
        return self.client in ("", client) and self.tenant in ("", tenant)

    def covers(self, now: datetime) -> bool:
        """Whether `now`, in the clinic's time zone, is within it."""
        if self.shadow:
            return True
        days = self.days or DAYS
        clock, today, yesterday = now.time(), DAYS[now.weekday()], DAYS[now.weekday() - 1]
        start, end = (time.fromisoformat(t) if t else time(0) for t in (self.start, self.end))
        if start < end:
            return today in days and start <= clock < end
        return (today in days and clock >= start) or (yesterday in days and clock < end)

    @model_validator(mode="wrap")
    @classmethod
    def _says_when(cls, written: Any, made: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(written, cls):
            return written  # it was checked when it was made
        quiet = made(written)
        has_hours = bool(quiet.days or quiet.start or quiet.end)
        if quiet.shadow and has_hours:
            raise ValueError("shadow is for always, but there are hours: remove one of the two")
        if not quiet.shadow and not has_hours:
            raise ValueError("it does not say when: write shadow = true, or start and end, or days")
        if bool(quiet.start) != bool(quiet.end):
            missing = "end" if quiet.start else "start"
            raise ValueError(
                f"{missing} is missing: write it like 06:30, or leave out both for whole days"
            )
        if quiet.start and quiet.start == quiet.end:
            raise ValueError("start and end are the same: leave out both for whole days")
        return quiet


# ----------------------------------------------------------------------
# The clients that may call: what a site registers for each EHR before its first call.
#
# CDS Hooks 2.0.1, "Trusting CDS Clients": a service keeps an allow-list of issuers, and of the
# addresses their public keys may be fetched from. Registering is done by hand, so every fault of
# a registration is a sentence that says what to write instead.


# algorithm -> type of its key. Neither "none" nor a shared secret (HS*) can be registered.
ALGORITHMS = {"ES384": "EC", "RS384": "RSA", "ES256": "EC", "RS256": "RSA"}
RECOMMENDED = frozenset({"ES384", "RS384"})  # CDS Hooks 2.0.1, "Signing Algorithm"

LONGEST_LIFE = 3600  # seconds; CDS Hooks Best Practices keep a jti for an hour at most
_LONGEST_TEXT = 200

# The CDS Hooks Sandbox publishes its private key, so its tokens prove nothing.
SANDBOX_HOST = "sandbox.cds-hooks.org"
SANDBOX_KEY = "dw_JGR8nB2I6XveNxUOl2qk699ZPLM2nYI5STSdiEl9avAkrm3CkfYMbrrjr8laB"  # its "x"


class Client(SettingsModel):
    """A registered EHR, or one tenant of it; a [[clients]] table.

    `iss` is compared letter by letter. The public keys are fetched from `jku`, or stand in `jwks`,
    the text of `jwks_file` (the program reads it). Nothing but `fhir_base` is ever asked for data.
    """

    iss: str = Field(
        description="The issuer its tokens name, letter by letter.",
        examples=["https://ehr.example/r4"],
    )
    jku: str = Field(
        "",
        description="The https address of its public keys.",
        examples=["https://ehr.example/jwks.json"],
    )
    jwks: str = ""
    jwks_file: FileName = Field(
        "",
        description="Or a file with its public keys (a JWKS), when they were handed over.",
        examples=["ehr-jwks.json"],
    )
    fhir_base: str = Field(
        "",
        description="Its FHIR server, the only one its requests may point to. Without it nothing "
        "is fetched for its requests.",
        examples=["https://ehr.example/r4"],
    )
    tenant: str = Field(
        "",
        description="The tenant its tokens name, for an issuer that stands for several.",
        examples=["clinic-7"],
    )
    audiences: frozenset[str] = Field(
        frozenset(),
        description="What `aud` may be besides the address that is called, where the EHR has "
        "something else typed in.",
        examples=[["vialwise"]],
    )
    algorithms: frozenset[str] = Field(
        RECOMMENDED,
        description="What it may sign with: ES384, RS384, ES256, RS256.",
        examples=[["RS384"]],
    )
    subject: str = Field(
        "",
        description="Our client id at that EHR; an access token that comes with a request has to "
        "name it.",
        examples=["vialwise-at-ehr"],
    )
    longest_life: StrictInt = Field(
        LONGEST_LIFE,
        description="Seconds from issue to expiry that its tokens may have.",
        examples=[900],
        ge=1,
        le=LONGEST_LIFE,
    )
    calls_per_minute: StrictInt = Field(
        600,
        description="How often it may call, in each worker process (there are two).",
        ge=1,
        le=1_000_000,
    )
    app_link: StrictBool = Field(
        True,
        description="Whether its cards link to the app; not where the EHR takes such links off or "
        "does not hand on their context.",
        examples=[False],
    )
    silent_tracking: StrictBool = Field(
        False,
        description="It is sent cards and shows none of them, as in athenahealth's roll-out of "
        "that name: they are counted as kept and not shown.",
        examples=[True],
    )

    @property
    def is_sandbox(self) -> bool:
        return any(SANDBOX_HOST in address.lower() for address in (self.iss, self.jku))


class Clients:
    """The allow-list. One issuer may stand for several tenants, each a client of its own."""

    def __init__(self, clients: Iterable[Client]) -> None:
        self._by_issuer: dict[str, dict[str, Client]] = defaultdict(dict)
        for client in clients:
            self._by_issuer[client.iss][client.tenant] = client

    def has_issuer(self, iss: str) -> bool:
        return iss in self._by_issuer

    def find(self, iss: str, tenant: str) -> Client | None:
        """The client of that issuer and tenant; one registered without a tenant takes any."""
        tenants = self._by_issuer.get(iss, {})
        return tenants.get(tenant) or tenants.get("")


# ---------------------------------------------------------------- faults of a registration


def faults(clients: Iterable[Client], development: bool) -> list[str]:
    """What is wrong with `clients`, a sentence each, with its remedy."""
    listed = list(clients)
    found = [
        f"client {_name(client, place)}: {fault}"
        for place, client in enumerate(listed, 1)
        for fault in _faults(client, development)
    ]
    return [*found, *_faults_together(listed)]


def _name(client: Client, place: int) -> str:
    return client.iss.strip()[:_LONGEST_TEXT] or f"number {place}"


def _faults(client: Client, development: bool) -> Iterator[str]:
    yield from _text_faults(client)
    if client.is_sandbox and not development:
        yield (
            "the CDS Hooks Sandbox publishes its private key, so anyone could call in its name: "
            "remove it, or set development = true on a machine without real patients"
        )
    yield from _key_faults(client, development)
    if not client.algorithms or client.algorithms - ALGORITHMS.keys():
        yield f"algorithms can only be {', '.join(ALGORITHMS)}: write those the EHR signs with"
    yield from _base_faults(client)


def _text_faults(client: Client) -> Iterator[str]:
    if not _is_plain(client.iss):
        yield "iss is missing, longer than 200 characters or holds spaces: copy it from the EHR"
    if client.tenant and not _is_plain(client.tenant):
        yield "tenant is longer than 200 characters or holds spaces: copy it from the EHR"
    if not all(audience.strip() for audience in client.audiences):
        yield "an audience is blank: remove it"


def _is_plain(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TEXT and text.isprintable() and not set(text) & set(" \t")


def _key_faults(client: Client, development: bool) -> Iterator[str]:
    if bool(client.jku) == bool(client.jwks):
        yield "give either jku, the https address of its public keys, or a file with them, not both"
    elif client.jku and not may_be_fetched(client.jku, development):
        yield "jku is not a plain https address: write it as the EHR publishes it"


def may_be_fetched(jku: str, development: bool) -> bool:
    """Whether keys may come from there: https only; in development also this machine itself."""
    try:
        base = FhirBase.parse(jku.partition("?")[0])
        parts = urlsplit(jku)
    except (AddressRefused, ValueError):
        return False
    if parts.fragment or any(c <= " " for c in jku):
        return False
    return base.scheme == "https" or (development and base.is_loopback)


def _base_faults(client: Client) -> Iterator[str]:
    if not client.fhir_base:
        return
    try:
        if not FhirBase.parse(client.fhir_base).carries_tokens:
            yield "its fhir_base is http, and tokens go there: write the https address"
    except AddressRefused as error:
        yield f"its fhir_base cannot be used ({error}): write it like https://ehr.example/r4"


def _faults_together(clients: list[Client]) -> Iterator[str]:
    tenants: dict[str, list[str]] = defaultdict(list)
    for client in clients:
        tenants[client.iss].append(client.tenant)
    for iss, named in tenants.items():
        if len(named) != len(set(named)) or (len(named) > 1 and "" in named):
            yield f"client {iss}: stands more than once: give each a tenant of its own"


# ----------------------------------------------------------------------
# Which FHIR server a caller may send this service to, and as whom.
#
# Without this a hook request could have the service carry a bearer token to any address (A3.6).
# Authentication says it of each request (auth/client_auth.py).


@dataclass(frozen=True, slots=True)
class FhirTrust:
    """`bases` are FHIR base addresses; `loopback` also allows any on this machine.

    `subject` is this service's client id at the caller's EHR, "" when none was registered.
    """

    bases: frozenset[str] = frozenset()
    subject: str = ""
    loopback: bool = False

    def base(self, url: str) -> FhirBase:
        """`url` as an allowed base. Raises AddressRefused."""
        if self.loopback and (base := FhirBase.parse(url)).is_loopback:
            return base
        return allowed_base(url, self.bases)


NOBODY = FhirTrust()


# ----------------------------------------------------------------------
# The settings of the CDS service, each in one place; vialwise/settings reads them.


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


class CardLink(SettingsModel):
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
    links: tuple[CardLink, ...] = Field(
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
