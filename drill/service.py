"""`vialwise serve` as it is run: a process of its own, with a file of settings and its log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.cds_hooks import tokens

ROOT = Path(__file__).parent.parent
WORKERS = 2
_READY = 60  # seconds
_ENDS = 15
_ADDRESS = re.compile(r"answers at (http://\S+?)/cds-services")
_SECRET = "a secret of the drill, 32 characters or more"


@dataclass(slots=True)
class Service:
    """The running service; everything is asked of it from outside."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def workers(self) -> set[int]:
        """The ids of the worker processes that are alive."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text(encoding="ascii").split()}

    def workers_of(self, instance: str) -> set[int]:
        """The worker that answered the call with this hook instance."""
        return {line["pid"] for line in self.lines(event="call", hook_instance=instance)}

    def kill_a_worker(self) -> int:
        """SIGKILL for the worker that has been alive longest; its id."""
        pid = min(self.workers(), key=_started_at)
        os.kill(pid, signal.SIGKILL)
        return pid

    def lines(self, **fields: Any) -> list[dict[str, Any]]:
        """The lines of the log in which these fields have these values."""
        text = self.log.read_text(encoding="utf-8", errors="replace").rpartition("\n")[0]
        read = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
        return [line for line in read if fields.items() <= line.items()]


@contextmanager
def running(folder: Path, fhir_base: str, database: str) -> Iterator[Service]:
    """The service with one registered EHR; ended with all its workers when the block ends."""
    config = _config(folder, fhir_base, database)
    log, said = folder / "service.log", folder / "service.out"
    command = [sys.executable, "-u", "-m", "vialwise", "serve", "--config", str(config)]
    with said.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=err, env=_environment(folder)
        )
    service = None
    try:
        service = Service(_address(process, said, log), process, log)
        _wait_for(service)
        yield service
    finally:
        _end(process, service.workers() if service and process.poll() is None else set())


def _config(folder: Path, fhir_base: str, database: str) -> Path:
    keys = folder / "ehr-jwks.json"
    keys.write_text(tokens.jwks(tokens.EC), encoding="utf-8")
    config = folder / "vialwise.toml"
    config.write_text(
        f"""port = 0
public_url = "{tokens.BASE}"
database = "{database}"
quiet_days = 0  # every call gets its cards, whatever feedback said before

[[clients]]
iss = "{tokens.ISS}"
tenant = "{tokens.TENANT}"
jwks_file = "{keys.name}"
fhir_base = "{fhir_base}"
calls_per_minute = 100000
""",
        encoding="utf-8",
    )
    return config


def _environment(folder: Path) -> dict[str, str]:
    """This one without settings of the service, its files in the drill's own folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VIALWISE_")}
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "TMPDIR": str(folder)}
    return {**kept, **home, "VIALWISE_RECORD_SECRET": _SECRET}


def _address(process: subprocess.Popen[bytes], said: Path, log: Path) -> str:
    until = time.monotonic() + _READY
    while time.monotonic() < until and process.poll() is None:
        if found := _ADDRESS.search(said.read_text(encoding="utf-8")):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the service did not start: {log.read_text(encoding='utf-8')[-2000:]}")


def _wait_for(service: Service) -> None:
    until = time.monotonic() + _READY
    while True:
        try:
            requests.get(f"{service.url}/healthz", timeout=5).raise_for_status()
            if len(service.workers()) == WORKERS:
                return
        except requests.RequestException:
            if time.monotonic() > until:
                raise
        time.sleep(0.05)


def _started_at(pid: int) -> int:
    """In clock ticks since the machine started (proc(5), field 22 of stat)."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return int(stat.rpartition(")")[2].split()[19])


def _end(process: subprocess.Popen[bytes], workers: set[int]) -> None:
    """Ask it to end, by its id. Raises RuntimeError when it, or a worker of it, does not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_ENDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_ENDS)
    left = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    if left or process.returncode:
        raise RuntimeError(f"the service ended with {process.returncode}, {len(left)} workers left")
