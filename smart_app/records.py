"""What is kept of launches and windows, in words without any database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """A launch on its way through the EHR's authorization server.

    `verifier` is PKCE's secret (RFC 7636), `nonce` comes back in the id_token, `asked` are the
    scopes asked for. `launch` is what the EHR gave along, "" for a launch of one's own.
    """

    ehr: str
    verifier: str
    nonce: str
    asked: str
    launch: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """What reads the chart, until when, and what gets the next one ("" when nothing does)."""

    access: str
    expires_at: float  # seconds since 1970
    refresh: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """What a launch gave: whose chart, who looks, with which rights.

    `user` and `name` are "" where the EHR does not say. `context` is what a card handed over, if it
    could be used, and `context_note` the sentence to show when it could not.
    """

    patient: str
    encounter: str
    user: str
    name: str
    role: str
    scope: str
    order: str
    rules: tuple[str, ...]
    shows_banner: bool
    note: str
    together: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class KeptWindow:
    """A window as it is kept. `opened` and `tokens` are None once it has ended."""

    id: str
    ehr: str
    owner_key: str
    opened: Opened | None
    tokens: Tokens | None
    version: int
    opened_at: datetime
    seen_at: datetime
    ends_at: datetime
