"""Pages that were not asked for yet: the rest of a search, under a name that says nothing.

A search goes on with what it found when it was made, as real servers' next links do, and like
theirs it ends: the oldest is forgotten first.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass

from sandbox_ehr.bounded import put
from sandbox_ehr.smart.access import Access

_MOST = 500


@dataclass(frozen=True, slots=True)
class Rest:
    """The search that is under way: the ids of its matches, the query it came from, and what
    whoever began it may see."""

    resource_type: str
    params: tuple[tuple[str, str], ...]
    matches: tuple[str, ...]
    access: Access


class Pages:
    """Searches under way, by their names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, Rest] = {}

    def keep(self, rest: Rest) -> str:
        name = secrets.token_urlsafe(18)
        with self._lock:
            put(self._kept, name, rest, _MOST)
        return name

    def find(self, name: str) -> Rest | None:
        with self._lock:
            return self._kept.get(name)
