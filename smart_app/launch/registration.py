"""What can be wrong with the registration of an EHR: a sentence each, with its remedy.

Registering is done by hand, on both sides; what does not fit shows at start-up and not when a
clinician opens the app.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from ehr_access.base import AddressRefused, FhirBase
from ehr_access.scopes import Scopes
from smart_app.settings import SECRET, WRITABLE, RegisteredEhr

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_USER = re.compile(r"(Practitioner|PractitionerRole)/[A-Za-z0-9._~-]{1,256}")
_CONTEXT = frozenset(
    {
        "launch",
        "launch/patient",
        "launch/encounter",
        "openid",
        "fhirUser",
        "online_access",
        "offline_access",
    }
)


def faults(ehrs: Iterable[RegisteredEhr], algorithms: Collection[str]) -> list[str]:
    """What is wrong with `ehrs`. `algorithms` are those the app has keys for."""
    listed = list(ehrs)
    found = [f"ehr {ehr.id[:40]}: {fault}" for ehr in listed for fault in _faults(ehr, algorithms)]
    for name in ("id", "fhir_base"):
        values = [getattr(ehr, name).rstrip("/") for ehr in listed]
        if len(values) != len(set(values)):
            found.append(f"two [[ehrs]] have the same {name}: give each its own")
    return found


def _faults(ehr: RegisteredEhr, algorithms: Collection[str]) -> Iterator[str]:
    if not _ID.fullmatch(ehr.id):
        yield "id is not a short name: write small letters, digits and hyphens, like main-hospital"
    try:
        if not FhirBase.parse(ehr.fhir_base).carries_tokens:
            yield "its fhir_base is http, and tokens go there: write the https address"
    except AddressRefused as error:
        yield f"its fhir_base cannot be used ({error}): write it like https://ehr.example/r4"
    if ehr.client == SECRET and not ehr.client_secret:
        yield "client_secret_file is missing: write the secret the EHR gave into a file of its own"
    if ehr.client != SECRET and ehr.client_secret:
        yield 'client_secret_file is set: write client = "client_secret_basic", or remove it'
    if ehr.signs_with and ehr.signs_with not in algorithms:
        yield (
            f"it is to be signed with {ehr.signs_with}, and app_keys_file holds no such key: "
            f"make one with `vialwise app-keys add FILE --algorithm {ehr.signs_with}`"
        )
    yield from _list_faults(ehr)


def _list_faults(ehr: RegisteredEhr) -> Iterator[str]:
    if not all(_HOST.fullmatch(host.lower()) for host in ehr.authorization_hosts):
        yield "authorization_hosts: an entry is not a host name: write it like login.ehr.example"
    if not all(map(_is_origin, ehr.frame_ancestors)):
        yield "frame_ancestors: an entry is not an origin: write it like https://ehr.example"
    if not all(map(_is_scope, ehr.scopes)):
        yield "scopes: an entry is not a scope on patient data: write it like patient/Patient.rs"
    if ehr.writes - WRITABLE:
        yield f"writes can only be {', '.join(sorted(WRITABLE))}: remove the others"
    if not all(map(_USER.fullmatch, ehr.owners)):
        yield "owners: an entry is not a user: write fhirUser references, like Practitioner/123"


def _is_origin(text: str) -> bool:
    try:
        base = FhirBase.parse(text)
    except AddressRefused:
        return False
    return base.path == "" and base.carries_tokens and not text.endswith("/") and ";" not in text


def _is_scope(text: str) -> bool:
    return text in _CONTEXT or (len(text.split()) == 1 and bool(Scopes.parse(text).scopes))
