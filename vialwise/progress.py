"""A sign of life on standard error for what takes longer than a second."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

AFTER = 1.0
EVERY = 0.5


@contextmanager
def shown(what: str) -> Iterator[None]:
    """Say `what` while the block runs, from its second second on: counting on a terminal, else
    once."""
    done = threading.Event()
    thread = threading.Thread(target=_tick, args=(what, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _tick(what: str, done: threading.Event) -> None:
    began = time.monotonic()
    if done.wait(AFTER):
        return
    if not sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr, flush=True)
        return
    while not done.wait(EVERY):
        seconds = time.monotonic() - began
        print(f"\r{what} ... {seconds:.0f} s", end="", file=sys.stderr, flush=True)
    print(f"\r{' ' * (len(what) + 12)}\r", end="", file=sys.stderr, flush=True)
