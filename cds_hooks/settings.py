"""What the service is told from outside; read from files and environment elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date


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
    call. `source_url` says who stands behind the cards; without it, `public_base_url` does.
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

    def url(self, path: str) -> str:
        """`path` (it starts with a slash) under the public address."""
        return self.public_base_url.rstrip("/") + path
