"""The registry of sources, and every quote word for word in the copy of its source.

The copies are CMS's files and public terminologies; they are not shipped. Point
VIALWISE_REFERENCE_DATA at the folder that holds them; the default is `shared/data` beside the
checkout. White space does not count.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from billing_rules.catalogue import DATA, Catalogue
from billing_rules.catalogue.files import (
    CodeListsFile,
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

# Of these sources there is a copy to compare with; a source that is not here is not compared. Of
# EXCERPTS the copy has some codes only.
EXCERPTS = {
    "cms/asp_ndc_hcpcs_crosswalk_2026q4_asthma_biologics.csv",
    "cms/opps_addendum_b_rates_asthma_biologics.csv",
    "cms/openfda_package_descriptions_seen.csv",
}
COPIES = {
    "hcpcs-2025-10": "cms/hcpcs_level2_procedures_2025_oct.csv",
    "hcpcs-modifiers-2025-10": "cms/hcpcs_level2_modifiers_2025_oct.csv",
    "asp-crosswalk-2025-10": "cms/2025-10_asp_ndc_hcpcs_crosswalk.csv",
    "asp-crosswalk-2026q4": "cms/asp_ndc_hcpcs_crosswalk_2026q4_asthma_biologics.csv",
    "ncci-mue-2026q3": "cms/ncci_mue_2026q3_JQC.csv",
    "jw-jz-list-2025-06": "cms/jw_jz_single_dose_hcpcs_2025-06-20.csv",
    "opps-addendum-b": "cms/opps_addendum_b_rates_asthma_biologics.csv",
    "nucala-ndc": "cms/openfda_package_descriptions_seen.csv",
    "cinqair-ndc": "cms/openfda_package_descriptions_seen.csv",
    "omlyclo-ndc": "cms/openfda_package_descriptions_seen.csv",
    "triamcinolone-ndc": "cms/openfda_package_descriptions_seen.csv",
    "icd10cm": "terminology/icd10cm_checked.csv",
    "snomed-gps": "terminology/snomed_gps_asthma_allergy.csv",
    "loinc": "terminology/loinc_checked.csv",
    "loinc-one-source": "terminology/loinc_checked.csv",
    "synthea": "synthea/Daisey_Johns_e916a083-8ee6-4df8-acbe-b711fa791253.json",
    "xolair-doses": "xolair_dosing/envelopes.yaml",
}

needs_reference_data = pytest.mark.skipif(
    not REFERENCE.is_dir(),
    reason=f"no reference data in {REFERENCE}: set VIALWISE_REFERENCE_DATA to compare the quotes",
)


def catalogue_files() -> Iterator[tuple[str, Any]]:
    for folder, shape in (
        ("drugs", DrugFile),
        ("payers", PayerFile),
        ("dosing", DosingTableFile),
    ):
        for path in sorted((DATA / folder).glob("*.yaml")):
            yield path.name, as_file(read_yaml(path), shape, path.name)
    for name, shape in (
        ("code_lists.yaml", CodeListsFile),
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
            file = COPIES.get(sourced.source, "")
            if file and (sourced.quote, file) not in seen:
                seen.add((sourced.quote, file))
                yield pytest.param(sourced.quote, file, id=f"{name}: {sourced.value}")


def plain(text: str) -> str:
    return " ".join(text.split())


@cache
def reference_text(file: str) -> str:
    return plain((REFERENCE / file).read_text(encoding="utf-8", errors="replace"))


@needs_reference_data
@pytest.mark.parametrize(("quote", "file"), list(quotes()))
def test_quote_stands_in_its_source(quote: str, file: str) -> None:
    code = re.search(r"\b[A-Z]\d{4}\b|\b\d{4,5}-\d{3,4}-\d{1,2}\b", quote)
    if file in EXCERPTS and code and code[0] not in reference_text(file):
        pytest.skip(f"the excerpt at hand does not have {code[0]}")
    assert plain(quote) in reference_text(file), f"not in {file}; quote what the source says"


@needs_reference_data
def test_modifiers_are_those_of_the_cms_file() -> None:
    path = REFERENCE / COPIES["hcpcs-modifiers-2025-10"]
    with path.open(encoding="utf-8-sig", newline="") as file:
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


def test_every_source_has_a_public_address(catalogue: Catalogue) -> None:
    for key, source in catalogue.sources.items():
        assert source.url.startswith("https://"), key


def test_an_address_without_a_page_is_marked_as_a_home_page(catalogue: Catalogue) -> None:
    for key, source in catalogue.sources.items():
        host_only = not source.url.removeprefix("https://").partition("/")[2]
        assert source.home_page or not host_only, f"{key}: find the page, or say home_page: true"


def test_a_home_page_is_shown_as_one(catalogue: Catalogue) -> None:
    shown = {source.cited().title for source in catalogue.sources.values() if source.home_page}
    assert shown and all(title.endswith("(home page)") for title in shown)


def test_no_shipped_file_names_one_that_is_not_shipped() -> None:
    for path in DATA.rglob("*.yaml"):
        assert "../" not in path.read_text(encoding="utf-8"), path.name


def test_a_document_stands_in_the_registry_once(catalogue: Catalogue) -> None:
    documents = [(s.title, s.url, s.published, s.words) for s in catalogue.sources.values()]
    assert len(documents) == len(set(documents))


def test_a_page_without_a_date_goes_by_the_day_it_was_read(catalogue: Catalogue) -> None:
    undated = catalogue.sources["discarded-drugs"]
    dated = catalogue.sources["hcpcs-2025-10"]
    assert undated.cited().published == undated.read
    assert dated.cited().published < dated.read
