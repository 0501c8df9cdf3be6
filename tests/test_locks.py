"""The locks in requirements/ hold what pyproject.toml asks for, in one version, with its hashes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "requirements"
# Lock -> the extra of pyproject.toml it holds besides the dependencies (Makefile, "lock").
EXTRAS = {
    "runtime": None,
    "server": "postgres",
    "docs": "docs",
    "ship": "ship",
    "dev": "dev",
    "interop": "interop",
}
_PINNED = re.compile(r"([A-Za-z0-9._-]+)==(\S+) \\\n((?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")


@cache
def pinned(lock: str) -> dict[str, Version]:
    """The packages of a lock and their versions; every entry must have its hashes."""
    text = (FOLDER / f"{lock}.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^[A-Za-z0-9].*$", text, re.M)
    found = _PINNED.findall(text)
    assert len(found) == len(entries), f"{lock}.txt has an entry without version or hashes"
    return {canonicalize_name(name): Version(version) for name, version, _ in found}


def asked_for(lock: str) -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = EXTRAS[lock]
    more = project["optional-dependencies"][extra] if extra else []
    yield from map(Requirement, [*project["dependencies"], *more])


def test_every_lock_is_looked_at() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} == {*EXTRAS, "bench"}


@pytest.mark.parametrize("lock", EXTRAS)
def test_a_lock_holds_what_is_asked_for(lock: str) -> None:
    held = pinned(lock)
    for wanted in asked_for(lock):
        name = canonicalize_name(wanted.name)
        assert name in held, f"{lock}.txt lacks {name}: make lock"
        assert held[name] in wanted.specifier, f"{lock}.txt has {name} {held[name]}: make lock"


@pytest.mark.parametrize("lock", EXTRAS)
def test_a_lock_holds_what_the_runtime_needs_in_the_same_versions(lock: str) -> None:
    """What its packages need in turn stands in runtime.txt too."""
    held = pinned(lock)
    for name, version in pinned("runtime").items():
        assert held.get(name) == version, f"{lock}.txt has {name} {held.get(name)}: make lock"


def test_no_two_locks_have_two_versions_of_one_package() -> None:
    versions: dict[str, set[Version]] = {}
    for lock in EXTRAS:
        for name, version in pinned(lock).items():
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_what_is_compared_runs_on_the_same_versions() -> None:
    """bench.txt is an environment of its own, with an older fhir.resources; what the service needs
    there (bench.in) is the same as anywhere else."""
    lines = (FOLDER / "bench.in").read_text(encoding="utf-8").splitlines()
    named = [Requirement(line) for line in lines if line and not line.startswith("#")]
    held, ours = pinned("bench"), pinned("dev")
    for wanted in named:
        name = canonicalize_name(wanted.name)
        assert held[name] in wanted.specifier
        assert ours.get(name, held[name]) == held[name], name
