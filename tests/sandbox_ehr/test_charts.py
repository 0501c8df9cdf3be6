"""What the EHR opens with: charts that are current, ids and drugs where an EHR puts them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

import fixtures
from sandbox_ehr import charts
from sandbox_ehr import charts as quirks
from tests.sandbox_ehr.conftest import ADA


@pytest.mark.parametrize("days", [0, 1, 40, 400, -30])
def test_charts_are_as_old_on_any_day_as_on_the_day_they_were_written(days: int) -> None:
    today = fixtures.WRITTEN_ON + timedelta(days)
    written = {r["id"]: r for r in fixtures.resources() if r["resourceType"] == "Observation"}
    shown = [r for r in charts.invented(today) if r["resourceType"] == "Observation"]
    for resource in shown:
        then = date.fromisoformat(written[resource["id"]]["effectiveDateTime"][:10])
        now = date.fromisoformat(resource["effectiveDateTime"][:10])
        assert today - now == fixtures.WRITTEN_ON - then


def test_drafts_come_with_the_charts_unless_they_are_not_wanted() -> None:
    kinds = {r["resourceType"] for r in charts.invented(date(2026, 11, 24), drafts=False)}
    assert "Claim" not in kinds
    assert "Claim" in {r["resourceType"] for r in charts.invented(date(2026, 11, 24))}


@pytest.mark.parametrize("name", quirks.quirk_names())
def test_what_another_ehr_has_is_still_valid_r4(name: str) -> None:
    changed = charts.shaped_like(charts.invented(date(2026, 11, 24)), quirks.quirks_of(name))
    names = {f"{r['resourceType']}/{r['id']}" for r in changed}
    assert len(names) == len(changed)
    for resource in changed[::7]:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    for resource in changed:
        inside = {f"#{c['id']}" for c in resource.get("contained", ())}
        assert set(fixtures.references(resource)) <= names | inside


def test_a_folder_is_read_with_everything_below_it(tmp_path: Path) -> None:
    def patient(id_: str) -> dict[str, Any]:
        return {"resourceType": "Patient", "id": id_}

    (tmp_path / "deep" / "er").mkdir(parents=True)
    inner = {"resourceType": "Bundle", "entry": [{"resource": patient("c")}, {}, None]}
    outer = {"resourceType": "Bundle", "entry": [{"resource": patient("b")}, {"resource": inner}]}
    (tmp_path / "a.json").write_text(json.dumps(patient("a")))
    (tmp_path / "deep" / "er" / "b.json").write_text(json.dumps(outer))
    (tmp_path / "deep" / "c.ndjson").write_text("\n".join(json.dumps(patient(i)) for i in "de"))
    (tmp_path / "notes.txt").write_text("nothing")
    assert [r["id"] for r in charts.of_folder(tmp_path)] == ["a", "d", "e", "b", "c"]


def test_decimals_of_a_folder_keep_their_digits(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"resourceType":"Observation","id":"1","x":1.500}')
    assert charts.of_folder(tmp_path)[0]["x"] == Decimal("1.500")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("5", "holds no FHIR"),
        ("[]", "holds no FHIR"),
        ('{"resourceType":"Patient"}', "holds no FHIR"),
        ('{"resourceType":"Bundle","entry":5}', "holds no FHIR"),
    ],
)
def test_a_folder_without_resources_says_so(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(charts.Unreadable, match=words):
        charts.of_folder(tmp_path)


def test_ids_as_given_stay() -> None:
    held = [{"resourceType": "Patient", "id": ADA}]
    assert charts.with_ids(held, charts.AS_GIVEN) == held


def test_only_references_are_renamed() -> None:
    held = [
        {"resourceType": "Patient", "id": "1"},
        {
            "resourceType": "Basic",
            "id": "2",
            "subject": {"reference": "Patient/1"},
            "note": "Patient/1",
            "author": {"reference": "Patient/elsewhere"},
        },
    ]
    patient, basic = charts.with_ids(held, charts.DIGITS)
    assert basic["subject"]["reference"] == f"Patient/{patient['id']}"
    assert basic["note"] == "Patient/1"
    assert basic["author"]["reference"] == "Patient/elsewhere"
