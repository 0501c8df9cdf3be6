"""The service behind gunicorn with two workers, on the loopback, loaded by wrk.

wrk is a Debian package; without it the load comes from threads of this process, which cost as
much as a small server does, so the ratios are then nearer to 1 than they would be.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.in_process import ROUNDS
from bench.wsgi import PATH

CONCURRENCY = 16
SECONDS = 2  # of each run
_READY = 30

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
    """What one run measured: requests a second, latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    failed: int = 0


def compared(bodies: dict[str, bytes]) -> dict[str, tuple[Load, Load]]:
    """(service, bare view) for each body: medians of five runs, taken in turns."""
    with server("service") as ours, server("bare") as bare:
        found = {}
        for name, body in bodies.items():
            for port in (ours, bare):
                _load(port, body, 1)
            runs = [(_load(ours, body), _load(bare, body)) for _ in range(ROUNDS)]
            found[name] = (_median([a for a, _ in runs]), _median([b for _, b in runs]))
        return found


def _median(runs: list[Load]) -> Load:
    return Load(
        statistics.median(run.rate for run in runs),
        statistics.median(run.p50 for run in runs),
        statistics.median(run.p99 for run in runs),
        sum(run.failed for run in runs),
    )


# ---------------------------------------------------------------- the server


@contextmanager
def server(name: str) -> Iterator[int]:
    """gunicorn with `bench.servers:<name>`; the port it listens on."""
    port = _free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}",
               "--log-level", "error", f"bench.servers:{name}()"]  # fmt: skip
    process = subprocess.Popen(command, cwd=Path(__file__).parent.parent)
    try:
        _wait(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _READY
    while time.monotonic() < until and process.poll() is None:
        try:
            if _post(port, b"{}") >= 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("gunicorn did not start")


# ---------------------------------------------------------------- the load


def _load(port: int, body: bytes, seconds: int = SECONDS) -> Load:
    if shutil.which("wrk"):
        return _with_wrk(port, body, seconds)
    return _with_threads(port, body, seconds)


def _with_wrk(port: int, body: bytes, seconds: int) -> Load:
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder, "body.json"), Path(folder, "post.lua")
        file.write_bytes(body)
        script.write_text(_LUA.format(body=file))
        command = ["wrk", "-t1", f"-c{CONCURRENCY}", f"-d{seconds}s", "--timeout", "20s", "-s",
                   str(script), f"http://127.0.0.1:{port}{PATH}"]  # fmt: skip
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("RESULT"))
    rate, p50, p99, failed = map(float, line.split()[1:])
    return Load(rate, p50 / 1000, p99 / 1000, int(failed))


def _with_threads(port: int, body: bytes, seconds: int) -> Load:
    until = time.monotonic() + seconds

    def work(_: int) -> list[tuple[float, int]]:
        taken = []
        while time.monotonic() < until:
            started = time.perf_counter()
            status = _post(port, body)
            taken.append((time.perf_counter() - started, status))
        return taken

    with ThreadPoolExecutor(CONCURRENCY) as threads:
        every = [one for taken in threads.map(work, range(CONCURRENCY)) for one in taken]
    cuts = statistics.quantiles((took for took, _ in every), n=100)
    failed = sum(status != 200 for _, status in every)
    return Load(len(every) / seconds, cuts[49] * 1000, cuts[98] * 1000, failed)


def _post(port: int, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
