"""What needs a process of its own: the first answer, a command, and memory after many answers."""

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


def check_of_a_file(file: Path) -> float:
    """CPU seconds of `vialwise check FILE`, from starting Python to its end."""
    command = [sys.executable, "-m", "vialwise", "check", str(file)]
    return statistics.median(_check(command) for _ in range(ROUNDS))


def _check(command: list[str]) -> float:
    before = _children_seconds()
    ended = subprocess.run(command, cwd=_HERE, env=_environment(), stdout=subprocess.DEVNULL)
    if ended.returncode not in (0, 1):  # clean, or with findings
        raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}")
    return _children_seconds() - before


def _first(name: str, body: Path) -> float:
    before = _children_seconds()
    _python(_FIRST.format(name=name), str(body))
    return _children_seconds() - before


def _children_seconds() -> float:
    """CPU seconds of the processes that were started here and have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def memory(requests: int) -> tuple[int, int]:
    """Kilobytes resident after 2,000 requests, and after `requests` more."""
    before, after = _python(_MEMORY, str(requests)).split()
    return int(before), int(after)


def _python(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(
        command, cwd=_HERE, env=_environment(), capture_output=True, text=True, check=True
    ).stdout


def _environment() -> dict[str, str]:
    """With bytecode, as an installed program has it."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(_HERE)}
