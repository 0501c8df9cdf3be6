"""The installation's secret, made on first use and kept beside the SQLite file, for its user only.

Who has the database alone cannot tell whose cards are in it (cds_hooks/keyed_hashes.py).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

from cds_hooks.record.entries import SHORTEST_SECRET
from vialwise.terminal import CommandProblem


def beside(database: Path) -> Path:
    """Where the secret of the database in this file is."""
    return database.with_name(database.name + ".secret")


def secret(file: Path) -> bytes:
    """What `file` holds, made when there is none. Raises Problem, or OSError from the disk."""
    with contextlib.suppress(FileNotFoundError):
        return read(file)
    _make(file)
    return read(file)


def read(file: Path, shortest: int = SHORTEST_SECRET, longest: int = 4096) -> bytes:
    """What a file holds that its user alone may read. Raises Problem, or OSError from the disk."""
    with file.open("rb") as opened:
        others = stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077
        content = opened.read(longest).strip()
    if others and os.name == "posix":
        raise CommandProblem(f"{file} can be read by others: chmod 600 {file}")
    if len(content) < shortest:
        raise CommandProblem(f"{file} holds no secret of {shortest} bytes: restore or remove it")
    return content


def _make(file: Path) -> None:
    """Whole or not at all, and never twice: the first of several processes wins."""
    handle, made = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w") as opened:
            opened.write(secrets.token_hex(SHORTEST_SECRET) + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(made, file)
    finally:
        os.unlink(made)
