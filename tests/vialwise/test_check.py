"""`vialwise check` on files: findings, the billing plan, what could not be checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.model.findings import Finding, NotChecked, Severity, Silent
from billing_rules.rule_records import explained
from tests.vialwise.conftest import Run, omalizumab, written
from vialwise.checking import check
from vialwise.checking.check import CheckResult
from vialwise.commands.check import exit_code

COVERED = {
    "resourceType": "Coverage",
    "id": "c",
    "status": "active",
    "beneficiary": {"reference": "Patient/1"},
    "payor": [{"display": "Medicare Part B"}],
}


def chart(*resources: object) -> dict[str, object]:
    return {"resourceType": "Bundle", "entry": [{"resource": r} for r in resources]}


def test_a_wrong_code_is_a_finding_with_its_remedy(run: Run) -> None:
    result = run("check", fixtures.path("story-j2356-on-omalizumab"))
    assert result.exit_code == 1
    assert "J2356 is not omalizumab: change it to J2357" in result.stdout
    assert "Do:   Change J2356 to J2357" in result.stdout


def test_the_billing_plan_is_always_printed(run: Run) -> None:
    result = run("check", fixtures.path("story-225-mg-two-vials"))
    assert "    J2357 x 45\n    J2357-JW x 15\n" in result.stdout
    assert "300 mg opened for 225 mg discards 75 mg, 15 whole units" in result.stdout


def test_an_order_that_is_not_ours_is_clean(run: Run) -> None:
    result = run("check", fixtures.path("amoxicillin"))
    assert result.exit_code == 0
    assert "there was nothing to check" in result.stdout


def test_without_a_chart_nothing_is_said_to_be_missing(run: Run, order_file: Path) -> None:
    result = run("check", order_file)
    assert result.exit_code == 2
    assert "no chart was given" in result.stdout
    assert "no coverage is on file" not in result.stdout


def test_a_chart_names_the_payer(run: Run, order_file: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "chart.json", chart({"resourceType": "Patient", "id": "1"}, COVERED))
    result = run("check", order_file, "--chart", file)
    assert "Medicare Part B (recognised from the coverage)" in result.stdout


def test_a_chart_without_coverage_has_none(run: Run, order_file: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "chart.json", chart({"resourceType": "Patient", "id": "1"}))
    result = run("check", order_file, "--chart", file)
    assert "no coverage is on file" in result.stdout


def test_a_chart_may_stand_in_the_bundle_of_the_order(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "both.json", chart(omalizumab(), COVERED))
    assert "Medicare Part B (recognised" in run("check", file).stdout


def test_another_patients_chart_is_refused(run: Run, order_file: Path, tmp_path: Path) -> None:
    file = written(tmp_path / "chart.json", chart({"resourceType": "Patient", "id": "2"}))
    result = run("check", order_file, "--chart", file)
    assert result.exit_code == 2
    assert "another patient" in result.stderr


def test_the_date_given_is_the_date_of_service(run: Run, order_file: Path) -> None:
    before = run("check", order_file, "--payer", "medicare-part-b", "--on", "2023-06-30")
    after = run("check", order_file, "--payer", "medicare-part-b", "--on", "2023-07-01")
    assert "    J2357 x 45\n" in before.stdout
    assert "    J2357-JZ x 45\n" in after.stdout


def test_the_payer_can_be_asked_about(run: Run, order_file: Path) -> None:
    result = run("check", order_file, "--payer", "medicaid-denies-jw")
    assert "(named by the caller)" in result.stdout


def test_standard_input_is_read(run: Run) -> None:
    result = run("check", "-", stdin=json.dumps(omalizumab()))
    assert "J2357-JZ x 45" in result.stdout


def test_explain_says_something_of_every_rule(run: Run, catalogue: Catalogue) -> None:
    path = fixtures.path("story-300-mg-typed-as-300-units")
    result = run("check", path, "--explain")
    for words in ("    FOUND  Billed units", "    ok     Dose unit", "    -      "):
        assert words in result.stdout
    reviewed = check.of_hook_request(path.read_bytes(), "order-sign")
    rules = check.answer(reviewed, catalogue, fixtures_day()).reviews[0].outcomes
    for outcome in rules:
        assert explained(outcome)[1] != "."


def fixtures_day():  # type: ignore[no-untyped-def]
    from datetime import date

    return date(2026, 11, 23)


def test_json_has_the_same_content(run: Run) -> None:
    result = run("check", fixtures.path("story-225-mg-two-vials"), "--json", "--explain")
    order = json.loads(result.stdout)["orders"][0]
    assert result.exit_code == 1
    assert order["plan"]["lines"] == [
        {"hcpcs": "J2357", "modifiers": [], "units": 45},
        {"hcpcs": "J2357", "modifiers": ["JW"], "units": 15},
    ]
    assert order["findings"][0]["sources"][0]["url"].startswith("https://")
    assert {rule["outcome"] for rule in order["rules"]} >= {"spoke", "silent"}


def test_strict_reports_what_is_no_fhir(run: Run, tmp_path: Path) -> None:
    good = run("check", written(tmp_path / "good.json", omalizumab()), "--strict")
    assert "The input is valid FHIR R4." in good.stdout
    bad = written(tmp_path / "bad.json", omalizumab(status=5, secret="canary"))
    result = run("check", bad, "--strict")
    assert result.exit_code == 2
    assert "MedicationRequest/x: status:" in result.stdout
    assert "canary" not in result.stdout


def test_several_orders_are_all_shown(run: Run) -> None:
    result = run("check", fixtures.path("several-orders"))
    assert "Order 1 of " in result.stdout and "Order 2 of " in result.stdout


def test_control_characters_of_a_chart_do_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    text = "Xolair \x1b[2J\x1b]0;owned\x07"
    file = written(tmp_path / "o.json", omalizumab(medicationCodeableConcept={"text": text}))
    result = run("check", file, "--explain", color=True)
    assert "\x1b[2J" not in result.stdout and "\x07" not in result.stdout


@pytest.mark.parametrize("path", sorted((fixtures.HERE / "orders").glob("*.json")), ids=str)
def test_every_order_of_the_fixtures_is_answered(run: Run, path: Path) -> None:
    result = run("check", path, "--explain")
    assert result.exit_code in (0, 1, 2)
    assert "vialwise: failed itself" not in result.stderr


@pytest.mark.parametrize("path", sorted((fixtures.HERE / "hook_requests").glob("*.json")), ids=str)
def test_every_hook_request_of_the_fixtures_is_answered(run: Run, path: Path) -> None:
    result = run("check", path, "--explain")
    assert result.exit_code in (0, 1, 2)
    assert "vialwise: failed itself" not in result.stderr


def _checked(*outcomes: object, unread: tuple[str, ...] = ()) -> CheckResult:
    class Review:
        findings = tuple(o for o in outcomes if isinstance(o, Finding))
        not_checked = tuple(o for o in outcomes if isinstance(o, NotChecked))

    return CheckResult((Review(),), unread)  # type: ignore[arg-type]


def test_the_exit_code_says_what_came_out() -> None:
    finding = Finding("k", "s", ("f",), severity=Severity.INFO, rule="r")
    gap, silence = NotChecked("b", rule="r"), Silent("b", rule="r")
    assert exit_code(_checked(silence)) == 0
    assert exit_code(_checked(finding, gap)) == 1
    assert exit_code(_checked(gap)) == 2
    assert exit_code(_checked(silence, unread=("x",))) == 2
    assert exit_code(_checked(finding), ["fault"]) == 2


def test_beside_a_draft_what_is_no_draft_is_history(run: Run, tmp_path: Path) -> None:
    past = omalizumab(id="past", status="completed")
    both = run("check", written(tmp_path / "both.json", chart(past, omalizumab())))
    assert "MedicationRequest/past" not in both.stdout.split("UNCHECKED")[0]
    alone = run("check", written(tmp_path / "alone.json", chart(past)))
    assert "MedicationRequest/past" in alone.stdout
