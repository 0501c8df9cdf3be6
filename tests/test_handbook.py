"""The documentation site: every rule, drug and payer has its place, and data stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing_rules.catalogue import Catalogue
from billing_rules.rules import RULES
from handbook.markdown import link, text
from handbook.pages import pages

ROOT = Path(__file__).parent.parent
ON = date(2026, 11, 23)
RULE_IDS = [rule.id for rule in RULES]


@pytest.fixture(scope="module")
def made(catalogue: Catalogue) -> dict[str, str]:
    return pages(catalogue, ON)


@pytest.mark.parametrize("rule", RULE_IDS)
def test_every_rule_has_its_page_with_a_card_a_source_and_scenarios(
    rule: str, made: dict[str, str]
) -> None:
    page = made[f"rules/{rule}.md"]
    [card] = re.findall(r'^!!! (?:info|warning) "(.+)"$', page, re.MULTILINE)
    assert 10 < len(card) < 140
    assert "**Found**" in page
    assert re.search(r"## What it rests on\n\n- \[.+\]\(https://", page)
    assert re.search(r"## Where it speaks\n\n- .+: .+", page)
    assert f"]({rule}.md)" in page, "the card's link to its own record leads to this page"
    assert f"]({rule}.md)" in made["rules/index.md"]


def test_every_drug_and_payer_stands_in_the_catalogue(
    made: dict[str, str], catalogue: Catalogue
) -> None:
    index = made["catalogue/index.md"]
    for drug_id in catalogue.drug_files:
        assert f"]({drug_id}.md)" in index
        drug = catalogue.drug(drug_id, ON)
        assert all(c.ndc_shown in made[f"catalogue/{drug_id}.md"] for c in drug.containers)
    for payer_id in catalogue.payer_files:
        assert text(catalogue.payer(payer_id, ON).name) in index


def _named(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        inner = next(iter(entry.values())) if isinstance(entry, dict) else entry
        yield from [inner] if isinstance(inner, str) else _named(inner)


def test_the_navigation_leads_to_pages_and_every_page_of_docs_is_in_it(
    made: dict[str, str],
) -> None:
    nav = list(_named(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    written = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert [name for name in nav if name not in written and name not in made] == []
    assert written - set(nav) == set(), "add the page to the navigation in mkdocs.yml"
    assert written & set(made) == set()


def test_what_looks_like_markup_stays_text() -> None:
    assert text("<b>[x](javascript:1)\n|`") == r"\<b\>\[x\](javascript:1) \|\`"
    assert link("a]b", "https://x.example/(1) 2") == r"[a\]b](https://x.example/%281%29%202)"
