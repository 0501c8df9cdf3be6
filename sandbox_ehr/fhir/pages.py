"""Pages that were not asked for yet: the rest of a search, under a name that says nothing.

A search goes on with what it found when it was made, as real servers' next links do, and like
theirs it ends: the oldest is forgotten first.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass

_MOST = 500


@dataclass(frozen=True, slots=True)
class Rest:
    """The search that is under way: every match as (type, id), and the query it came from."""

    resource_type: str
    params: tuple[tuple[str, str], ...]
    matches: tuple[str, ...]
    size: int


class Pages:
    """Searches under way, by their names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Rest] = {}

    def keep(self, rest: Rest) -> str:
        name = secrets.token_urlsafe(18)
        with self._lock:
            while len(self._kept) >= _MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[name] = rest
        return name

    def find(self, name: str) -> Rest | None:
        with self._lock:
            return self._kept.get(name)
