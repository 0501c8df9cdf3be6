"""What an EHR's registration of the app rests on: the app's own keys, and what can be wrong with
its settings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from ehr_access.base import AddressRefused, FhirBase
from ehr_access.scopes import Scopes
from smart_app.settings import SECRET, WRITABLE, RegisteredEhr

# ----------------------------------------------------------------------
# The app's own keys, with which it proves to an EHR which app it is (SMART App Launch 2.2,
# "Client Authentication: Asymmetric").
#
# They stand in one JWKS file. All are published, so that EHRs know the next one before it is
# used; of each algorithm the first signs. `vialwise app-keys` makes and changes that file.


ALGORITHMS = ("RS384", "ES384")  # both are required of apps
_RSA_BITS = 3072
_LEAST_RSA_BITS = 2048

Key = RSAKey | ECKey


class NotAppKeys(ValueError):
    """What is not a JWKS with private keys of ours. The message says why, with nothing of it."""


@dataclass(frozen=True, slots=True, repr=False)
class AppKeys:
    """`keys` in the order in which they stand in the file."""

    keys: tuple[Key, ...] = ()

    @classmethod
    def read(cls, text: str) -> AppKeys:
        """The private keys in a JWKS. Raises NotAppKeys."""
        try:
            content = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            raise NotAppKeys("it is not JSON") from None
        listed = content.get("keys") if isinstance(content, dict) else None
        if not isinstance(listed, list) or not listed:
            raise NotAppKeys("it has no list of keys")
        keys = tuple(map(_private, listed))
        if len({key.kid for key in keys}) != len(keys):
            raise NotAppKeys("two keys have the same kid")
        return cls(keys)

    def signing(self, algorithm: str) -> Key | None:
        """The key that signs with that algorithm now."""
        return next((key for key in self.keys if _algorithm(key) == algorithm), None)

    def published(self) -> dict[str, Any]:
        """The public parts of all keys, as EHRs fetch them."""
        return {"keys": [_public(key) for key in self.keys]}

    def text(self) -> str:
        """The file's content."""
        private = [{**key.as_dict(private=True), "kid": key.kid} for key in self.keys]
        return msgspec.json.format(msgspec.json.encode({"keys": private})).decode() + "\n"

    def with_next(self, key: Key) -> AppKeys:
        """With one more key: published, and not signing as long as there is an older one."""
        return AppKeys((*self.keys, key))

    def switched(self, algorithm: str) -> AppKeys:
        """With the newest key of that algorithm signing."""
        newest = next(key for key in reversed(self.keys) if _algorithm(key) == algorithm)
        return AppKeys((newest, *(key for key in self.keys if key is not newest)))

    def without(self, kid: str) -> AppKeys:
        return AppKeys(tuple(key for key in self.keys if key.kid != kid))


def new_key(algorithm: str) -> Key:
    """A new private key for that algorithm. Its kid is short enough to be told over the phone, and
    comes from its thumbprint (RFC 7638), so that no two are the same."""
    if algorithm == "ES384":
        made: Key = ECKey.generate_key("P-384")
    else:
        made = RSAKey.generate_key(_RSA_BITS)
    kid = f"{algorithm.lower()}-{made.thumbprint()[:12]}"
    return _private({**made.as_dict(private=True), "kid": kid})


def _algorithm(key: Key) -> str:
    return "RS384" if isinstance(key, RSAKey) else "ES384"


def _private(entry: Any) -> Key:
    try:
        key = import_key(entry)
    except (JoseError, ValueError, TypeError, LookupError, AttributeError):
        raise NotAppKeys("an entry is not a key") from None
    if not isinstance(key, RSAKey | ECKey) or not key.is_private:
        raise NotAppKeys("an entry is not a private RSA or EC key")
    if not isinstance(key.kid, str) or not key.kid:
        raise NotAppKeys("a key has no kid")
    if isinstance(key, RSAKey) and key.raw_value.key_size < _LEAST_RSA_BITS:
        raise NotAppKeys(f"an RSA key has less than {_LEAST_RSA_BITS} bits")
    if isinstance(key, ECKey) and key.curve_name != "P-384":
        raise NotAppKeys("an EC key is not on the curve P-384")
    return key


def _public(key: Key) -> dict[str, Any]:
    """Only what a verifier needs (conformance B3.3)."""
    members: dict[str, Any] = {**key.as_dict(private=False)}
    public: dict[str, Any] = {
        n: members[n] for n in ("kty", "n", "e", "crv", "x", "y") if n in members
    }
    return {**public, "kid": key.kid, "use": "sig", "alg": _algorithm(key)}


# ----------------------------------------------------------------------
# What can be wrong with the registration of an EHR: a sentence each, with its remedy.
#
# Registering is done by hand, on both sides; what does not fit shows at start-up and not when a
# clinician opens the app.


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
