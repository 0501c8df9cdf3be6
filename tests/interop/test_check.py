"""`vialwise check --fhir` against another's server."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import fixtures
from tests.interop.conftest import Server
from vialwise.cli import cli

pytestmark = pytest.mark.interop

STORIES = [name for name in fixtures.names("hook_requests") if name.startswith("story-")]


def checked(*words: str) -> tuple[int, dict]:  # type: ignore[type-arg]
    result = CliRunner().invoke(cli, ["check", *words, "--json", "--on", "2026-11-23"])
    assert result.exit_code in (0, 1), result.output
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_judged_as_from_its_file(server: Server, name: str) -> None:
    file = fixtures.path(f"hook_requests/{name}")
    body = fixtures.load(f"hook_requests/{name}")
    (entry,) = body["context"]["draftOrders"]["entry"]
    order = f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
    patient = body["context"]["patientId"]
    live = checked("--fhir", server.base, "--patient", patient, "--order", order)
    assert live == checked(str(file))


def test_a_patient_who_is_not_there_is_said(server: Server) -> None:
    order = str(fixtures.path("orders/seed-omalizumab-j2356"))
    words = ["check", "--fhir", server.base, "--patient", "nobody-of-that-id", "--order", order]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 2
    assert "patient" in result.stderr
