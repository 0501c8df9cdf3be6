"""What the service is told from outside; read from files and environment elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from cds_hooks.quiet import Quiet
from cds_hooks.trusted_clients import Client

# Seconds; no setting goes beyond (Da Vinci CRD 2.2.1, found-2: 90 % of answers within 5 s).
HARD_DEADLINE = 5.0


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """A link every card carries: `url` is absolute (CDS Hooks 2.0.1, "Link")."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Settings:
    """The CDS service's settings.

    `public_base_url` is the address EHRs reach the service under, without a final slash. `today`
    answers with the day it is where the clinic is. `open` serves without client authentication,
    for development with invented patients only. `cors_origins` are the browser origins that may
    call. A card's source is the record of the rule that spoke; `source_url` is the source of a card
    without one (the billing plan), else `public_base_url`.
    `quiet_days` is how long an overridden finding is not repeated for the same patient and order;
    0 repeats it always. `keep_comments` keeps the free text of feedback, which may name a patient.
    `fetch_seconds` is all the time for what was not sent and is fetched from the EHR, never more
    than 5; `fetch_pages` the pages read of one search. `fhir_bases` are the FHIR servers that
    callers may name in open mode, besides those of this machine; a registered client has its own.
    `given_days` is how far patient-view looks back for doses given, today included.
    `clock` answers with the time it is where the clinic is. `quiet` is what is kept and not shown
    (quiet.py). `most_cards` are shown in one answer; `documentation_at_select` asks for
    documentation at order-select too. `link_hosts` are the hosts that cards may link to, all where
    it is empty. `app_launch_url` is the SMART app's; cards link to it, with a context sealed by
    `app_key`, where both are set. `operator_secret` opens the pages of those who run the service.
    `rule_set` names the rules and data in force, for the record. `clients` may call, once they
    prove who they are. `development` lets the public CDS Hooks Sandbox be one, and keys be fetched
    from this machine without https.
    """

    public_base_url: str
    today: Callable[[], date]
    open: bool = False
    show_billing_plan: bool = False
    max_body_bytes: int = 5 * 1024 * 1024
    max_json_depth: int = 64
    cors_origins: frozenset[str] = frozenset()
    source_label: str = "Vialwise"
    source_url: str = ""
    links: tuple[Link, ...] = ()
    quiet_days: int = 30
    keep_comments: bool = False
    rule_set: str = ""
    fetch_seconds: float = 2.0
    fetch_pages: int = 5
    fhir_bases: frozenset[str] = frozenset()
    given_days: int = 3
    clients: tuple[Client, ...] = ()
    development: bool = False
    clock: Callable[[], datetime] = utc_now
    quiet: tuple[Quiet, ...] = ()
    most_cards: int = 10
    documentation_at_select: bool = True
    link_hosts: frozenset[str] = frozenset()
    app_launch_url: str = ""
    app_key: bytes = field(default=b"", repr=False)
    operator_secret: bytes = field(default=b"", repr=False)

    @property
    def fetch_deadline(self) -> float:
        """Seconds for everything a request asks of its EHR."""
        return min(self.fetch_seconds, HARD_DEADLINE)

    def url(self, path: str) -> str:
        """`path` (it starts with a slash) under the public address."""
        return self.public_base_url.rstrip("/") + path

    def linked(self, url: str) -> str:
        """`url` where a card may link to it, else "" (checklist A10.4)."""
        if not self.link_hosts or host_of(url) in self.link_hosts:
            return url
        return ""


def host_of(url: str) -> str:
    """The host that a web address names; "" where it names none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
