"""`vialwise check --fhir` against a FHIR server on a loopback port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_ehr.moods import Reply
from tests.practice_ehr import Ehr, bundle, practice_ehr, statement
from tests.vialwise.conftest import Run, omalizumab, written
from tests.vialwise.test_check import COVERED

WEIGHT = {
    "resourceType": "Observation",
    "id": "w",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2026-11-01",
    "valueQuantity": {"value": 70, "unit": "kg", "code": "kg"},
}


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with practice_ehr() as server:
        server.replies["/fhir/metadata"] = Reply(
            statement(
                Patient="_id",
                Coverage="patient",
                Observation="patient code",
                MedicationRequest="patient",
                Medication="_id",
                Encounter="_id",
            )
        )
        server.replies["/fhir/Patient/1"] = Reply({"resourceType": "Patient", "id": "1"})
        server.replies["/fhir/Coverage"] = Reply(bundle(COVERED))
        server.replies["/fhir/Observation"] = Reply(bundle(WEIGHT))
        server.replies["/fhir/MedicationRequest/x"] = Reply(omalizumab())
        yield server


def live(run: Run, ehr: Ehr, order: object = "x", *more: object):  # type: ignore[no-untyped-def]
    return run("check", "--fhir", ehr.url, "--patient", "1", "--order", order, *more)


def test_the_order_and_its_chart_come_from_the_server(run: Run, ehr: Ehr) -> None:
    result = live(run, ehr)
    assert "Medicare Part B (recognised from the coverage)" in result.stdout
    assert "    J2357-JZ x 45\n" in result.stdout


def test_the_order_may_be_a_file(run: Run, ehr: Ehr, order_file: Path) -> None:
    assert "Medicare Part B (recognised" in live(run, ehr, order_file).stdout


def test_a_medication_elsewhere_on_the_server_is_read(run: Run, ehr: Ehr) -> None:
    order = omalizumab(medicationReference={"reference": "Medication/m"})
    del order["medicationCodeableConcept"]
    ehr.replies["/fhir/MedicationRequest/x"] = Reply(order)
    ehr.replies["/fhir/Medication/m"] = Reply(
        {"resourceType": "Medication", "id": "m", "code": {"text": "Xolair"}}
    )
    assert "omalizumab (Xolair)" in live(run, ehr).stdout


def test_what_the_server_forbids_is_said(run: Run, ehr: Ehr) -> None:
    ehr.replies["/fhir/Coverage"] = Reply({}, 403)
    result = live(run, ehr)
    assert "the EHR did not permit it" in " ".join(result.stdout.split())


def test_a_patient_or_order_that_is_not_there(run: Run, ehr: Ehr) -> None:
    del ehr.replies["/fhir/Patient/1"]
    assert "no such patient: check --patient" in live(run, ehr).stderr
    assert "was not found on the FHIR server" in live(run, ehr, "none").stderr


def test_an_order_or_chart_of_another_patient_is_refused(run: Run, ehr: Ehr) -> None:
    ehr.replies["/fhir/Coverage"] = Reply(
        bundle({**COVERED, "beneficiary": {"reference": "Patient/2"}})
    )
    assert "another patient" in live(run, ehr).stderr
    ehr.replies["/fhir/MedicationRequest/x"] = Reply(omalizumab(subject={"reference": "Patient/2"}))
    assert "another patient" in live(run, ehr).stderr


def test_the_token_comes_from_a_file(run: Run, ehr: Ehr, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret\n", encoding="utf-8")
    live(run, ehr, "x", "--token-file", file)
    assert "Bearer secret" in ehr.tokens


def test_a_token_is_not_sent_in_clear(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret", encoding="utf-8")
    result = run(
        "check",
        "--fhir",
        "http://ehr.example/fhir",
        "--patient",
        "1",
        "--order",
        "x",
        "--token-file",
        file,
    )
    assert "https only" in result.stderr and "secret" not in result.stderr


def test_a_slow_server_gets_a_sign_of_life(
    run: Run, ehr: Ehr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vialwise.terminal.AFTER", 0.0)
    assert "Asking the FHIR server ..." in live(run, ehr).stderr


def test_an_order_written_to_a_file_of_another_patient(run: Run, ehr: Ehr, tmp_path: Path) -> None:
    file = written(tmp_path / "o.json", omalizumab(subject={"reference": "Patient/9"}))
    assert "another patient" in live(run, ehr, file).stderr


def test_a_server_that_is_not_reached_is_one_short_line(run: Run) -> None:
    result = run("check", "--fhir", "http://127.0.0.1:9", "--patient", "1", "--order", "x")
    assert result.exit_code == 2
    assert result.stderr == (
        "vialwise: the FHIR server could not be reached: check --fhir and the network\n"
    )
