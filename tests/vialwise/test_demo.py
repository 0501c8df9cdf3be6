"""`vialwise demo` and `vialwise serve` as real processes on free ports."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.vialwise.conftest import Run

ROOT = Path(__file__).parents[2]
VIALWISE = (sys.executable, "-m", "vialwise")


@contextmanager
def started(*args: str) -> Iterator[subprocess.Popen[str]]:
    """A process of ours, ended by its id whatever happens; it takes its own processes along."""
    process = subprocess.Popen(
        [*VIALWISE, *args],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def url_in(process: subprocess.Popen[str]) -> str:
    """The service's address, from the first line that holds one."""
    return address_after("", process)


def address_after(words: str, process: subprocess.Popen[str]) -> str:
    """The address in the next line that has one behind `words`. A process that says none is ended,
    so that its output ends too."""
    assert process.stdout is not None
    give_up = threading.Timer(60, process.kill)
    give_up.start()
    try:
        for line in process.stdout:
            if found := re.search(rf"{words}.*?(http://[\d.]+:\d+)", line):
                return found[1]
    finally:
        give_up.cancel()
    raise AssertionError("it ended without an address")


def test_the_demo_shows_cards_and_ends_without_a_terminal() -> None:
    result = subprocess.run(
        [*VIALWISE, "demo", "--port", "0"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "J2356 is not omalizumab: change it to J2357" in result.stdout
    assert "[ Set 60 units ]" in result.stdout
    assert "J2357-JW x 15" in result.stdout
    assert "\x1b" not in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80


def test_the_demo_stays_up_until_it_is_ended() -> None:
    with started("demo", "--port", "0", "--stay") as process:
        url, ehr = url_in(process), address_after("Open ", process)
        assert requests.get(f"{url}/cds-services", timeout=5).ok
        assert "Six stories" in requests.get(ehr, timeout=5).text
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        for address in (f"{url}/cds-services", ehr):
            with pytest.raises(requests.ConnectionError):
                requests.get(address, timeout=5)


def test_the_order_desk_of_the_demo_is_answered_with_cards() -> None:
    with started("demo", "--port", "0", "--stay") as process:
        ehr = address_after("Open ", process)
        page = requests.post(f"{ehr}/stories/story-j2356-on-omalizumab", timeout=20)
        assert "J2356 is not omalizumab: change it to J2357" in page.text
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0


def test_a_terminated_demo_takes_its_service_along() -> None:
    with started("demo", "--port", "0", "--stay") as process:
        url = url_in(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{url}/cds-services", timeout=5)


@pytest.mark.parametrize("open_", [True, False])
def test_serve_answers_and_ends_cleanly(open_: bool) -> None:
    with started("serve", "--port", "0", *(["--open"] if open_ else [])) as process:
        url = url_in(process)
        assert requests.get(f"{url}/cds-services", timeout=10).ok
        body = (ROOT / "fixtures/hook_requests/story-j2356-on-omalizumab.json").read_bytes()
        answer = requests.post(f"{url}/cds-services/vialwise-orders", data=body, timeout=10)
        assert answer.status_code == (200 if open_ else 401)
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert process.stdout is not None
        rest = process.stdout.read()
        assert ("No client is registered yet" in rest) is not open_


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_taken_port_is_said_in_one_line(run: Run, command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run(command, "--port", port)
    assert result.exit_code == 2
    assert result.stderr == (
        f"vialwise: port {port} is taken by another program: choose another with --port\n"
    )
