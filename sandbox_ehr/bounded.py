"""Dictionaries that do not grow without end: the oldest entry goes first."""

from __future__ import annotations

import hashlib
from typing import TypeVar

T = TypeVar("T")


def put(kept: dict[str, T], key: str, value: T, most: int) -> None:
    """Keep `value`, and no more than `most` of them. The caller holds whatever lock there is."""
    while len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = value


def fingerprint(secret: str) -> str:
    """What a secret is kept by, so that memory and logs give none."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
