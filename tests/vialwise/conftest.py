"""The command line as a user meets it: output, errors, exit code; 80 columns always."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import billing_rules.catalogue
from billing_rules.catalogue import Catalogue
from vialwise import catalogues
from vialwise.cli import cli

Run = Callable[..., Result]


@functools.cache
def shipped() -> Catalogue:
    return billing_rules.catalogue.load()


@pytest.fixture(autouse=True)
def catalogue_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped catalogue is read once for all these tests; a site's file is really read."""

    def load(site: Path | None = None, read: object = None) -> Catalogue:
        return billing_rules.catalogue.load(site) if site else shipped()

    monkeypatch.setattr(catalogues, "load", load)


@pytest.fixture(autouse=True)
def a_home_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test, and no process it starts, keeps anything in the user's own files."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("VIALWISE_DATABASE", "VIALWISE_RECORD_SECRET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run() -> Run:
    """Runs `vialwise ...`; whatever it prints has at most 80 columns and no traceback."""

    def invoke(*args: object, stdin: str | bytes | None = None, **extra: Any) -> Result:
        words = [str(arg) for arg in args]
        result = CliRunner().invoke(cli, words, input=stdin, prog_name="vialwise", **extra)
        assert "Traceback" not in result.output
        if "--json" not in words:
            for line in click.unstyle(result.stdout).splitlines():
                assert len(line) <= 80, f"{len(line)} columns: {line}"
        return result

    return invoke


@pytest.fixture
def order_file(tmp_path: Path) -> Path:
    """225 mg of omalizumab, by its words only, without a chart."""
    return written(tmp_path / "order.json", omalizumab())


def written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def omalizumab(**changes: object) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "id": "x",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/1"},
        "medicationCodeableConcept": {"text": "Xolair 150 mg"},
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 225, "unit": "mg"}}]}],
        **changes,
    }
