"""Has every worker ask now and then whether something is too old to be kept (retention.py)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from cds_hooks.retention import Retention
from cds_hooks.store import Store
from service_parts.log_events import fault

log = logging.getLogger("vialwise")

FIRST = 2.0  # seconds after the start of a worker, which has first calls to answer
THEN = 3600.0  # seconds; it is done once a day whoever asks


def start(store: Store, retention: Retention) -> Callable[[], None]:
    """What a worker calls when it starts: a thread beside those that answer, ended with it."""

    def begin() -> None:
        if retention != Retention():
            threading.Thread(target=_run, args=(store, retention), daemon=True).start()

    return begin


def _run(
    store: Store, retention: Retention, ended: threading.Event | None = None, wait: float = FIRST
) -> None:
    ended = ended or threading.Event()
    while not ended.wait(wait):
        wait = THEN
        try:
            retention.apply(store)
        except Exception as error:  # the service answers on, and asks again in an hour
            log.error("what is too old was not deleted: %s", fault(error))
