"""What the catalogue's YAML was read as is kept, and never used for another YAML."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from billing_rules.catalogue import DATA, load
from billing_rules.catalogue.files import CatalogueError, DrugFile, read_file
from vialwise.catalogues import read_cached

NAME = "drugs/omalizumab.yaml"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    kept_elsewhere = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(DATA, tmp_path / "data", ignore=kept_elsewhere))


def images(data: Path) -> list[Path]:
    return sorted(data.rglob("__pycache__/*"))


def test_every_file_is_remembered_as_it_was_read(data: Path) -> None:
    first, again = load(data=data, read=read_cached), load(data=data, read=read_cached)
    plain = load(data=data)
    assert len(images(data)) == len(list(data.rglob("*.yaml"))) - 1  # rules.yaml has another reader
    for known in (first, again):
        assert known.drug_files == plain.drug_files
        assert known.payer_files == plain.payer_files
        assert known.sources == plain.sources


def test_a_changed_file_is_read_anew(data: Path) -> None:
    path = data / NAME
    assert read_cached(path, DrugFile, NAME).brand == "Xolair"
    path.write_text(path.read_text().replace("brand: Xolair", "brand: Another", 1))
    assert read_cached(path, DrugFile, NAME).brand == "Another"
    assert read_cached(path, DrugFile, NAME) == read_file(path, DrugFile, NAME)


def test_a_wrong_file_is_refused_each_time(data: Path) -> None:
    path = data / NAME
    path.write_text(path.read_text().replace("brand: Xolair", "brand: Xolair\ncolour: blue", 1))
    for _ in range(2):
        with pytest.raises(CatalogueError, match="colour"):
            read_cached(path, DrugFile, NAME)
    with pytest.raises(CatalogueError, match="cannot be read"):
        read_cached(data / "none.yaml", DrugFile, "none.yaml")


def test_a_spoiled_image_is_not_used(data: Path) -> None:
    path = data / NAME
    whole = read_cached(path, DrugFile, NAME)
    [image] = images(data)
    image.write_bytes(image.read_bytes()[:-9])
    assert read_cached(path, DrugFile, NAME) == whole


def test_nothing_is_written_where_python_writes_no_bytecode(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert read_cached(data / NAME, DrugFile, NAME).brand == "Xolair"
    assert images(data) == []
