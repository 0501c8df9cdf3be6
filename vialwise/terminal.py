"""What a command prints: text in 80 columns, a sign of life, errors as one line.

Chart text is printed too, so control characters never reach the terminal.
"""

from __future__ import annotations

import sys
import textwrap
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

# ----------------------------------------------------------------------
# What went wrong, in one line that says the remedy, and the exit code that goes with it.


CLEAN, FINDINGS, NOT_CHECKED = 0, 1, 2


class CommandProblem(click.ClickException):
    """Ends the command with one line on standard error and exit code 2."""

    exit_code = NOT_CHECKED


# ----------------------------------------------------------------------
# Text for a terminal: 80 columns, wrapped, colours only where there is a terminal.
#
# Chart text is printed too, so control characters never reach the terminal.


WIDTH = 80


def plain(text: str) -> str:
    """`text` on one line without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def wrapped(text: str, first: str = "", indent: int | None = None) -> str:
    """`text` under the label `first`, its further lines indented below it."""
    below = " " * (len(first) if indent is None else indent)
    return textwrap.fill(
        plain(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent=below,
        break_on_hyphens=False,
    )


def say(text: str = "", first: str = "", indent: int | None = None, **style: object) -> None:
    """Print `text` wrapped; `style` colours the label where there is one, else the whole text."""
    block = wrapped(text, first, indent) if text else first.rstrip()
    if not style:
        click.echo(block)
    elif first.strip():
        click.echo(click.style(first, **style) + block[len(first) :])  # type: ignore[arg-type]
    else:
        click.echo(click.style(block, **style))  # type: ignore[arg-type]


def heading(text: str, indent: int = 0) -> None:
    """A line of its own that starts a part."""
    click.echo(click.style(wrapped(text, " " * indent), bold=True))


def points(items: Iterable[str], indent: int = 2) -> None:
    """Each item wrapped behind a dash."""
    for item in items:
        say(item, " " * indent + "- ")


def fields(pairs: Iterable[tuple[str, str]], indent: int = 2, width: int = 14) -> None:
    """Names in one column, their texts wrapped in the next."""
    for name, text in pairs:
        say(text, " " * indent + name.ljust(width))


def columns(rows: Sequence[tuple[str, ...]], indent: int = 2) -> None:
    """Rows under each other; the last column wraps."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [plain(cell).ljust(w) for cell, w in zip(row, widths, strict=False)]
        say(row[-1], " " * indent + "".join(cells))


# ----------------------------------------------------------------------
# A sign of life on standard error for what takes longer than a second.


AFTER = 1.0
EVERY = 0.5


@contextmanager
def progress(what: str) -> Iterator[None]:
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
