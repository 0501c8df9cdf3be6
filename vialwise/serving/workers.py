"""Metrics that all workers of this process share."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from werkzeug.middleware.proxy_fix import ProxyFix

from service_parts.log_events import fault

if TYPE_CHECKING:
    from cds_hooks.calls.metrics import Metrics

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client when it is imported


@contextmanager
def shared() -> Iterator[Metrics]:
    """Metrics whose numbers stand in a directory of their own, which goes when the block ends.

    Workers that are forked inside the block leave it too, by exceptions: only the process that
    made the directory removes it.
    """
    directory, maker = tempfile.mkdtemp(prefix="vialwise-metrics-"), os.getpid()
    os.environ[_VARIABLE] = directory
    try:
        from cds_hooks.calls.metrics import Metrics

        yield Metrics(directory)
    finally:
        if os.getpid() == maker:
            os.environ.pop(_VARIABLE, None)
            shutil.rmtree(directory, ignore_errors=True)


# ----------------------------------------------------------------------
# The proxies in front: who called and whether over TLS, as they say it, and nobody else.
#
# `X-Forwarded-For` and `X-Forwarded-Proto` can be sent by anyone, so only as many of their
# entries are believed as there are proxies of the site's own, counted from the end (werkzeug's
# ProxyFix). Which host was called is never asked: it is public_url.


def behind(application: Any, proxies: int) -> Any:
    """`application` as it is called through that many proxies; 0 believes nobody."""
    if not proxies:
        return application
    return ProxyFix(application, x_for=proxies, x_proto=proxies, x_host=0)


# ----------------------------------------------------------------------
# Has every worker ask now and then whether something is too old to be kept (retention.py).


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
