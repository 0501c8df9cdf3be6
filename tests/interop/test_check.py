"""`vialwise check --fhir` against another's server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import fixtures
from tests.interop.conftest import Server
from vialwise.cli import cli

pytestmark = pytest.mark.interop

STORIES = [name for name in fixtures.names("hook_requests") if name.startswith("story-")]


def checked(*words: str) -> tuple[int, dict]:  # type: ignore[type-arg]
    command = ["check", *words, "--json", "--on", "2026-11-23", "--timeout", "120"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code in (0, 1), result.output
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_judged_as_from_its_file(server: Server, name: str, tmp_path: Path) -> None:
    """One draft is named by its id there; of several, which belong together, the file is given."""
    body = fixtures.load(f"hook_requests/{name}")
    drafts = body["context"]["draftOrders"]
    resources = [entry["resource"] for entry in drafts["entry"]]
    order = f"{resources[0]['resourceType']}/{resources[0]['id']}"
    if len(resources) > 1:
        file = tmp_path / "drafts.json"
        file.write_text(json.dumps(drafts), encoding="utf-8")
        order = str(file)
    patient = body["context"]["patientId"]
    live = checked("--fhir", server.base, "--patient", patient, "--order", order)
    assert live == checked(str(fixtures.path(f"hook_requests/{name}")))


def test_a_patient_who_is_not_there_is_said(server: Server) -> None:
    order = str(fixtures.path("orders/seed-omalizumab-j2356"))
    words = ["check", "--fhir", server.base, "--patient", "nobody-of-that-id", "--order", order]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert "patient" in result.stderr
