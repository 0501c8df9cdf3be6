"""Where the log goes: standard error, as JSON lines, or in words when that is a terminal."""

from __future__ import annotations

import logging
import sys
import threading

from gunicorn.glogging import Logger

from cds_hooks.pages.request_log import OURS, JsonLines, TerminalLines
from service_parts.log_events import fault

log = logging.getLogger("vialwise")

_NAME = "vialwise"


def to_standard_error(level: int = logging.INFO) -> None:
    """Send everything that is logged there: ours from `level` on, other packages' warnings.

    What Python prints by itself when a thread or the logging fails would repeat values, so a
    thread's fault becomes a line like the others and logging's own stays silent.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TerminalLines() if sys.stderr.isatty() else JsonLines())
    handler.set_name(_NAME)
    root = logging.getLogger()
    root.handlers = [*(other for other in root.handlers if other.name != _NAME), handler]
    root.setLevel(logging.WARNING)
    for room in OURS:
        logging.getLogger(room).setLevel(level)
    logging.raiseExceptions = False
    threading.excepthook = _thread_failed


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        log.error("a thread failed: %s", fault(failed.exc_value))


class ServerLog(Logger):  # type: ignore[misc]
    """gunicorn's own log goes where ours goes; its handler would write addresses of requests and
    the messages of exceptions."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        self.error_log.handlers = []
        self.error_log.propagate = True
