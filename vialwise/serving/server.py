"""The server process: its socket, workers, logs, metrics, and what is done beside answering."""

from __future__ import annotations

import errno
import gc
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from werkzeug.middleware.proxy_fix import ProxyFix

from cds_hooks.recording import OURS, JsonLines, TerminalLines
from service_parts.log_events import fault
from vialwise.terminal import CommandProblem

# ----------------------------------------------------------------------
# Where the log goes: standard error, as JSON lines, or in words when that is a terminal.


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


# ----------------------------------------------------------------------
# The service under gunicorn, embedded: a socket of our own, two workers, a clean end.


WORKERS = 2
THREADS = 8  # of all workers together
Wsgi = Callable[..., Any]


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port` (0: any free one). Raises Problem."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(128)
    except (OSError, OverflowError) as error:
        raise CommandProblem(_why_not_bound(host, port, error)) from None
    return bound


def _why_not_bound(host: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"port {port} is taken by another program: choose another with --port"
    if number == errno.EACCES:
        return f"port {port} is reserved: choose one above 1023 with --port"
    return f"{host} port {port} cannot be listened on: check --host and --port"


def address_of(bound: socket.socket) -> str:
    """The URL a client on this machine reaches the socket at."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


class _Embedded(BaseApplication):  # type: ignore[misc]
    """gunicorn with settings from here only: no file, no environment, no command line."""

    def __init__(
        self, application: Wsgi, bound: socket.socket, workers: int, in_worker: Callable[[], None]
    ) -> None:
        self._application = application
        self._bound = bound
        self._workers = workers
        self._in_worker = in_worker
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"fd://{self._bound.detach()}",
            "workers": self._workers,
            "worker_class": "gthread",
            "threads": max(1, THREADS // self._workers),
            "loglevel": "error",
            "logger_class": ServerLog,
            "accesslog": None,  # its lines hold addresses; ours say what was asked (request_log.py)
            "proc_name": "vialwise",
            "graceful_timeout": 5,
            # Who called, and how, is for proxies.py alone to believe. gunicorn would also take a
            # path from headers named SCRIPT_NAME and PATH_INFO, past what a proxy lets through.
            "forwarded_allow_ips": "",
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            # It would be one file in the home directory for all servers on this machine.
            "control_socket_disable": True,
            "post_worker_init": lambda worker: self._in_worker(),
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Wsgi:
        gc.collect()
        gc.freeze()  # the catalogue lives as long as a worker: do not search it for garbage
        return self._application


def run(
    application: Wsgi,
    bound: socket.socket,
    workers: int = WORKERS,
    in_worker: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then end the process with exit code 0. What keeps its state
    in memory has one worker. Each worker calls `in_worker` when it starts."""
    _Embedded(application, bound, workers, in_worker).run()


@contextmanager
def running(
    application: Wsgi, bound: socket.socket, workers: int = WORKERS
) -> Iterator[BaseProcess]:
    """The service in a process of its own, ended when the block ends, however it ends."""
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_run_apart, args=(application, bound, workers))
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    process.start()
    bound.close()
    try:
        yield process
    finally:
        process.terminate()
        process.join(10)
        if process.is_alive():
            process.kill()
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_apart(application: Wsgi, bound: socket.socket, workers: int) -> None:
    """In a process group of its own: Ctrl-C goes to the parent alone, which ends this in order."""
    os.setpgid(0, 0)
    run(application, bound, workers)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


# ----------------------------------------------------------------------
# Metrics that all workers of this process share.


if TYPE_CHECKING:
    from cds_hooks.calls.metrics import Metrics

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client when it is imported


@contextmanager
def shared_metrics() -> Iterator[Metrics]:
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


def behind_proxies(application: Any, proxies: int) -> Any:
    """`application` as it is called through that many proxies; 0 believes nobody."""
    if not proxies:
        return application
    return ProxyFix(application, x_for=proxies, x_proto=proxies, x_host=0)


# ----------------------------------------------------------------------
# Has every worker ask now and then whether something is too old to be kept (retention.py).


FIRST = 2.0  # seconds after the start of a worker, which has first calls to answer
THEN = 900.0  # seconds; what is done once a day is done once whoever asks


def start_retention(*tasks: Callable[[], object]) -> Callable[[], None]:
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
