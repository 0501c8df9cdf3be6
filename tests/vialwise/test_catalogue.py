"""`vialwise catalogue`: list, show, verify."""

from __future__ import annotations

import subprocess
import sys

import pytest

from billing_rules.catalogue import Catalogue
from tests.vialwise.conftest import Run


def test_list_names_every_drug_and_payer(run: Run, catalogue: Catalogue) -> None:
    result = run("catalogue", "list")
    assert result.exit_code == 0
    for name in (*catalogue.drug_ids(), *catalogue.payer_files):
        assert f"  {name}" in result.stdout


def test_every_drug_can_be_shown_with_its_sources(run: Run, catalogue: Catalogue) -> None:
    for drug_id in catalogue.drug_ids():
        result = run("catalogue", "show", drug_id, "--on", "2026-11-23")
        assert result.exit_code == 0
        for container in catalogue.drug_files[drug_id].containers:
            assert str(container.ndc.value) in result.stdout
        assert "[A]" in result.stdout


@pytest.mark.parametrize("name", ["omalizumab", "Xolair", "j2357"])
def test_a_drug_is_known_by_id_name_and_code(run: Run, name: str) -> None:
    assert "omalizumab (Xolair)" in run("catalogue", "show", name).stdout


def test_show_answers_for_the_date(run: Run) -> None:
    before = run("catalogue", "show", "J2357", "--on", "2023-06-30").stdout
    after = run("catalogue", "show", "J2357", "--on", "2023-07-01").stdout
    assert "Medicare Part B: JW required, JZ not asked for yet" in before
    assert "Medicare Part B: JW required, JZ required" in after
    assert "NOT MARKETED on this date" in " ".join(before.split())


def test_verify_counts(run: Run, catalogue: Catalogue) -> None:
    result = run("catalogue", "verify")
    assert result.exit_code == 0
    assert f"{len(catalogue.drug_files)} drugs" in result.stdout


def test_it_starts_without_what_only_the_servers_need() -> None:
    script = (
        "import sys; from vialwise.cli import cli;"
        "cli(['catalogue', 'list'], standalone_mode=False);"
        "assert not {'sqlalchemy', 'flask', 'gunicorn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=60)
