"""Is it up, is it ready; and the whole of it as a process with two workers."""

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
from dataclasses import replace
from pathlib import Path

import pytest
import requests

import fixtures
from billing_rules.catalogue import Catalogue
from cds_hooks import Settings, create_app
from cds_hooks.pages import front
from cds_hooks.record.store import Store, temporary
from tests.cds_hooks.conftest import BASE, SERVICE, TODAY, Client
from tests.databases import KEYS

ROOT = Path(__file__).parents[2]


def test_healthz_needs_nothing(client_with: Client) -> None:
    answer = client_with(open=False).get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_readyz_says_what_it_stands_on(client_with: Client, store: Store, tmp_path: Path) -> None:
    kept = client_with(store, open=False, rule_set="1.0+rules")
    said = kept.get("/readyz")
    assert said.status_code == 200 and said.headers["Cache-Control"] == "no-store"
    assert said.json["rule_set"] == "1.0+rules" and "drugs" in said.json["catalogue"]
    assert said.json["database"] == front.REACHED
    (tmp_path / "store.sqlite").unlink()
    away = kept.get("/readyz")
    assert (away.status_code, away.json["database"]) == (200, front.AWAY)


def test_readyz_leaves_a_database_alone_that_just_failed(
    client_with: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.backoff, "_until", float("inf"))
    monkeypatch.setattr(store.audit, "reach", lambda: pytest.fail("asked"))
    assert client_with(store).get("/readyz").json["database"] == front.AWAY


def test_readyz_is_503_without_a_catalogue(catalogue: Catalogue) -> None:
    settings = Settings(public_url=BASE, today=lambda: TODAY, open=True)
    empty = create_app(replace(catalogue, drug_files={}), settings, temporary(KEYS)).test_client()
    assert empty.get("/readyz").status_code == 503
    assert empty.get("/healthz").status_code == 200


# ---------------------------------------------------------------- a process with two workers


@contextmanager
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """`vialwise serve`, its address, and the file its log goes to."""
    log = tmp_path / "log"
    command = [sys.executable, "-m", "vialwise", "serve", "--open", "--port", "0"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--database", str(tmp_path / "served.sqlite")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)},
        )
    try:
        found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
        yield process, found[0], log
    finally:
        process.kill()
        process.communicate(timeout=10)


def answered(url: str) -> float:
    text = requests.get(f"{url}/metrics", timeout=10).text
    return sum(float(n) for n in re.findall(r'calls_total{[^}]*"answered"[^}]*} (\S+)', text))


def worker_pids(log: Path) -> set[int]:
    return {line["pid"] for line in lines(log) if line["event"] == "call"}


def lines(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_two_workers_log_audit_and_count_together(tmp_path: Path) -> None:
    body = fixtures.hook_request("seed-case")
    with served(tmp_path) as (process, url, log):
        sent = 0
        until = time.monotonic() + 30
        while sent < 10 or (len(worker_pids(log)) < 2 and time.monotonic() < until):
            assert requests.post(f"{url}{SERVICE}?patient=pat-x", json=body, timeout=10).ok
            sent += 1
        one = min(worker_pids(log))
        assert len(worker_pids(log)) == 2
        assert answered(url) == sent
        os.kill(one, signal.SIGKILL)
        time.sleep(1)
        assert answered(url) == sent, "a worker that is killed takes no numbers along"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    said = lines(log)
    assert [line["status"] for line in said if line["event"] == "call"] == [200] * sent
    assert any("SIGKILL" in line["event"] for line in said), "the server's own log is in it too"
    assert "pat-" not in log.read_text()
    assert not list(tmp_path.glob("vialwise-metrics-*")), "the workers' numbers are removed"
