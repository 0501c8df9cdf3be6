"""What needs a process of its own: the first answer, and memory after many."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from bench.in_process import ROUNDS

_HERE = Path(__file__).parent.parent
_FIRST = """
import sys
from bench import servers
from bench.wsgi import answer_of
answer_of(servers.{name}(), open(sys.argv[1], "rb").read())
"""
_MEMORY = """
import sys
from bench.bodies import SIZES, body
from bench.in_process import application
from bench.wsgi import answer_of
app, sent, many = application(), body(SIZES["18 KB"]), int(sys.argv[1])
def kilobytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
for _ in range(2000):
    answer_of(app, sent)
before = kilobytes()
for _ in range(many):
    answer_of(app, sent)
print(before, kilobytes())
"""


def first_answers(body: Path) -> tuple[float, float]:
    """(service, bare Flask): CPU seconds from starting Python to the first answer."""
    runs = [[_first(name, body) for name in ("service", "bare")] for _ in range(ROUNDS)]
    ours, bare = zip(*runs, strict=True)
    return statistics.median(ours), statistics.median(bare)


def _first(name: str, body: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _python(_FIRST.format(name=name), str(body))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def memory(requests: int) -> tuple[int, int]:
    """Kilobytes resident after 2,000 requests, and after `requests` more."""
    before, after = _python(_MEMORY, str(requests)).split()
    return int(before), int(after)


def _python(script: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(_HERE)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(
        command, cwd=_HERE, env=environment, capture_output=True, text=True, check=True
    ).stdout
