"""What is shipped for running it elsewhere fits the program: versions, port, probes, settings.

The image itself is not built here; docs/operating.md says what was run of it, and how.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from billing_rules.catalogue import Catalogue
from cds_hooks import Settings, create_app
from cds_hooks.record.store import temporary
from tests.databases import KEYS
from vialwise import clock
from vialwise.cli import cli
from vialwise.settings.models import DEFAULT_PORT, VARIABLES

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
KUBERNETES = list(
    yaml.safe_load_all((DEPLOY / "kubernetes" / "vialwise.yaml").read_text(encoding="utf-8"))
)
POD = next(one for one in KUBERNETES if one["kind"] == "Deployment")["spec"]["template"]["spec"]
CONTAINER = POD["containers"][0]


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


def test_the_images_are_of_this_version() -> None:
    for image in (COMPOSE["services"]["vialwise"]["image"], CONTAINER["image"]):
        assert image.rpartition(":")[2] == _version()


def test_the_port_is_the_programs() -> None:
    assert f"EXPOSE {DEFAULT_PORT}" in CONTAINERFILE
    assert f"VIALWISE_PORT={DEFAULT_PORT}" in CONTAINERFILE
    assert CONTAINER["ports"][0]["containerPort"] == DEFAULT_PORT
    assert COMPOSE["services"]["vialwise"]["ports"][0].endswith(f":{DEFAULT_PORT}")


def _probed() -> Iterator[str]:
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        yield CONTAINER[probe]["httpGet"]["path"]
    yield from re.findall(r"\}(/\w+)\\?\"", CONTAINERFILE)


def test_every_probe_is_answered_without_a_token(catalogue: Catalogue) -> None:
    settings = Settings(public_url="https://cds.clinic.example", today=lambda: clock.today(None))
    client = create_app(catalogue, settings, temporary(KEYS)).test_client()
    paths = list(_probed())
    assert len(paths) == 4
    for path in paths:
        assert client.get(path).status_code == 200, path


def test_nothing_runs_as_root_or_writes_elsewhere() -> None:
    assert re.search(r"^USER (\d+):\d+$", CONTAINERFILE, re.MULTILINE)
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    assert COMPOSE["services"]["vialwise"]["read_only"] is True
    mounted = {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert {"/var/lib/vialwise", "/tmp"} <= mounted


def _set_in_the_environment() -> Iterator[str]:
    yield from re.findall(r"VIALWISE_[A-Z_]+", CONTAINERFILE)
    yield from (one["name"] for one in CONTAINER["env"])
    yield from re.findall(r"VIALWISE_[A-Z_]+", str(COMPOSE["services"]["vialwise"]["command"]))


@pytest.mark.parametrize("name", sorted(set(_set_in_the_environment())))
def test_every_variable_is_a_setting(name: str) -> None:
    assert name in VARIABLES.values()


def test_the_example_settings_are_right() -> None:
    named = str(DEPLOY / "settings.example.toml")
    result = CliRunner().invoke(cli, ["settings", "--config", named])
    assert result.exit_code == 0, result.output


def test_what_the_image_needs_goes_to_its_builder() -> None:
    """.dockerignore lets through what the wheel is made of, and the locks."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel: dict[str, Any] = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    let_through = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    needed = [*wheel["packages"], *project["project"]["license-files"], "README.md", "requirements"]
    assert [one for one in needed if f"!{one}" not in let_through] == []
