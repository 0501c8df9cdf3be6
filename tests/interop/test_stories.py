"""`vialwise doctor` and `vialwise fixtures` against another's server."""

from __future__ import annotations

import json

import pytest
import requests
from click.testing import CliRunner

import fixtures
from tests.interop.conftest import Server
from vialwise.cli import cli
from vialwise.ehrs import fixture_loading

pytestmark = pytest.mark.interop

TAG = "vialwise-interop"


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, words)
    return result.exit_code, result.stdout if result.exit_code in (0, 1) else result.output


def test_doctor_says_what_the_server_offers(server: Server) -> None:
    code, said = run("doctor", "--fhir", server.base, "--json", "--patient", "pat-ada-winterbourne")
    document = json.loads(said)
    asked = {query["key"]: query["asked"] for query in document["queries"] if "asked" in query}
    assert asked["patient"] == "1 found"
    assert not [text for text in asked.values() if text.startswith("not known")]
    offered = {query["offered"] for query in document["queries"]}
    if "HAPI" in server.name:
        assert (code, offered) == (0, {"yes"})
        assert document["fhirVersion"] == "4.0.1"
    else:  # it has no capability statement
        assert (code, offered) == (1, {"not known"})


def test_the_stories_are_put_there_and_taken_off_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the fixtures that are there without a tag and under the same ids."""
    code, said = run("fixtures", "load", "--fhir", server.base, "--tag", TAG)
    assert code == 2 and "nothing is overwritten" in said
    renamed(monkeypatch)
    code, said = run("fixtures", "load", "--fhir", server.base, "--tag", TAG)
    assert code == 0, said
    ours = set(fixture_loading.story_patients().values())
    assert {status(server, patient) for patient in ours} == {200}
    code, said = run("fixtures", "unload", "--fhir", server.base, "--tag", TAG)
    assert code == 0, said
    assert {status(server, patient) for patient in ours} <= {404, 410}
    theirs = {status(server, patient.removeprefix("x-")) for patient in ours}
    assert theirs == {200}, "a patient without the tag is gone"


def renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fixture under another id, so that they can stand beside those that are there."""
    found, patients, order = (
        fixture_loading.fixtures_to_load(False),
        fixture_loading.story_patients(),
        fixture_loading.story_order,
    )

    def other(reference: str) -> str:
        kind, slash, id_ = reference.partition("/")
        return f"{kind}/x-{id_}" if slash and not reference.startswith("#") else reference

    new = {r: other(r) for resource in found for r in fixtures.references(resource)}
    again = [
        {**fixture_loading.with_references(resource, new), "id": f"x-{resource['id']}"}
        for resource in found
    ]
    monkeypatch.setattr(fixture_loading, "fixtures_to_load", lambda everything: again)
    there = {story: f"x-{patient}" for story, patient in patients.items()}
    monkeypatch.setattr(fixture_loading, "story_patients", lambda: there)
    monkeypatch.setattr(fixture_loading, "story_order", lambda name: other(order(name)))


def status(server: Server, patient: str) -> int:
    return requests.get(f"{server.base}/Patient/{patient}", timeout=60).status_code
