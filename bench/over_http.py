"""The service behind gunicorn with two workers, on the loopback, loaded by wrk; others beside it.

wrk is a Debian package; without it the load comes from threads of this process, which cost as
much as a small server does, so the ratios are then nearer to 1 than they would be.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bench.in_process import ROUNDS
from bench.wsgi import PATH

CONCURRENCY = 16
SECONDS = 2  # of each run
_READY = 60
_HERE = Path(__file__).parent.parent

_LUA = """
local file = io.open("{body}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["Content-Type"] = "application/json"
function done(summary, latency, requests)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("RESULT %f %d %d %d", summary.requests / summary.duration * 1e6,
    latency:percentile(50), latency:percentile(99), bad))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run measured: requests a second, latencies in milliseconds, and the milliseconds of
    CPU time that the server took for a request, which other programs change least."""

    rate: float
    p50: float
    p99: float
    failed: int = 0
    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Served:
    """An application of bench.servers behind a server with two workers. `command` lacks the port;
    `prefix` stands before the address that is called."""

    command: tuple[str, ...]
    prefix: str = ""


# gunicorn as `vialwise serve` runs it (vialwise/server.py), the bare view alike
_GUNICORN = (
    sys.executable,
    "-m",
    "gunicorn",
    "--workers",
    "2",
    "--worker-class",
    "gthread",
    "--threads",
    "4",
    "--log-level",
    "error",
)
SERVICE, BARE, GRANIAN, HEALTHCHAIN = "service", "bare", "granian", "healthchain"
_SERVED = {
    SERVICE: Served((*_GUNICORN, "bench.servers:service()", "--bind", "127.0.0.1:{port}")),
    BARE: Served((*_GUNICORN, "bench.servers:bare()", "--bind", "127.0.0.1:{port}")),
}
_OTHERS = _HERE / ".venv-bench" / "bin" / "python"


def served() -> dict[str, Served]:
    """What can be compared here: granian and healthchain only where `make bench` made their
    environment."""
    if not (_OTHERS.parent / "granian").exists():
        return _SERVED
    python = str(_OTHERS)
    granian = (
        python,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--workers",
        "2",
        "--factory",
        "--log-level",
        "error",
        "bench.servers:service",
        "--port",
        "{port}",
    )
    uvicorn = (
        python,
        "-m",
        "uvicorn",
        "--workers",
        "2",
        "--factory",
        "--log-level",
        "error",
        "bench.servers:healthchain",
        "--port",
        "{port}",
    )
    return {**_SERVED, GRANIAN: Served(granian), HEALTHCHAIN: Served(uvicorn, "/cds")}


def compared(bodies: dict[str, bytes]) -> dict[str, dict[str, Load]]:
    """Body -> server -> medians of five runs, taken in turns."""
    found: dict[str, dict[str, Load]] = {}
    with ExitStack() as stack:
        running = {name: stack.enter_context(server(one)) for name, one in served().items()}
        for size, body in bodies.items():
            for url, _ in running.values():
                _load(url, body, 1)
            runs: dict[str, list[Load]] = {name: [] for name in running}
            for _ in range(ROUNDS):
                for name, (url, process) in running.items():
                    runs[name].append(_measured(url, body, process))
            found[size] = {name: _median(loads) for name, loads in runs.items()}
    return found


def _measured(url: str, body: bytes, process: int) -> Load:
    before = _cpu_seconds(process)
    load = _load(url, body)
    took = _cpu_seconds(process) - before
    return replace(load, cpu=took * 1000 / max(load.rate * SECONDS, 1))


def _cpu_seconds(process: int) -> float:
    """Of a process and all below it; 0 where the system does not tell."""
    try:
        told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        below = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0.0
    own = (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime
    return own + sum(_cpu_seconds(int(child)) for child in below)


def _median(runs: list[Load]) -> Load:
    return Load(
        statistics.median(run.rate for run in runs),
        statistics.median(run.p50 for run in runs),
        statistics.median(run.p99 for run in runs),
        sum(run.failed for run in runs),
        statistics.median(run.cpu for run in runs),
    )


# ---------------------------------------------------------------- the server


@contextmanager
def server(one: Served) -> Iterator[tuple[str, int]]:
    """The server, running: the URL to call, and its process."""
    port = _free_port()
    command = [part.format(port=port) for part in one.command]
    # Its own log is not what is measured, and healthchain greets with a banner.
    process = subprocess.Popen(command, cwd=_HERE, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}{one.prefix}{PATH}"
    try:
        _wait(url, process)
        yield url, process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _READY
    while time.monotonic() < until and process.poll() is None:
        try:
            if _post(url, b"{}") >= 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} did not answer within {_READY} s")


# ---------------------------------------------------------------- the load


def _load(url: str, body: bytes, seconds: int = SECONDS) -> Load:
    if shutil.which("wrk"):
        return _with_wrk(url, body, seconds)
    return _with_threads(url, body, seconds)


def _with_wrk(url: str, body: bytes, seconds: int) -> Load:
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder, "body.json"), Path(folder, "post.lua")
        file.write_bytes(body)
        script.write_text(_LUA.format(body=file))
        command = [
            "wrk",
            "-t1",
            f"-c{CONCURRENCY}",
            f"-d{seconds}s",
            "--timeout",
            "20s",
            "-s",
            str(script),
            url,
        ]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("RESULT"))
    rate, p50, p99, failed = map(float, line.split()[1:])
    return Load(rate, p50 / 1000, p99 / 1000, int(failed))


def _with_threads(url: str, body: bytes, seconds: int) -> Load:
    until = time.monotonic() + seconds

    def work(_: int) -> list[tuple[float, int]]:
        taken = []
        while time.monotonic() < until:
            started = time.perf_counter()
            status = _post(url, body)
            taken.append((time.perf_counter() - started, status))
        return taken

    with ThreadPoolExecutor(CONCURRENCY) as threads:
        every = [one for taken in threads.map(work, range(CONCURRENCY)) for one in taken]
    cuts = statistics.quantiles((took for took, _ in every), n=100)
    failed = sum(status != 200 for _, status in every)
    return Load(len(every) / seconds, cuts[49] * 1000, cuts[98] * 1000, failed)


def _post(url: str, body: bytes) -> int:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.netloc, timeout=20)
    try:
        connection.request("POST", place.path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
