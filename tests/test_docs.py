"""The documents say nothing that is not there: tests, links, commands, rules, settings."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import click
import pytest

from billing_rules.catalogue.files import (
    ContainerFile,
    DrugFile,
    PayerFile,
    RecogniseFile,
    SourceFile,
)
from billing_rules.data_needed import DATA_NEEDED
from billing_rules.rules import RULE_BY_ID
from billing_rules.rules.rule import Rule
from cds_hooks import settings as service
from cds_hooks.record.store import metadata
from cds_hooks.services import SERVICES
from sandbox_ehr.moods import Mood
from smart_app import settings as app
from smart_app.launch.schema import metadata as app_metadata
from vialwise.cli import cli
from vialwise.settings import models

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", *DOCS]
BY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
ROOMS = (
    "billing_rules",
    "ehr_access",
    "service_parts",
    "cds_hooks",
    "smart_app",
    "sandbox_ehr",
    "vialwise",
)

# The numbered rows of docs/conformance.md: section -> how many.
CHECKLIST = {
    "A1": 6,
    "A2": 9,
    "A3": 9,
    "A4": 14,
    "A5": 7,
    "A6": 10,
    "A7": 21,
    "A8": 8,
    "A9": 11,
    "A10": 8,
    "A11": 3,
    "B1": 7,
    "B2": 7,
    "B3": 10,
    "B4": 6,
    "B5": 5,
    "B6": 3,
    "B7": 3,
    "B8": 2,
    "B9": 1,
    "C5": 5,
    "D1": 11,
    "D7": 2,
    "D8": 14,
    "E8": 9,
    "E9": 10,
    "F1": 5,
    "F2": 7,
}
UNNUMBERED = {"D2", "D3", "D4", "D5", "D6", "D7", "D9", "D10"}
HOOKS = {hook for service in SERVICES.values() for hook in service.hooks}
SIX_RISKS = (
    "Intercepted traffic",
    "A false service",
    "A false client",
    "Dangerous links",
    "Cross-origin calls",
    "Stale data",
)
# Names of standards and formats in the documents that look like names of ours.
NOT_OURS = {
    "access_token",
    "client_secret_basic",
    "expires_in",
    "invalid_client",
    "invalid_grant",
    "fhir_user",
    "id_token",
    "jwks_uri",
    "need_patient_banner",
    "offline_access",
    "online_access",
    "private_key_jwt",
    "redirect_uri",
    "scopes_supported",
    "token_type",
}


@cache
def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """The page without fenced and indented code."""
    unfenced = re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^    .*$", "", unfenced, flags=re.MULTILINE)


# ---------------------------------------------------------------- links


@BY_PAGE
def test_every_relative_link_resolves(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}: no such heading"


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", text(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# ---------------------------------------------------------------- tests that are named


@cache
def those_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))


def named_tests(words: str) -> list[tuple[str, str]]:
    return re.findall(r"`([\w/]+\.py)::(\w+)`", words)


@BY_PAGE
def test_every_test_that_is_named_exists(page: Path) -> None:
    for file, name in named_tests(text(page)):
        path = ROOT / "tests" / file
        assert path.exists(), f"{page.name} names tests/{file}, which is not there"
        assert name in those_in(path), f"{page.name} names {name}, which tests/{file} has not"


@BY_PAGE
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    rooms = "|".join((*ROOMS, "docs", "fixtures", "tests", "requirements"))
    for path in re.findall(rf"`((?:{rooms})/[\w./-]*)`", text(page)):
        here = (ROOT / path).exists() or (ROOT / "tests" / path).exists()
        assert here, f"{page.name} names {path}, which is not there"


# ---------------------------------------------------------------- conformance


def rows(page: Path) -> Iterator[list[str]]:
    """The cells of every table row that is a row of docs/conformance.md."""
    for line in text(page).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and cells[2] in STATES:
            yield cells


STATES = ("yes", "partly", "not yet", "no", "info")
CONFORMANCE = ROOT / "docs" / "conformance.md"


def test_every_row_stands_in_it_once() -> None:
    numbered = {f"{part}.{n}" for part, count in CHECKLIST.items() for n in range(1, count + 1)}
    expected = numbered | UNNUMBERED | HOOKS
    found = [line for line, *_ in rows(CONFORMANCE) if "encounter-start" not in line]
    assert sorted(found) == sorted(expected)


def test_every_line_has_what_its_state_promises() -> None:
    for line, what, state, held in rows(CONFORMANCE):
        note = re.sub(r"`[\w/]+\.py::\w+`", "", held).strip()
        if state == "yes":
            assert named_tests(held), f"{line} {what}: yes needs a test"
        elif state == "info":
            assert not named_tests(held), f"{line} {what}: this is held by a test"
        else:
            assert note, f"{line} {what}: say what is missing, or why"


def test_nothing_is_not_yet_once_there_is_a_test_for_it() -> None:
    """Tests of the service are named after the lines they hold."""
    held = {
        "A" + match[1].replace("_", ".")
        for file in (ROOT / "tests" / "cds_hooks").glob("test_*.py")
        for name in those_in(file)
        if (match := re.match(r"test_a(\d+_\d+)_", name))
    }
    behind = {
        line
        for line, _, state, note in rows(CONFORMANCE)
        if state == "not yet" or "no test yet" in note
    }
    assert not held & behind, "these lines have tests now: name them in docs/conformance.md"


def test_the_threat_model_answers_the_six_risks() -> None:
    page = text(ROOT / "docs" / "threat-model.md")
    for number, risk in enumerate(SIX_RISKS, 1):
        _, _, answer = page.partition(f"\n### {number}. {risk}\n")
        assert named_tests(answer.partition("\n##")[0]), f"{risk}: no test holds its mitigation"


# ---------------------------------------------------------------- commands


def command(words: list[str]) -> click.Command | None:
    """The command that the words lead to, None when there is none of that name."""
    found: click.Command = cli
    for word in words:
        if not isinstance(found, click.Group):
            break
        inner = inner_commands(found).get(word)
        if inner is None:
            return None
        found = inner
    return found


@cache
def inner_commands(group: click.Group) -> dict[str, click.Command]:
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: inner for name, inner in found.items() if inner}


def options(of: click.Command) -> set[str]:
    written = (o for p in of.params for o in (*p.opts, *p.secondary_opts))
    return {option for option in written if option.startswith("--")} | {"--help"}


def blocks(page: Path) -> Iterator[str]:
    """Paragraphs, table rows and lines of code."""
    for block in re.split(r"\n\s*\n", text(page)):
        apart = block.lstrip().startswith("|") or block.startswith("    ")
        yield from block.splitlines() if apart else [block]


def commands_in(block: str) -> list[tuple[str, click.Command]]:
    """What a block says after `vialwise`, and the commands it quotes by their name alone."""
    found = []
    inside = re.sub(r"```\w*\n|```", "\n", block)
    code = "\n".join(re.findall(r"`([^`]+)`", inside)) or block
    for said in re.findall(r"\bvialwise ((?:[a-z]+(?:-[a-z]+)* ?)+)", code):
        words = said.split()
        reached = command(words)
        assert reached is not None, f"there is no `vialwise {' '.join(words)}`"
        found.append((said, reached))
    for name in re.findall(r"`([a-z]+(?:-[a-z]+)*)\b[^`]*`", inside):
        if inner := inner_commands(cli).get(name):
            found.append((name, inner))
    return found


@BY_PAGE
def test_every_command_and_option_exists(page: Path) -> None:
    everywhere = options(cli).union(*(options(c) for c in all_commands(cli)))
    for block in blocks(page):
        named = commands_in(block)
        used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", block))
        known = set().union(*(options(c) for _, c in named)) if named else everywhere
        assert used <= known, f"{page.name}: no {sorted(used - known)} in: {block[:100]}"


def all_commands(group: click.Group) -> Iterator[click.Command]:
    for inner in inner_commands(group).values():
        yield inner
        if isinstance(inner, click.Group):
            yield from all_commands(inner)


# ---------------------------------------------------------------- rules, settings, queries


@cache
def names_of_ours() -> frozenset[str]:
    """Rules, settings, parts of the chart, keys of the catalogue, moods, modules and rooms."""
    modules = {file.stem for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    tables = (service.Settings, app.AppSettings, models.ServeSettings, *models.TABLES.values())
    settings = {name for table in tables for name in table.model_fields}
    parts = {need.key for need in DATA_NEEDED}
    moods = {mood.key for mood in Mood}
    shapes = (DrugFile, ContainerFile, PayerFile, RecogniseFile, SourceFile)
    keys = {name for shape in shapes for name in shape.__struct_fields__}
    rows = (f.name for f in fields(Rule))
    named = {*RULE_BY_ID, *rows, *settings, *parts, *keys, *moods, *modules, *ROOMS}
    return frozenset(named | kept_and_counted())


def kept_and_counted() -> set[str]:
    """Tables, their columns, and metrics."""
    tables = [*metadata.tables.values(), *app_metadata.tables.values()]
    columns = {column.name for table in tables for column in table.c}
    source = text(ROOT / "cds_hooks" / "calls" / "metrics.py")
    counted = {f"vialwise_{n}" for n in re.findall(r'(?:counter|histogram)\(\s*"(\w+)"', source)}
    counted |= {f"{name}_total" for name in counted} | {"vialwise_rule_set_info"}
    return {table.name for table in tables} | columns | counted


@BY_PAGE
def test_every_rule_and_setting_that_is_named_exists(page: Path) -> None:
    for name in re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", text(page)):
        known = name in names_of_ours() or name in NOT_OURS
        assert known, f"{page.name} names {name}, which is not a rule, setting or module"
    for name in re.findall(r"(?<!billing_rules)/rules/([a-z_]+)", text(page)):
        assert name in RULE_BY_ID, f"{page.name} links to the page of no rule, {name}"


@BY_PAGE
def test_every_environment_variable_that_is_named_is_read(page: Path) -> None:
    source = "".join(text(file) for file in (ROOT / "vialwise").rglob("*.py"))
    from_settings = set(models.VARIABLES.values())
    for name in re.findall(r"VIALWISE_[A-Z_]+", text(page)):
        known = name in from_settings or name in source
        assert known, f"{page.name} names {name}, which nothing reads"


def test_the_scopes_to_ask_for_are_those_the_queries_need() -> None:
    page = text(ROOT / "docs" / "ehr-onboarding.md")
    asked = dict(re.findall(r"patient/([A-Za-z]+)\.(rs?)\b", page))
    needed = {n.resource_type: "rs" if n.is_search else "r" for n in DATA_NEEDED}
    assert asked == {**needed, "Medication": "r"}


def test_the_services_to_register_are_those_there_are() -> None:
    page = text(ROOT / "docs" / "cds-service.md")
    listed = {
        service: re.findall(r"([a-z-]+) \([0-9]", hooks)
        for service, hooks in re.findall(r"^\| `(vialwise-[a-z]+)` \| ([^|]+) \|", page, re.M)
    }
    assert listed == {service.id: list(service.hooks) for service in SERVICES.values()}


def test_the_newest_notes_are_of_this_version() -> None:
    """What `make release` takes as notes: the first section with a number, below Unreleased."""
    heads = re.findall(r"^## (.+)$", text(ROOT / "CHANGELOG.md"), re.M)
    version = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["version"]
    assert heads[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)", heads[1])
