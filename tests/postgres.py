"""A PostgreSQL of our own from the distribution's programs, on a socket in its own directory."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vialwise import database

_BINARIES = Path("/usr/lib/postgresql")
_QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
_READY = 30  # seconds
_ENDED = 20


def programs() -> Path | None:
    """The folder with the newest server's programs, where any is installed."""
    found = sorted(_BINARIES.glob("*/bin/initdb"))
    return found[-1].parent if found else None


class PostgreSql:
    """A server that only this machine's own programs reach; it can be stopped and started again."""

    def __init__(self, binaries: Path, home: Path) -> None:
        self.url = f"postgresql://vialwise@/postgres?host={home}"
        self._binaries, self._home, self._data = binaries, home, str(home / "data")
        self._someone = _not_root(home)
        self._process: subprocess.Popen[bytes] | None = None
        init = [binaries / "initdb", "-D", self._data, "-A", "trust", "-U", "vialwise", "--no-sync"]
        command = [*map(str, init), "-E", "UTF8"]
        subprocess.run(command, check=True, cwd=home, **_QUIET, **self._someone)

    def start(self) -> None:
        """Returns when it takes connections."""
        serve = [
            self._binaries / "postgres",
            "-D",
            self._data,
            "-k",
            self._home,
            "-c",
            "listen_addresses=",
            "-F",
        ]
        self._process = subprocess.Popen(
            [*map(str, serve)], cwd=self._home, **_QUIET, **self._someone
        )
        self._wait()

    def stop(self) -> None:
        """Ends every connection, and the server by its id ("fast shutdown")."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_ENDED)
            self._process = None

    def _wait(self) -> None:
        until = time.monotonic() + _READY
        engine = database.engine(database.address(self.url))
        while True:
            try:
                engine.connect().close()
                engine.dispose()
                return
            except sa.exc.OperationalError:
                if time.monotonic() > until or not self._is_running():
                    raise
                time.sleep(0.05)

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None


@contextmanager
def started(binaries: Path) -> Iterator[PostgreSql]:
    """A running server with an empty database, gone when the block ends."""
    home = Path(tempfile.mkdtemp(prefix="vialwise-pg-"))
    server = PostgreSql(binaries, home)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


def _not_root(home: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as somebody who may do nothing else."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
