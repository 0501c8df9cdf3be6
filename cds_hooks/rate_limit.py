"""How often a client may call: a token bucket for each, in each worker process.

Each worker counts for itself, so with two workers a client gets up to twice its calls. That bounds
what one client can cost, which is what it is for; an exact quota would cost every call a write.
Callers that cannot prove who they are reach no bucket: those are limited in front of this service.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from threading import Lock


class Bucket:
    """Holds `per_minute` calls and is refilled evenly, so a minute's worth may come at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._lock = Lock()
        self._left = self._most
        self._at = clock()

    def wait(self) -> int:
        """Whole seconds until there is a call to take; 0 when there is one."""
        with self._lock:
            self._refill()
            return ceil(max(0.0, 1 - self._left) / self._per_second)

    def take(self) -> None:
        with self._lock:
            self._refill()
            self._left -= 1

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now
