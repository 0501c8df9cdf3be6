"""Every arrow of the design: who may import whom. Each failure names the remedy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = (
    "billing_rules",
    "ehr_access",
    "service_parts",
    "cds_hooks",
    "smart_app",
    "sandbox_ehr",
    "vialwise",
)

# room -> rooms of ours it may import (besides itself)
MAY_IMPORT = {
    "billing_rules": set(),
    "ehr_access": {"billing_rules"},
    "service_parts": set(),
    "cds_hooks": {"billing_rules", "ehr_access", "service_parts"},
    "smart_app": {"billing_rules", "ehr_access", "service_parts"},
    "sandbox_ehr": {"fixtures"},
    "vialwise": {*ROOMS, "fixtures"},
    "fixtures": set(),
}

# What the core may use besides itself: no clock, network, environment or web framework.
CORE_MAY_USE = {
    "__future__",
    "base64",
    "bisect",
    "calendar",
    "collections",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "math",
    "msgspec",
    "pathlib",
    "re",
    "typing",
    "unicodedata",
    "urllib",
    "yaml",
}
CLOCK_CALLS = {"now", "today", "utcnow", "getenv"}
CORE_LAYERS = ("model", "chart", "findings", "states", "amounts", "dated", "ndc")


def modules(room: str) -> Iterator[Path]:
    yield from sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports from the top level"
            yield node.lineno, node.module or ""


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("room", [r for r in MAY_IMPORT if (ROOT / r).exists()])
def test_a_room_imports_only_the_rooms_its_arrows_point_to(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    for path in modules(room):
        for line, name in imported(path):
            top = name.partition(".")[0]
            assert top not in (*ROOMS, "fixtures", "tests") or top in allowed, (
                f"{place(path, line)} imports {name}: {room} may use {sorted(allowed)} only. "
                "Move what both need into billing_rules, or pass it in as an argument."
            )


def test_the_core_uses_no_web_network_environment_or_clock() -> None:
    for path in modules("billing_rules"):
        for line, name in imported(path):
            top = name.partition(".")[0]
            assert top in CORE_MAY_USE | {"billing_rules"}, (
                f"{place(path, line)} imports {name}: the core only computes. "
                "Do it in ehr_access, cds_hooks or vialwise and pass the result in."
            )
            assert name != "urllib.request", f"{place(path, line)}: the core has no network"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func.attr if _is_method_call(node) else ""
            assert called not in CLOCK_CALLS, (
                f"{place(path, node.lineno)} calls {called}(): the date of service is an argument "
                "of review; take it from the caller."
            )


def _is_method_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def test_only_the_reading_side_knows_fhir() -> None:
    for path in modules("billing_rules"):
        if "fhir" in path.relative_to(ROOT).parts or path.name == "assess.py":
            continue  # assess is the way in: it reads FHIR, and all else here does not
        for line, name in imported(path):
            assert not name.startswith("billing_rules.fhir"), (
                f"{place(path, line)}: FHIR ends in billing_rules.fhir; hand the rule a value "
                "of billing_rules.model instead."
            )


def test_a_rule_knows_neither_catalogue_nor_dates() -> None:
    for path in (ROOT / "billing_rules" / "rules").glob("*.py"):
        for line, name in imported(path):
            forbidden = ("billing_rules.catalogue", "billing_rules.dated", "billing_rules.review")
            assert not name.startswith(forbidden) and name != "datetime", (
                f"{place(path, line)} imports {name}: dates are resolved once, in review; "
                "put what the rule needs on its Case."
            )


def test_the_nouns_depend_on_nothing_that_computes() -> None:
    for layer in CORE_LAYERS:
        path = ROOT / "billing_rules" / f"{layer}.py"
        for line, name in imported(path):
            ours = name.startswith("billing_rules.")
            assert not ours or name.rpartition(".")[2] in CORE_LAYERS, (
                f"{place(path, line)} imports {name}: nouns come before verbs; "
                "move the function that needs it to the module that computes."
            )


def test_every_rule_module_is_listed_by_hand() -> None:
    from billing_rules.rules import RULES

    listed = {rule.__module__.rpartition(".")[2] for rule in RULES}
    files = {p.stem for p in (ROOT / "billing_rules" / "rules").glob("*.py")}
    assert files - {"__init__", "common"} == listed, "list the module in rules/__init__.py"


def test_nothing_imports_the_program_around_it() -> None:
    for room in ROOMS:
        if room == "vialwise":
            continue
        for path in modules(room):
            for line, name in imported(path):
                assert name.partition(".")[0] != "vialwise", (
                    f"{place(path, line)}: settings and command line import the rest, never the "
                    "other way round; pass the value in."
                )
