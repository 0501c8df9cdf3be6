"""How long and how much: every request to an EHR is bounded by these."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` is for everything one question needs: all queries, their pages and retries."""

    seconds: float = 5.0
    pages: int = 10
    body_bytes: int = 8_000_000
    metadata_bytes: int = 20_000_000
    parallel: int = 6


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock after which nothing is waited for."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.remaining <= 0

    def sooner(self, seconds: float) -> Deadline:
        """This deadline, or `seconds` from now when that is earlier."""
        return Deadline(min(self.at, time.monotonic() + seconds))
