"""`vialwise catalogue denials`: no reason for denial is without a rule; if one is, it says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from billing_rules.catalogue import DATA
from billing_rules.rule_records import NAME, capital, load, shipped
from tests.vialwise.conftest import Run
from vialwise.commands import catalogue


def test_every_rule_stands_there_with_what_it_prevents(run: Run) -> None:
    result = run("catalogue", "denials")
    assert result.exit_code == 0, result.output
    words = " ".join(result.stdout.split())
    for record in shipped().records.values():
        assert f"{capital(record.name)} prevents {record.prevents}" in words
    assert "CO-16, N822 (by one secondary source)" in words


def test_every_reason_stands_there_with_its_rules(run: Run) -> None:
    words = " ".join(run("catalogue", "denials").stdout.split())
    reasons = words[words.index("Reason by reason") :]
    for reason, said in shipped().denials.items():
        names = ", ".join(record.name for record in shipped().answering(reason))
        assert f"{said} {names}" in reasons
    assert f"All 12 reasons are answered by {len(shipped().records)} rules." in reasons


def test_json_has_both_directions(run: Run) -> None:
    told = json.loads(run("catalogue", "denials", "--json").stdout)
    by_rule = {(rule["id"], reason) for rule in told["rules"] for reason in rule["reasons"]}
    by_reason = {(rule, reason["id"]) for reason in told["reasons"] for rule in reason["rules"]}
    assert by_rule == by_reason
    assert told["unanswered"] == []
    (waste,) = (rule for rule in told["rules"] if rule["id"] == "waste_modifier")
    assert [code["code"] for code in waste["codes"]] == ["CO-16", "N822"]
    assert all(code["source"] and code["certainty"] for code in waste["codes"])


@pytest.fixture
def spoiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records with one reason more, that no rule answers."""
    content = yaml.safe_load((DATA / NAME).read_text(encoding="utf-8"))
    content["denials"]["bad-luck"] = "The claim met a bad day"
    path = tmp_path / NAME
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    monkeypatch.setattr(catalogue, "shipped", lambda: load(path))


@pytest.mark.usefixtures("spoiled")
def test_a_reason_without_a_rule_is_told_and_ends_with_1(run: Run) -> None:
    result = run("catalogue", "denials")
    assert result.exit_code == 1
    assert "The claim met a bad day\n      NO RULE" in result.stdout
    assert "1 of 13 reasons are without a rule." in result.stdout
    as_json = run("catalogue", "denials", "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["unanswered"] == ["bad-luck"]
