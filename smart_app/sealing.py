"""What is kept of windows, encrypted with keys of the installation (cryptography's Fernet).

Several keys, newest first: the first encrypts, all decrypt. A key is changed by putting a new one
in front and removing the old one once no window is older than the change.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST_KEY = 32  # bytes


class Seal:
    """Seals values that are JSON, each for one row: moved to another it does not open."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) < SHORTEST_KEY for key in keys):
            raise ValueError(f"a key has less than {SHORTEST_KEY} bytes, or there is none")
        derived = [base64.urlsafe_b64encode(_derived(key, b"content")) for key in keys]
        self._fernet = MultiFernet([Fernet(key) for key in derived])
        self._hash_key = _derived(keys[-1], b"hashes")  # the oldest: it stays while others come

    def closed(self, row: str, value: dict[str, Any]) -> str:
        content = json.dumps([row, value], separators=(",", ":")).encode()
        return self._fernet.encrypt(content).decode()

    def opened(self, row: str, sealed: str) -> dict[str, Any] | None:
        """What was sealed for `row`; None when this is not that."""
        try:
            named, value = json.loads(self._fernet.decrypt(sealed))
        except (InvalidToken, ValueError):
            return None
        return value if named == row else None

    def keyed_hash(self, *parts: str) -> str:
        """The same for the same words; who does not have the keys cannot try words out."""
        return hmac.new(self._hash_key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    info = b"vialwise app windows 1 " + purpose
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)
