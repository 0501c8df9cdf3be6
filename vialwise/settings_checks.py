"""What of the settings cannot work, or does not go together: one sentence each, with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cds_hooks import operator_access
from cds_hooks.keyed_hashes import SHORTEST_SECRET
from cds_hooks.settings import host_of
from cds_hooks.trusted_clients import Client, faults
from ehr_access.base import AddressRefused, FhirBase
from vialwise import clock, database, quiet_settings, secret_file
from vialwise.problems import Problem
from vialwise.settings import ClientTable, ServeSettings

_LARGEST_JWKS = 256 * 1024
_NOT_READ = "a file that could not be read"


def problems(settings: ServeSettings, open_: bool) -> list[str]:
    """Everything that is wrong, at once."""
    return [
        *_public_url(settings),
        *(_open(settings) if open_ else ()),
        *_development(settings),
        *_clients(settings),
        *_addresses(settings),
        *_link_hosts(settings),
        *_files(settings),
        *quiet_settings.problems(settings),
        *_kept(settings),
        *_said_by(lambda: clock.today(settings.timezone or None)),
        *_said_by(lambda: database.address(settings.database or None)),
        *_said_by(lambda: record_secret(settings)),
        *_said_by(lambda: operator_secret(settings)),
        *_secret_of_postgresql(settings),
        *_app(settings),
    ]


# ---------------------------------------------------------------- who may call


def _open(settings: ServeSettings) -> Iterator[str]:
    """Open mode is for one machine and invented patients (checklist A9.11)."""
    if settings.clients:
        yield "--open answers everyone, but clients are registered: remove one of the two"
    if _is_public(settings):
        yield (
            "--open answers everyone, and public_url is not of this machine: register clients "
            "instead of --open, or remove public_url"
        )


def _development(settings: ServeSettings) -> Iterator[str]:
    if settings.development and _is_public(settings):
        yield (
            "development trusts keys that are public, and public_url is not of this machine: "
            "remove development"
        )


def _app(settings: ServeSettings) -> Iterator[str]:
    if settings.ehrs:
        from vialwise import smart  # what the app needs, only where there is one

        yield from smart.problems(settings)


def _is_public(settings: ServeSettings) -> bool:
    base = _base(settings.public_url)
    return base is not None and not base.is_loopback


def _base(url: str) -> FhirBase | None:
    """`url` as a plain address; None when it is none."""
    try:
        return FhirBase.parse(url)
    except AddressRefused:
        return None


def _public_url(settings: ServeSettings) -> Iterator[str]:
    if not settings.public_url:
        if settings.ehrs and not settings.development:
            yield (
                "public_url is missing, and EHRs send browsers back there: write the address the "
                "app is reached under, like https://cds.clinic.example"
            )
        if settings.clients and not settings.development:
            yield (
                "public_url is missing, and the clients' tokens have to name it: write the "
                "address EHRs call, like https://cds.clinic.example"
            )
        return
    base = _base(settings.public_url)
    if base is None:
        yield "public_url is no address: write it like https://cds.clinic.example"
    elif not base.carries_tokens:
        yield "public_url is http, and tokens and charts are sent there: write the https address"


def _clients(settings: ServeSettings) -> Iterator[str]:
    registered = []
    for table in settings.clients:
        try:
            jwks = _jwks(table, settings.development)
        except Problem as problem:
            jwks = _NOT_READ  # so that its other faults are told as well
            yield f"client {table.iss}: {problem.format_message()}"
        registered.append(_client(table, jwks))
    yield from faults(registered, settings.development)


def clients(settings: ServeSettings) -> tuple[Client, ...]:
    """The registrations in the [[clients]] tables. Raises Problem for a file that has no keys."""
    return tuple(_client(t, _jwks(t, settings.development)) for t in settings.clients)


def _client(table: ClientTable, jwks: str) -> Client:
    return Client(
        iss=table.iss,
        jku=table.jku,
        jwks=jwks,
        tenant=table.tenant,
        fhir_bases=frozenset({table.fhir_base} - {""}),
        audiences=frozenset(table.audiences),
        algorithms=frozenset(table.algorithms),
        subject=table.subject,
        longest_life=table.longest_life,
        calls_per_minute=table.calls_per_minute,
        app_link=table.app_link,
        silent_tracking=table.silent_tracking,
    )


def _jwks(table: ClientTable, development: bool) -> str:
    """The JWKS that was handed over; "" where there is none. Raises Problem."""
    if not table.jwks_file:
        return ""
    # cryptography, only where it is needed
    from cds_hooks.client_tokens import read_keys
    from ehr_access.public_keys import NotKeys

    file = Path(table.jwks_file)
    try:
        document = file.read_bytes()[:_LARGEST_JWKS]
        keys = read_keys(document, development)
    except OSError as error:
        raise Problem(f"{file} cannot be read ({error.strerror}): check jwks_file") from None
    except NotKeys as error:
        raise Problem(f"{file} is no JWKS, {error}: save the EHR's JWKS there") from None
    if not keys:
        raise Problem(
            f"{file} holds no key that can be used: it needs public RSA (2048 bits or more) or EC "
            "keys with a kid"
        )
    return document.decode()


# ---------------------------------------------------------------- addresses and files


def _addresses(settings: ServeSettings) -> Iterator[str]:
    for origin in settings.cors_origins:
        if not _is_origin(origin):
            yield "cors_origins: an entry is no origin: write it like https://sandbox.example"
    for base in settings.fhir_bases:
        if _base(base) is None:
            yield "fhir_bases: an entry is no FHIR base: write it like https://ehr.example/r4"
    if settings.source_url and not _is_web(settings.source_url):
        yield "source_url is no web address: write it like https://clinic.example/billing"
    for link in settings.links:
        if not _is_web(link.url):
            yield "links: an url is no web address: write it like https://clinic.example/billing"
    launch = settings.app_launch_url
    if launch and (not _is_web(launch) or _carries_launch(launch)):
        yield "app_launch_url is no launch address: write it like https://app.example/launch"
    elif launch and not FhirBase.parse(launch.partition("?")[0]).carries_tokens:
        yield "app_launch_url is http, and a patient is opened there: write the https address"


def _carries_launch(url: str) -> bool:
    """Whether it has what only the EHR may add to it (SMART App Launch 2.2, "EHR Launch")."""
    parts = urlsplit(url)
    return bool(parts.fragment) or bool({"iss", "launch"} & set(parse_qs(parts.query)))


def _link_hosts(settings: ServeSettings) -> Iterator[str]:
    """A list that leaves out what the other settings want to link to is a mistake."""
    hosts = settings.link_hosts
    if any(host_of(f"https://{host}") != host for host in hosts):
        yield "link_hosts: an entry is no host: write it like www.cms.gov, without https://"
    linked = {
        "source_url": [settings.source_url],
        "app_launch_url": [settings.app_launch_url],
        "links": [link.url for link in settings.links],
    }
    for name, urls in linked.items():
        if hosts and any(url and host_of(url) not in hosts for url in urls):
            yield f"link_hosts lacks a host that {name} links to: add it, or remove the link"


def _kept(settings: ServeSettings) -> Iterator[str]:
    cards, audit = settings.keep_days, settings.keep_audit_days
    if 0 < cards < settings.quiet_days:
        yield "keep_days is less than quiet_days, which needs the cards: raise it, or lower those"
    if audit and (not cards or audit < cards):
        yield "keep_audit_days is less than keep_days: keep the audit for longer than the cards"


def _is_origin(text: str) -> bool:
    base = _base(text)
    return base is not None and base.path == "" and not text.endswith("/")


def _is_web(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.hostname) and " " not in text


def _files(settings: ServeSettings) -> Iterator[str]:
    if settings.site and not Path(settings.site).is_file():
        yield "site names no file: check the path"


def _said_by(ask: Callable[[], object]) -> Iterator[str]:
    """What a Problem says."""
    try:
        ask()
    except Problem as problem:
        yield problem.format_message()


# ---------------------------------------------------------------- the secrets


def record_secret(settings: ServeSettings) -> bytes:
    """The secret of the record's hashes; empty when none is set. Raises Problem."""
    return _secret(
        "record_secret", settings.record_secret, settings.record_secret_file, SHORTEST_SECRET
    )


def operator_secret(settings: ServeSettings) -> bytes:
    """The secret of those who run the service; empty when none is set. Raises Problem."""
    return _secret(
        "operator_secret",
        settings.operator_secret,
        settings.operator_secret_file,
        operator_access.SHORTEST_SECRET,
    )


def _secret(name: str, said: str, named: str, shortest: int) -> bytes:
    if said and named:
        raise Problem(f"{name} and {name}_file are both set: remove one")
    if named:
        file = Path(named)
        if not file.is_file():
            raise Problem(f"{name}_file names no file: check the path")
        try:
            return secret_file.secret(file)
        except OSError as error:
            raise Problem(f"{file} cannot be read ({error.strerror}): check its owner") from None
    if said and len(said.encode()) < shortest:
        raise Problem(f"{name} is too short: give {shortest} characters or more")
    return said.encode()


def _secret_of_postgresql(settings: ServeSettings) -> Iterator[str]:
    missing = not settings.record_secret and not settings.record_secret_file
    if missing and settings.database.startswith("postgres"):
        yield "PostgreSQL needs a secret for its hashes: set record_secret_file"
