"""The clients that may call: what a site registers for each EHR before its first call.

CDS Hooks 2.0.1, "Trusting CDS Clients": a service keeps an allow-list of issuers, and of the
addresses their public keys may be fetched from. Registering is done by hand, so every fault of a
registration is a sentence that says what to write instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from pydantic import Field, StrictBool, StrictInt

from ehr_access.base import AddressRefused, FhirBase
from service_parts.setting_fields import FileName, SettingsModel

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
