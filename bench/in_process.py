"""One process without HTTP: the whole application called as gunicorn calls it, timed by CPU time.

CPU time, because other programs on the machine then count for little.
"""

from __future__ import annotations

import gc
import logging
import math
import secrets
import statistics
import time
from collections.abc import Callable
from typing import Any

import orjson

from bench.bodies import TODAY
from cds_hooks import Settings, create_app
from cds_hooks.record.entries import SHORTEST_SECRET, KeyedHashes
from cds_hooks.record.store import Store, temporary
from vialwise.catalogues import catalogue

ROUNDS = 5
_SECONDS = 0.15  # of each timing
Call = Callable[[], object]


def application() -> Any:
    """The service, open, its database left alone: what is timed is the service's own work."""
    logging.disable(logging.ERROR)
    known = catalogue()  # as `serve` reads it
    settings = Settings(public_url="http://127.0.0.1", today=lambda: TODAY, open=True)
    app = create_app(known, settings, store())
    gc.collect()
    gc.freeze()  # as vialwise.server does
    return app


def store() -> Store:
    """A store that is never asked, as when its database is away."""
    made = temporary(KeyedHashes(secrets.token_bytes(SHORTEST_SECRET)))
    made.backoff.leave_alone(math.inf)
    return made


def times(calls: dict[str, Call]) -> dict[str, float]:
    """Median of five of each call's CPU seconds, taken in turns so that all meet the same load."""
    counts = {name: _count(call) for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            taken[name].append(_timed(call, counts[name]))
    return {name: statistics.median(found) for name, found in taken.items()}


def _count(call: Call) -> int:
    _timed(call, 2)  # warm
    return max(3, int(_SECONDS / max(_timed(call, 2), 1e-6)))


def _timed(call: Call, count: int) -> float:
    gc.collect()
    started = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - started) / count


def parsed(body: bytes) -> object:
    return orjson.loads(body)
