"""The app's own keys, with which it proves to an EHR which app it is (SMART App Launch 2.2, "Client
Authentication: Asymmetric").

They stand in one JWKS file. All are published, so that EHRs know the next one before it is used; of
each algorithm the first signs. `vialwise app-keys` makes and changes that file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

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
