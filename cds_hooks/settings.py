"""The settings of the CDS service, each in one place; vialwise/settings reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from cds_hooks.quiet import Quiet
from cds_hooks.trusted_clients import Client
from service_parts.setting_fields import REQUIRED, setting

# Seconds; no setting goes beyond (Da Vinci CRD 2.2.1, found-2: 90 % of answers within 5 s).
HARD_DEADLINE = 5.0


def utc_now() -> datetime:
    return datetime.now(UTC)


def utc_today() -> date:
    return utc_now().date()


@dataclass(frozen=True, slots=True)
class Link:
    """A link every card carries: `url` is absolute (CDS Hooks 2.0.1, "Link")."""

    label: str = setting(REQUIRED, "Its text.", "Billing guide", min_length=1)
    url: str = setting(REQUIRED, "Its https address.", "https://clinic.example/billing")


@dataclass(frozen=True, slots=True)
class Settings:
    """The CDS service's settings, and below them what the program puts in when it starts.

    Where `public_url` is not set the program puts in the address listened on. `today` answers with
    the day it is where the clinic is, `clock` with the time. `open` serves without client
    authentication, for development with invented patients only. `rule_set` names the rules and data
    in force, for the record. `context_key` seals what cards hand over to the app at
    `app_launch_url`; cards link to it where both are set.
    """

    public_url: str = setting(
        "",
        "The address EHRs reach the service under; their tokens name it. Otherwise the address "
        "listened on.",
        "https://cds.clinic.example",
    )
    today: Callable[[], date] = utc_today
    clients: tuple[Client, ...] = setting(
        (), "The EHRs that may call, a [[clients]] table each: see below."
    )
    development: bool = setting(
        False,
        "Lets the public CDS Hooks Sandbox be a client, and keys be fetched from this machine "
        "without https. Never with real patients.",
        True,
    )
    billing_plan: bool = setting(
        False, "Whether a clean order gets an info card with its claim lines.", True
    )
    most_cards: int = setting(
        10,
        "Cards of one answer, the most urgent first; the last says how many more there are.",
        within=(1, 100),
    )
    documentation_at_select: bool = setting(
        True,
        "Whether missing documentation is named already when an order is selected, as "
        "information; when it is signed it always is.",
        False,
    )
    quiet: tuple[Quiet, ...] = setting(
        (),
        "Shadow mode and quiet hours: what is kept and not shown, a [[quiet]] table each: see "
        "below.",
    )
    quiet_days: int = setting(
        30,
        "Days that an overridden finding is not repeated for the same patient and order; 0 "
        "repeats it always.",
        within=(0, 3650),
    )
    links: tuple[Link, ...] = setting(
        (), "Links that every card carries, a [[links]] table each: see below."
    )
    link_hosts: frozenset[str] = setting(
        frozenset(),
        "The hosts that cards may link to, as the EHR has them on its list; other links are left "
        "out. Otherwise all hosts.",
        ["cds.clinic.example", "www.cms.gov"],
    )
    app_launch_url: str = setting(
        "",
        "The launch address of the SMART app as it is registered at the EHR; cards link to it. "
        "Otherwise the one below public_url, where there are [[ehrs]].",
        "https://app.clinic.example/launch",
    )
    source_label: str = setting(
        "Vialwise",
        "Who stands behind a card that no rule's own record does.",
        "Clinic billing",
        min_length=1,
    )
    source_url: str = setting(
        "",
        "Where to read about them. Otherwise the public address.",
        "https://clinic.example/billing",
    )
    given_days: int = setting(
        3, "How many days patient-view looks back for doses given, today included.", within=(1, 366)
    )
    fetch_seconds: float = setting(
        2.0, "Seconds for all that is fetched from the EHR for one request.", gt=0, le=HARD_DEADLINE
    )
    fetch_pages: int = setting(5, "Pages that are read of one search.", within=(1, 100))
    fhir_bases: frozenset[str] = setting(
        frozenset(),
        "FHIR servers that callers may name with --open, besides those of this machine. A "
        "registered client has its own.",
        ["https://r4.sandbox.example/fhir"],
    )
    cors_origins: frozenset[str] = setting(
        frozenset(), "Browser origins that may call.", ["https://sandbox.clinic.example"]
    )
    max_body_bytes: int = setting(
        5 * 1024 * 1024,
        "Bytes of a request body; a larger one is answered 413.",
        within=(65_536, 104_857_600),
    )
    max_json_depth: int = setting(
        64, "How deeply the JSON of a request may be nested.", within=(16, 256)
    )
    keep_comments: bool = setting(
        False, "Whether the free text of feedback is kept; it may name a patient.", True
    )
    operator_secret_file: str = setting(
        "",
        "A file with the secret, 32 characters or more, that opens /feedback, /metrics and the "
        "details of /readyz to those who run the service. Without one there is no /feedback, and "
        "the others are open.",
        "/etc/vialwise/operator-secret",
        path=True,
    )
    operator_secret: bytes = setting(
        b"", "The same secret itself, for where there are no files.", secret=True
    )

    open: bool = False
    clock: Callable[[], datetime] = utc_now
    rule_set: str = ""
    context_key: bytes = field(default=b"", repr=False)

    @property
    def fetch_deadline(self) -> float:
        """Seconds for everything a request asks of its EHR."""
        return min(self.fetch_seconds, HARD_DEADLINE)

    def url(self, path: str) -> str:
        """`path` (it starts with a slash) under the public address."""
        return self.public_url.rstrip("/") + path

    def linked(self, url: str) -> str:
        """`url` where a card may link to it, else "" (conformance A10.4)."""
        if not self.link_hosts or host_of(url) in self.link_hosts:
            return url
        return ""


def host_of(url: str) -> str:
    """The host that a web address names; "" where it names none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
