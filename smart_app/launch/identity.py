"""The id_token: who the EHR says is signed in (OpenID Connect Core 1.0, 3.1.3.7).

Nothing of the token is believed before its signature (ehr_access/jwt_checks.py)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import msgspec

from billing_rules.model.states import Present
from ehr_access.base import AddressRefused
from ehr_access.client import EhrClient
from ehr_access.query import Query, QueryRefused
from ehr_access.server_metadata import SmartConfiguration
from ehr_access.signed_tokens import (
    Key,
    KeySource,
    NotReadable,
    Signatures,
    TokenCase,
    first_failed,
)
from smart_app.launch.error_pages import NOT_FOR_PATIENTS, Stopped
from smart_app.launch.window import Role, User
from smart_app.settings import RegisteredEhr

# algorithm -> type of its key. RS256 is required of every OpenID provider.
ALGORITHMS = {"RS256": "RSA", "RS384": "RSA", "ES384": "EC"}
LONGEST_AGE = 600  # seconds since it was issued: it was made for this sign-in
_LONGEST = 16 * 1024  # characters of a token
_SIGNATURES = Signatures(ALGORITHMS)
CHECKS = (
    "algorithm",
    "critical",
    "key-id",
    "key-known",
    "key-fits",
    "signature",
    "issuer",
    "audience",
    "expires",
    "issued",
    "not-before",
    "nonce",
    "subject",
)


class IssuerKeys:
    """The keys with which EHRs sign id_tokens, by their address. Safe to share between threads."""

    def __init__(self, source: Callable[[str], KeySource] = KeySource) -> None:
        self._source = source
        self._guard = Lock()
        self._sources: dict[str, KeySource] = {}

    def find(self, address: str, kid: str | None) -> Key | None:
        with self._guard:
            source = self._sources.setdefault(address, self._source(address))
        return source.find(kid)


class NotVerified(Exception):
    """The id_token proves nothing. `check` is the name of the check that did not hold."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


def verified(
    token: str,
    configuration: SmartConfiguration,
    client_id: str,
    nonce: str,
    keys: IssuerKeys,
    now: Callable[[], float] = time.time,
) -> Mapping[str, Any]:
    """The claims of `token`. Raises NotVerified."""
    try:
        read = _SIGNATURES.read(token, _LONGEST)
    except NotReadable:
        raise NotVerified("readable") from None
    if not (configuration.jwks_uri and configuration.issuer):
        raise NotVerified("published")
    case = TokenCase(
        token=read,
        now=now(),
        signatures=_SIGNATURES,
        algorithms=ALGORITHMS,
        find_key=lambda kid: keys.find(configuration.jwks_uri, kid),
        # An issuer with one key need not name it (OpenID Connect Core 1.0, 10.1), as the SMART
        # launcher does not.
        key_id_optional=True,
        issuer=configuration.issuer,
        audiences=frozenset({client_id}),
        party=client_id,
        nonce=nonce,
        longest_age=LONGEST_AGE,
    )
    failed = first_failed(case, CHECKS)
    if failed:
        raise NotVerified(failed)
    return read.claims


# ----------------------------------------------------------------------
# Who is signed in: the id_token's fhirUser (SMART App Launch 2.2, "Scopes for requesting identity
# data"), its name, and what that person may see.


_STAFF = frozenset({"Practitioner", "PractitionerRole"})
_PATIENTS = frozenset({"Patient", "RelatedPerson"})
_LONGEST_NAME = 100


def user(claims: Mapping[str, Any], ehr: RegisteredEhr, client: EhrClient) -> User:
    """The user whom verified `claims` name. Raises Stopped for patients and relatives."""
    said = claims.get("fhirUser")
    reference = _reference(said, ehr) if isinstance(said, str) else ""
    name = _text(claims.get("name"))
    resource_type = _type_in(reference)
    if resource_type == "Person":
        reference, resource_type = _of_person(reference, client)
    if resource_type in _PATIENTS:
        raise Stopped(NOT_FOR_PATIENTS)
    if resource_type not in _STAFF:
        return User("", name, Role.STAFF)
    role = Role.OWNER if reference in ehr.owners else Role.CLINICIAN
    return User(reference, _name(_read(reference, client)) or name, role)


def _reference(said: str, ehr: RegisteredEhr) -> str:
    """ "Practitioner/1" for a user of this EHR's own server, the whole address for any other."""
    path = re.split("[?#]|/_history(?:/|$)", said.strip())[0].rstrip("/")
    try:
        inside = ehr.base.resolve(path)
    except AddressRefused:
        return path
    return inside.removeprefix(ehr.base.url).lstrip("/")


def _type_in(reference: str) -> str:
    """The resource type of a reference. However an EHR spells Patient, a patient is one."""
    said = reference.rpartition("/")[0].rpartition("/")[2]
    return next((one for one in _PATIENTS if one.lower() == said.lower()), said)


def _of_person(reference: str, client: EhrClient) -> tuple[str, str]:
    """The first role in which the EHR knows a Person: a patient counts before a practitioner,
    because a practitioner who is signed in as a Person could be looking as either."""
    links = _read(reference, client).link
    targets = [link.target.reference for link in links]
    for wanted in (_PATIENTS, _STAFF):
        for target in targets:
            resource_type = _type_in(target)
            if resource_type in wanted:
                return target, resource_type
    raise Stopped(NOT_FOR_PATIENTS)


# ---------------------------------------------------------------- the resource


class _HumanName(msgspec.Struct):
    text: str = ""
    family: str = ""
    given: list[str] = []
    prefix: list[str] = []


class _Reference(msgspec.Struct, frozen=True):
    reference: str = ""
    display: str = ""


class _Link(msgspec.Struct):
    target: _Reference = _Reference()


class _Someone(msgspec.Struct):
    name: list[_HumanName] = []
    practitioner: _Reference = _Reference()
    link: list[_Link] = []


_decoder = msgspec.json.Decoder(_Someone)


def _read(reference: str, client: EhrClient) -> _Someone:
    """The resource, or nobody when it cannot be had: a name is not worth an error."""
    resource_type, _, id_ = reference.partition("/")
    try:
        found = client.one(Query(resource_type, id_))
    except QueryRefused:
        return _Someone()
    if not isinstance(found, Present) or not isinstance(found.value[0], bytes):
        return _Someone()
    try:
        return _decoder.decode(found.value[0])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _Someone()


def _name(someone: _Someone) -> str:
    """As the EHR writes it, else put together from its parts."""
    if not someone.name:
        return _text(someone.practitioner.display)
    name = someone.name[0]
    parts = (*name.prefix[:1], *name.given[:1], name.family)
    return _text(name.text) or _text(" ".join(part for part in parts if part))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return " ".join("".join(c for c in text if c.isprintable()).split())[:_LONGEST_NAME]
