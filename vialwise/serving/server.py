"""The service under gunicorn, embedded: a socket of our own, two workers, a clean end."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication

from vialwise.problems import Problem
from vialwise.serving.logs import ServerLog

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
        raise Problem(_why_not_bound(host, port, error)) from None
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
