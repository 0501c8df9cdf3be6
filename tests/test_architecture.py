"""Every arrow of the design: who may import whom. Each failure names the remedy."""

from __future__ import annotations

import ast
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from functools import cache
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
    # Around the program, not shipped. The handbook shows scenarios, the drill plays failures of
    # servers that tests have too: what they share with the tests is named one by one.
    "handbook": {"billing_rules", "cds_hooks", "tests.scenario"},
    "bench": {*ROOMS, "fixtures"},
    "drill": {
        *ROOMS,
        "fixtures",
        "tests.cds_hooks.chart_server",
        "tests.cds_hooks.tokens",
        "tests.postgres",
        "tests.practice_ehr",
    },
    "testing": {*ROOMS, "fixtures"},
}

# room -> its steps, the lowest first: a module may import from its own step and from lower ones. A
# step is a folder or a module of the room, or several that may import each other; BASE is all that
# no step names. Rooms without folders need no order: no module is on a circle anywhere.
BASE = ""
STEPS: dict[str, tuple[str | tuple[str, ...], ...]] = {
    "billing_rules": (
        "model",
        BASE,
        "catalogue",
        "orders",
        "evidence",
        "rules",
        "forms",
        "review",
        "claims",
        "rule_records",
        "fhir",
        "assess",
    ),
    "cds_hooks": (
        BASE,
        "request",
        "record",
        "cards",
        "calls",
        "running",
        "answers",
        "auth",
        "recording",
        "views",
        "pages",
        ("app", "cds_hooks"),
    ),
    "smart_app": (BASE, "launch", "chart", "forms", "screens", "app"),
    "sandbox_ehr": (
        BASE,
        "fhir",
        "smart",
        "state",
        ("smart.views", "fhir_endpoint", "cds_client"),
        "desk",
        "app",
    ),
    "vialwise": (BASE, "ehrs", "checking", "settings", "serving", "commands", "cli", "__main__"),
}
NO_STEPS = {"migrations"}  # found by Alembic, imported by nobody

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
    "importlib",
    "itertools",
    "json",
    "math",
    "msgspec",
    "pathlib",
    "pkgutil",
    "re",
    "types",
    "typing",
    "unicodedata",
    "urllib",
    "yaml",
}
CLOCK_CALLS = {"now", "today", "utcnow", "getenv"}


def modules(room: str) -> Iterator[Path]:
    yield from sorted((ROOT / room).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports from the top level"
            yield node.lineno, node.module or ""


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@cache
def _ours() -> frozenset[str]:
    """Every module of the rooms and of what stands around them, the tests too."""
    return frozenset(_module(path) for room in (*MAY_IMPORT, "tests") for path in modules(room))


def imports_of_modules(rooms: Iterable[str]) -> dict[str, set[str]]:
    """Module -> the modules of these rooms it imports, those for type checkers and those inside
    functions too. A package imports its submodule only where it says so."""
    paths = {_module(path): path for room in rooms for path in modules(room)}
    return {
        module: {name for _, name in _modules_imported(path, paths)} - {module}
        for module, path in paths.items()
    }


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _modules_imported(path: Path, known: Container[str]) -> Iterator[tuple[int, str]]:
    """The modules among `known` that a file imports: of `from a import b` that is `a.b` where this
    is a module, else `a`."""
    for node in ast.walk(tree(path)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            below = (f"{node.module}.{alias.name}" for alias in node.names)
            names = [name if name in known else str(node.module) for name in below]
        yield from ((node.lineno, name) for name in names if name in known)  # type: ignore[attr-defined]


def circle(imports: Mapping[str, Collection[str]]) -> list[str]:
    """The modules on one way that leads back to its start, in its order; [] where there is none."""
    done: set[str] = set()
    for start in imports:
        way: list[str] = []
        waiting = [(start, iter(imports[start]))] if start not in done else []
        while waiting:
            module, rest = waiting[-1]
            if not way or way[-1] != module:
                way.append(module)
            following = next((name for name in rest if name not in done), None)
            if following is None:
                done.add(module)
                way.pop()
                waiting.pop()
            elif following in way:
                return [*way[way.index(following) :], following]
            else:
                waiting.append((following, iter(imports[following])))
    return []


@pytest.mark.parametrize("room", [r for r in MAY_IMPORT if (ROOT / r).exists()])
def test_a_room_imports_only_the_rooms_its_arrows_point_to(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    for path in modules(room):
        for line, name in _modules_imported(path, _ours()):
            top = name.partition(".")[0]
            assert {top, name} & allowed, (
                f"{place(path, line)} imports {name}: {room} may use {sorted(allowed)} only. "
                "Move what both need into billing_rules, or pass it in as an argument."
            )


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = imports_of_modules(MAY_IMPORT)
    assert not circle(imports), (
        f"a circle of imports: {' -> '.join(circle(imports))}. Move what two of them need into a "
        "module that imports neither."
    )


def test_a_circle_is_seen() -> None:
    assert circle({"a": {"b", "c"}, "b": set(), "c": {"d"}, "d": {"b", "a"}}) == list("acda")
    assert circle({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


@pytest.mark.parametrize("room", STEPS)
def test_inside_a_room_imports_go_down_the_steps(room: str) -> None:
    rank = {
        name: height
        for height, step in enumerate(STEPS[room])
        for name in ((step,) if isinstance(step, str) else step)
    }

    def height_of(module: str) -> int:
        """The step with the longest name that the module has or is below."""
        parts = module.split(".")[1:] or [room]
        names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return rank[next((name for name in names if name in rank), BASE)]

    known = {_module(path) for path in modules(room)}
    for path in modules(room):
        for line, name in _modules_imported(path, known):
            assert height_of(name) <= height_of(_module(path)), (
                f"{place(path, line)} imports {name}, which is on a higher step of {room}. Move "
                "what both need to the lower step, or pass it in as an argument."
            )


@pytest.mark.parametrize("room", STEPS)
def test_every_step_is_there(room: str) -> None:
    named = [n for step in STEPS[room] for n in ((step,) if isinstance(step, str) else step)]
    for name in named:
        folder = ROOT / room / name.replace(".", "/")
        there = name in (BASE, room) or folder.is_dir() or folder.with_suffix(".py").is_file()
        assert there, f"{room} has no {name}: cross it off STEPS"


def test_every_folder_of_a_room_is_on_a_step() -> None:
    for room in ROOMS:
        steps = STEPS.get(room, ())
        named = {n for step in steps for n in ((step,) if isinstance(step, str) else step)}
        for folder in {path.parent for path in modules(room)} - {ROOT / room}:
            top = folder.relative_to(ROOT / room).parts[0]
            assert top in named | NO_STEPS, f"say in STEPS where {room}/{top} stands"


def test_settings_are_read_in_one_place() -> None:
    """Rooms have models of settings; where their values come from is the program's business."""
    for room in MAY_IMPORT:
        for path in modules(room):
            for line, name in imported(path):
                assert name != "pydantic_settings" or path.parent.name == "settings", (
                    f"{place(path, line)} imports pydantic_settings: write a model, and let "
                    "vialwise/settings read it."
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
        for node in ast.walk(tree(path)):
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
                "of billing_rules.model.entities instead."
            )


def test_a_rule_knows_neither_catalogue_nor_dates() -> None:
    for path in modules("billing_rules/rules"):
        for line, name in imported(path):
            forbidden = (
                "billing_rules.catalogue",
                "billing_rules.catalogue.values",
                "billing_rules.review",
            )
            assert not name.startswith(forbidden) and name != "datetime", (
                f"{place(path, line)} imports {name}: dates are resolved once, in review; "
                "put what the rule needs on its Case."
            )


def test_the_nouns_depend_on_nothing_that_computes() -> None:
    for path in modules("billing_rules/model"):
        for line, name in imported(path):
            ours = name.startswith("billing_rules.")
            assert not ours or name.startswith("billing_rules.model"), (
                f"{place(path, line)} imports {name}: nouns come before verbs; "
                "move the function that needs it to the module that computes."
            )


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
