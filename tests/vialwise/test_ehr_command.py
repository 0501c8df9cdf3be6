"""`vialwise ehr` as its user starts it, and the project's own client and command against it."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.model.states import Present
from ehr_access.base import FhirBase
from ehr_access.client import EhrClient
from ehr_access.limits import Deadline, Limits
from ehr_access.query import Query, query_for
from ehr_access.server_metadata import Capabilities, Capability
from ehr_access.transport import Transport
from tests.vialwise.conftest import Run, written

ADA = "pat-ada-winterbourne"
START_SECONDS = 60


def started(*args: str) -> tuple[subprocess.Popen[str], str]:
    """The command in a process of its own, and the FHIR base that it says it has."""
    words = [sys.executable, "-m", "vialwise", "ehr", "--port", "0", *args]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.readline()
    match = re.search(r"http://127\.0\.0\.1:\d+/fhir", said)
    if match is None:
        process.kill()
        pytest.fail(f"it said {said!r} and {process.communicate()[1]!r}")
    return process, match[0]


def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(20)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    process, base = started("--open")
    yield base
    assert ended(process) == 0


@pytest.fixture
def client(base: str) -> EhrClient:
    transport, limits = Transport(), Limits(seconds=20)
    capabilities = Capabilities(transport, limits)
    return EhrClient(FhirBase.parse(base), transport, capabilities, limits=limits)


def test_our_client_gets_everything_the_rules_need(client: EhrClient) -> None:
    queries = {
        need.key: query for need in DATA_NEEDED if (query := query_for(need, ADA, "")) is not None
    }
    answers = client.fetch(queries, Deadline.after(20))
    for key in ("patient", "coverage", "conditions", "observations", "weight", "administrations"):
        assert isinstance(answers[key], Present), (key, answers[key])
    unknown = {k: a for k, a in answers.items() if a.__class__.__name__ == "Unknown"}
    assert unknown == {}


def test_our_client_reads_what_the_server_offers(client: EhrClient) -> None:
    offered = client.capability(Deadline.after(20))
    assert isinstance(offered, Capability)
    assert offered.fhir_version == "4.0.1"
    for need in DATA_NEEDED:
        if need.is_search:
            query = Query.parse(need.template.replace("{{context.patientId}}", "1"))
            assert offered.adapted(query) == query


def test_an_order_is_checked_against_it(run: Run, base: str) -> None:
    result = run(
        "check",
        "--fhir",
        base,
        "--patient",
        ADA,
        "--order",
        "MedicationRequest/ada-omalizumab-300-mg-again",
    )
    assert result.exit_code in (0, 2), result.output
    assert "J2357-JZ x 60" in result.stdout
    assert "Medicare Part B (recognised from the coverage)" in result.stdout


def test_a_folder_can_be_opened_like_another_ehr(tmp_path: Path) -> None:
    patient = {"resourceType": "Patient", "id": "p1"}
    bundle: dict[str, Any] = {"resourceType": "Bundle", "entry": [{"resource": patient}]}
    written(tmp_path / "bundle.json", bundle)
    (tmp_path / "more.ndjson").write_text(json.dumps({**patient, "id": "p2"}) + "\n\n")
    process, base = started("--open", "--data", str(tmp_path), "--like", "hapi")
    try:
        answer = Transport().get(
            f"{base}/Patient", token=None, deadline=Deadline.after(10), most_bytes=100_000
        )
        ids = [e["resource"]["id"] for e in json.loads(answer.body)["entry"]]  # type: ignore[union-attr]
        assert len(ids) == 2 and all(id_.isdigit() for id_ in ids)
    finally:
        assert ended(process) == 0


def test_without_open_a_token_is_wanted_and_the_start_says_so() -> None:
    process, base = started(
        "--app",
        "mine",
        "http://127.0.0.1:1/launch",
        "http://127.0.0.1:1/back",
        "--fault",
        "no_patient",
    )
    try:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:  # how many lines that takes is up to the port's digits
            line = process.stdout.readline()
            assert line, said
            said += line
        assert "client_id=mine" in said and "no_patient" in said
        assert "need an access token" in said
        answer = Transport().get(
            f"{base}/Patient", token=None, deadline=Deadline.after(10), most_bytes=100_000
        )
        assert answer.status == 401  # type: ignore[union-attr]
    finally:
        assert ended(process) == 0


def test_our_own_app_is_launched_from_it(tmp_path: Path) -> None:
    """Both as their users start them: out to the EHR, back with a code, into a window."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ours = f"http://127.0.0.1:{free.getsockname()[1]}"
    ehr, base = started("--app", "vialwise", f"{ours}/app/launch", f"{ours}/app/callback")
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'public_url = "{ours}"\n[[ehrs]]\nid = "practice"\nname = "Practice EHR"\n'
        f'fhir_base = "{base}"\nclient_id = "vialwise"\n'
    )
    words = [
        sys.executable,
        "-m",
        "vialwise",
        "serve",
        "--open",
        "--port",
        ours.rpartition(":")[2],
        "--config",
        str(settings),
        "--database",
        str(tmp_path / "db.sqlite"),
    ]
    app = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"{ours}/cds-services")
        asked = {"client_id": "vialwise", "patient": ADA}
        there = base.replace("/fhir", "/auth/launch")
        opened = requests.get(there, params=asked, timeout=30)
        ways = [urlsplit(answer.url).path for answer in (*opened.history, opened)]
        assert ways[:4] == ["/auth/launch", "/app/launch", "/auth/authorize", "/app/callback"]
        assert re.fullmatch(r"/app/w/[0-9a-f]+/.*", ways[4]), ways
    finally:
        app.terminate()
        app.wait(20)
        assert ended(ehr) == 0


def _wait_for(address: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(requests.RequestException):
            if requests.get(address, timeout=5).ok:
                return
        time.sleep(0.2)
    pytest.fail("the service did not start")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--data", "/no/such/folder"), "holds no FHIR resources"),
        (("--like", "nonsense"), "'nonsense' is not one of"),
        (("--fault", "nonsense"), "no simulated error is called nonsense"),
        (("--port", "99999"), "--port"),
    ],
)
def test_what_cannot_be_started_says_why(run: Run, args: tuple[str, ...], words: str) -> None:
    result = run("ehr", *args)
    assert result.exit_code == 2
    assert words in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", "{", "is no JSON"),
        ("a.json", '{"resourceType": "Patient", "id": "a b"}', "cannot be kept"),
        ("a.txt", "x", "holds no FHIR resources"),
        ("a.json", '[1, {"x": 2}]', "holds no FHIR resources"),
    ],
)
def test_a_folder_that_cannot_be_read_says_why(
    run: Run, tmp_path: Path, name: str, content: str, words: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    result = run("ehr", "--data", tmp_path)
    assert result.exit_code == 2
    assert words in result.stderr
