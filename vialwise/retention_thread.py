"""Has every worker ask now and then whether something is too old to be kept (retention.py)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from service_parts.log_events import fault

log = logging.getLogger("vialwise")

FIRST = 2.0  # seconds after the start of a worker, which has first calls to answer
THEN = 900.0  # seconds; what is done once a day is done once whoever asks


def start(*tasks: Callable[[], object]) -> Callable[[], None]:
    """What a worker calls when it starts: a thread beside those that answer, ended with it."""

    def begin() -> None:
        if tasks:
            threading.Thread(target=_run, args=(tasks,), daemon=True).start()

    return begin


def _run(
    tasks: tuple[Callable[[], object], ...],
    ended: threading.Event | None = None,
    wait: float = FIRST,
) -> None:
    ended = ended or threading.Event()
    while not ended.wait(wait):
        wait = THEN
        for task in tasks:
            try:
                task()
            except Exception as error:  # the service answers on, and asks again later
                log.error("what is too old was not deleted: %s", fault(error))
