"""Every quote in the catalogue stands word for word in the copy of its source.

The copies are not shipped. Point VIALWISE_REFERENCE_DATA at the folder that holds them; the
default is `shared/data` beside the checkout. White space and Markdown's bold marks do not count.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from billing_rules.catalogue import DATA
from billing_rules.catalogue.files import (
    CodesFile,
    DosingTableFile,
    DrugFile,
    ModifiersFile,
    PayerFile,
    TermsFile,
    as_file,
    read_yaml,
    sourced_values,
)

CHECKOUT = Path(__file__).resolve().parent.parent
REFERENCE = Path(os.environ.get("VIALWISE_REFERENCE_DATA", CHECKOUT.parent / "shared" / "data"))
MODIFIERS_CSV = "cms/hcpcs_level2_modifiers_2025_oct.csv"

needs_reference_data = pytest.mark.skipif(
    not REFERENCE.is_dir(),
    reason=f"no reference data in {REFERENCE}: set VIALWISE_REFERENCE_DATA to compare the quotes",
)


def catalogue_files() -> Iterator[tuple[str, Any]]:
    for path in sorted((DATA / "drugs").glob("*.yaml")):
        yield path.name, as_file(read_yaml(path), DrugFile, path.name)
    for path in sorted((DATA / "payers").glob("*.yaml")):
        yield path.name, as_file(read_yaml(path), PayerFile, path.name)
    for name, shape in (
        ("modifiers.yaml", ModifiersFile),
        ("codes.yaml", CodesFile),
        ("terms.yaml", TermsFile),
    ):
        yield name, as_file(read_yaml(DATA / name), shape, name)


def quotes() -> Iterator[Any]:
    """(quote, file that must hold it), once each, named by catalogue file and value."""
    seen: set[tuple[str, str]] = set()
    for name, content in catalogue_files():
        for sourced in sourced_values(content):
            file = content.sources[sourced.source].file
            if file and (sourced.quote, file) not in seen:
                seen.add((sourced.quote, file))
                yield pytest.param(sourced.quote, file, id=f"{name}: {sourced.value}")


def plain(text: str) -> str:
    return " ".join(text.replace("**", "").split())


@cache
def reference_text(file: str) -> str:
    return plain((REFERENCE / file).read_text(encoding="utf-8", errors="replace"))


@needs_reference_data
@pytest.mark.parametrize(("quote", "file"), list(quotes()))
def test_quote_stands_in_its_source(quote: str, file: str) -> None:
    assert plain(quote) in reference_text(file), f"not in {file}; quote what the source says"


@needs_reference_data
def test_modifiers_are_those_of_the_cms_file() -> None:
    with (REFERENCE / MODIFIERS_CSV).open(encoding="utf-8-sig", newline="") as file:
        expected = {
            row["modifier"]: (row["code_add_date"], row["long_description"])
            for row in csv.DictReader(file)
        }
    modifiers = as_file(read_yaml(DATA / "modifiers.yaml"), ModifiersFile, "modifiers.yaml")
    found = {
        code: (start.strftime("%Y%m%d"), descriptor)
        for code, timeline in modifiers.modifiers.items()
        for start, descriptor in timeline.items()
    }
    assert found == expected


def test_every_source_has_a_public_address() -> None:
    for name, content in catalogue_files():
        for key, source in content.sources.items():
            assert source.url.startswith("https://"), f"{name}: {key}"
    for path in sorted((DATA / "dosing").glob("*.yaml")):
        table = as_file(read_yaml(path), DosingTableFile, path.name)
        assert table.source.url.startswith("https://"), path.name


def test_every_source_is_used() -> None:
    for name, content in catalogue_files():
        used = {sourced.source for sourced in sourced_values(content)}
        used |= {getattr(content, "source", "")} - {""}
        assert used == set(content.sources), f"{name}: remove or use {set(content.sources) - used}"
