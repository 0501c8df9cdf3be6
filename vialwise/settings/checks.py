"""What cannot work in the settings, or does not go together: a sentence each, with its remedy."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from billing_rules.rule_records import shipped
from cds_hooks import settings as trusted_clients
from cds_hooks.settings import Quiet, host_of, is_web
from ehr_access.base import AddressRefused, FhirBase
from vialwise import clock, database
from vialwise.settings.files import NOT_READ, with_files
from vialwise.settings.models import ServeSettings
from vialwise.terminal import CommandProblem


def checked(settings: ServeSettings, open_: bool) -> tuple[ServeSettings, list[str]]:
    """The settings with what their files hold, and everything that is wrong, at once."""
    whole, problems = with_files(settings)
    problems = [
        *_addresses_of_the_service(whole, open_),
        *problems,
        *trusted_clients.faults(whole.clients, whole.development),
        *_links(whole),
        *_server(whole),
        *_quiet(whole),
        *(_app(whole) if whole.ehrs else ()),
    ]
    return whole, problems


def _addresses_of_the_service(settings: ServeSettings, open_: bool) -> Iterator[str]:
    """Open mode is for one machine and invented patients (conformance A9.11)."""
    base = _base(settings.public_url)
    elsewhere = base is not None and not base.is_loopback
    if settings.public_url and base is None:
        yield "public_url is not an address: write it like https://cds.clinic.example"
    elif base and not base.carries_tokens:
        yield "public_url is http, and tokens and charts are sent there: write the https address"
    if not settings.public_url and settings.ehrs and not settings.development:
        yield (
            "public_url is missing, and EHRs send browsers back there: write the address the app "
            "is reached under, like https://cds.clinic.example"
        )
    if not settings.public_url and settings.clients and not settings.development:
        yield (
            "public_url is missing, and the clients' tokens have to name it: write the address "
            "EHRs call, like https://cds.clinic.example"
        )
    if open_ and settings.clients:
        yield "--open answers everyone, but clients are registered: remove one of the two"
    if open_ and elsewhere:
        yield (
            "--open answers everyone, and public_url is not of this machine: register clients "
            "instead of --open, or remove public_url"
        )
    if settings.development and elsewhere:
        yield (
            "development trusts keys that are public, and public_url is not of this machine: "
            "remove development"
        )


def _links(settings: ServeSettings) -> Iterator[str]:
    """A list of hosts that leaves out what the other settings want to link to is a mistake."""
    launch, hosts = settings.app_launch_url, settings.link_hosts
    if launch and (not is_web(launch) or _carries_launch(launch)):
        yield "app_launch_url is not a launch address: write it like https://app.example/launch"
    elif launch and not FhirBase.parse(launch.partition("?")[0]).carries_tokens:
        yield "app_launch_url is http, and a patient is opened there: write the https address"
    linked = {
        "source_url": [settings.source_url],
        "app_launch_url": [launch],
        "links": [link.url for link in settings.links],
    }
    for name, urls in linked.items():
        if hosts and any(url and host_of(url) not in hosts for url in urls):
            yield f"link_hosts lacks a host that {name} links to: add it, or remove the link"


def _server(settings: ServeSettings) -> Iterator[str]:
    if settings.site and not Path(settings.site).is_file():
        yield "site names no file: check the path"
    cards, audit = settings.keep_days, settings.keep_audit_days
    if 0 < cards < settings.quiet_days:
        yield "keep_days is less than quiet_days, which needs the cards: raise it, or lower those"
    if audit and (not cards or audit < cards):
        yield "keep_audit_days is less than keep_days: keep the audit for longer than the cards"
    yield from _problem_of(lambda: clock.today(settings.timezone or None))
    yield from _problem_of(lambda: database.address(settings.database or None))
    has_secret = settings.record_secret or settings.record_secret_file
    if not has_secret and settings.database.startswith("postgres"):
        yield "PostgreSQL needs a secret for its hashes: set record_secret_file"


def _quiet(settings: ServeSettings) -> Iterator[str]:
    for number, quiet in enumerate(settings.quiet, 1):
        yield from (f"quiet, number {number}: {fault}" for fault in _names_in(quiet, settings))


def _names_in(quiet: Quiet, settings: ServeSettings) -> Iterator[str]:
    rules = shipped().records
    if quiet.rule and quiet.rule not in rules:
        near = difflib.get_close_matches(quiet.rule, rules, 1, 0.5)
        yield f"rule is not known: write {near[0] if near else 'the id that stands on its page'}"
    clients = [c for c in settings.clients if quiet.client in ("", c.iss)]
    if quiet.client and not clients:
        yield "client is not a registered one: copy the iss of its [[clients]] table"
    elif quiet.tenant and quiet.tenant not in {client.tenant for client in clients}:
        yield "tenant is not a registered one: copy the tenant of its [[clients]] table"


def _app(settings: ServeSettings) -> Iterator[str]:
    from smart_app.launch.registration import ALGORITHMS, AppKeys, faults

    if settings.app_keys != NOT_READ:  # else no EHR can be said to lack a key
        keys = AppKeys.read(settings.app_keys) if settings.app_keys else AppKeys()
        yield from faults(settings.ehrs, [name for name in ALGORITHMS if keys.signing(name)])
    else:
        yield from faults(settings.ehrs, ALGORITHMS)
    if settings.idle_minutes > settings.session_minutes:
        yield "idle_minutes is more than session_minutes: make it less"
    has_secrets = settings.window_secrets or settings.window_secrets_file
    if not has_secrets and settings.database.startswith("postgres"):
        yield "PostgreSQL needs secrets for the app's windows: set window_secrets_file"


# ---------------------------------------------------------------- addresses


def _base(url: str) -> FhirBase | None:
    """`url` as a plain address; None where it is not one."""
    try:
        return FhirBase.parse(url)
    except AddressRefused:
        return None


def _carries_launch(url: str) -> bool:
    """Whether it has what only the EHR may add to it (SMART App Launch 2.2, "EHR Launch")."""
    parts = urlsplit(url)
    return bool(parts.fragment) or bool({"iss", "launch"} & set(parse_qs(parts.query)))


def _problem_of(ask: Callable[[], object]) -> Iterator[str]:
    try:
        ask()
    except CommandProblem as problem:
        yield problem.format_message()
