"""Where a client's access token comes from: given once, or renewed while the client is in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Token(Protocol):
    """An access token that its owner may renew. Safe to ask from several threads at once."""

    def current(self) -> str:
        """The token to send now."""
        ...

    def after_refusal(self, refused: str) -> str:
        """Another token after `refused` was answered 401; "" when there is none."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class FixedToken:
    """A token that cannot be renewed, as a hook request lends it."""

    text: str

    def current(self) -> str:
        return self.text

    def after_refusal(self, refused: str) -> str:
        return ""
