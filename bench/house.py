"""`python -m bench.house`: the size of the shipped program, and the way of one order through it.

Sizes are counted in the syntax tree. The way is counted while the service answers one order-sign,
after one answer that is not counted: loading and caches are not part of a way. The figures do not
depend on the machine; tests/test_way_of_an_order.py holds their ceilings.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import fixtures
from bench.bodies import TODAY
from bench.in_process import store
from bench.wsgi import answer_of
from billing_rules import catalogue
from billing_rules.catalogue import Catalogue
from cds_hooks import Settings, create_app

# The packages of the wheel that hold program text; fixtures are data.
SHIPPED = (
    "billing_rules",
    "ehr_access",
    "service_parts",
    "cds_hooks",
    "smart_app",
    "sandbox_ehr",
    "vialwise",
)
# An order that gets a card, and one that Vialwise has nothing to say of.
AN_ORDER, NOT_OURS = "story-225-mg-two-vials", "amoxicillin"
_NOON = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NAMED = (ast.Module, ast.ClassDef, *_FUNCTIONS)


@dataclass(frozen=True, slots=True)
class Size:
    """What the shipped packages are made of.

    `code_lines` are lines without blank ones, docstrings, and lines that are only a comment.
    `median_function` is in lines, with decorators left out and docstring included. `used_once` are
    the private functions whose name is read at one place of their own file. `shared_names` are
    the public classes of one name: name -> files.
    """

    files: int
    code_lines: int
    functions: int
    median_function: float
    classes: int
    private_functions: int
    used_once: int
    shared_names: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Way:
    """What the service runs through for one request: files and functions of ours, each once, calls
    of them, and how often a call is in another file than the call before.

    Functions are those with a name: a comprehension or a lambda is part of the function it is
    written in.
    """

    files: int
    moves: int
    functions: int
    calls: int


def main() -> None:
    """Print both, as rows of one table."""
    root, known = Path(__file__).parent.parent, catalogue.load()
    size = size_of(root)
    print("| What | Counted |\n|---|---|")
    print(f"| shipped Python files; lines of code | {size.files}; {size.code_lines:,} |")
    functions = f"{size.functions:,}; {size.median_function:g} lines; {size.classes}"
    print(f"| functions; their median; classes | {functions} |")
    once = f"{size.private_functions:,}; {size.used_once:,}"
    print(f"| private functions; of them used once | {once} |")
    print(f"| names that several public classes have | {len(size.shared_names)} |")
    for request in (AN_ORDER, NOT_OURS):
        way = way_of(request, known)
        counted = f"{way.files}; {way.moves:,}; {way.functions:,}; {way.calls:,}"
        print(f"| order-sign of {request}: files; moves; functions; calls | {counted} |")


# ---------------------------------------------------------------- sizes


def size_of(root: Path) -> Size:
    """Counts the packages below `root`. Raises SyntaxError for a file that is not Python."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in shipped_files(root)}
    functions = [n for tree in trees.values() for n in ast.walk(tree) if isinstance(n, _FUNCTIONS)]
    private = {
        (path, node.name)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, _FUNCTIONS) and _is_private(node.name)
    }
    read = Counter((path, name) for path, tree in trees.items() for name in _names_read(tree))
    return Size(
        files=len(trees),
        code_lines=sum(_code_lines(path, tree) for path, tree in trees.items()),
        functions=len(functions),
        median_function=statistics.median(
            (n.end_lineno or n.lineno) - n.lineno + 1 for n in functions
        ),
        classes=sum(isinstance(n, ast.ClassDef) for t in trees.values() for n in ast.walk(t)),
        private_functions=len(private),
        used_once=sum(read[one] == 1 for one in private),
        shared_names=shared_names(root),
    )


def shipped_files(root: Path) -> list[Path]:
    """The Python files of the shipped packages below `root`."""
    return [path for package in SHIPPED for path in sorted((root / package).rglob("*.py"))]


def shared_names(root: Path) -> dict[str, list[str]]:
    """Public classes of one name in several files: name -> those files, below `root`."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in shipped_files(root):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path.relative_to(root).as_posix())
    return {name: files for name, files in sorted(found.items()) if len(files) > 1}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _names_read(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _code_lines(path: Path, tree: ast.Module) -> int:
    described: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, _NAMED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            described.update(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return sum(
        number not in described and bool(line.strip()) and not line.lstrip().startswith("#")
        for number, line in lines
    )


# ---------------------------------------------------------------- the way of an order


def way_of(request: str, known: Catalogue) -> Way:
    """The way of a hook request of the fixtures through the service with its database away.

    Raises SystemExit when the service does not answer 200.
    """
    settings = Settings(
        public_url="http://127.0.0.1", today=lambda: TODAY, clock=lambda: _NOON, open=True
    )
    app = create_app(known, settings, store())
    body = fixtures.path(f"hook_requests/{request}").read_bytes()
    answer_of(app, body)
    calls = _calls(app, body)
    files = [code.co_filename for code in calls]
    moves = sum(one != other for one, other in zip(files, files[1:], strict=False))
    return Way(len(set(files)), moves, len(set(calls)), len(calls))


def _calls(app: Any, body: bytes) -> list[CodeType]:
    """The functions of ours that run for one answer, in the order of their calls."""
    root = Path(__file__).parent.parent
    folders = tuple(f"{root / package}/" for package in SHIPPED)
    called: list[CodeType] = []

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        ours = event == "call" and code.co_filename.startswith(folders)
        if ours and not code.co_name.startswith("<"):
            called.append(code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        answer_of(app, body)
    finally:
        sys.setprofile(before)
    return called


if __name__ == "__main__":
    main()
