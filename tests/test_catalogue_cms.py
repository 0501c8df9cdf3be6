"""The shipped drugs against CMS's own files: code, unit, containers, edits, status.

Whatever drug is shipped and stands in those files is compared, so that a new one needs no line
here. The files are not shipped: point VIALWISE_REFERENCE_DATA at the folder that holds them; the
default is `shared/data` beside the checkout.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from billing_rules.catalogue import Catalogue, load
from billing_rules.catalogue.files import DrugFile
from billing_rules.catalogue.values import Dated
from billing_rules.model.entities import Amount, Container, hyphenated_ndc

CHECKOUT = Path(__file__).resolve().parent.parent
CMS = Path(os.environ.get("VIALWISE_REFERENCE_DATA", CHECKOUT.parent / "shared" / "data")) / "cms"
pytestmark = pytest.mark.skipif(
    not CMS.is_dir(), reason=f"no files of CMS in {CMS}: set VIALWISE_REFERENCE_DATA to compare"
)
CATALOGUE = load()
DRUGS = pytest.mark.parametrize("drug", CATALOGUE.drug_files.values(), ids=lambda drug: drug.id)

Row = dict[str, str]


@cache
def rows(file: str, first: str, encoding: str = "utf-8-sig") -> list[Row]:
    """The rows below the header that begins with `first`: CMS writes a preamble before it."""
    with (CMS / file).open(encoding=encoding, newline="") as text:
        lines = iter(csv.reader(text))
        header = next(line for line in lines if line and line[0] == first)
        return [dict(zip(header, line, strict=False)) for line in lines]


def descriptors() -> dict[str, Row]:
    return {row["code"]: row for row in rows("hcpcs_level2_procedures_2025_oct.csv", "code")}


def dosages() -> Iterator[tuple[str, str]]:
    """(code, HCPCS dosage) of both editions of CMS's payment limits."""
    for row in rows("2025-10_asp_pricing_cp1252.csv", "HCPCS Code", "cp1252"):
        yield row["HCPCS Code"], row["HCPCS Code Dosage"]
    for row in rows("asp_payment_limits_2026-10_JQA.csv", "hcpcs"):
        yield row["hcpcs"], row["dosage"]


def packages() -> Iterator[tuple[str, str, str, str, str]]:
    """(code, NDC of 11 digits, dosage, billing units of one item, items) of both crosswalks."""
    for row in rows("2025-10_asp_ndc_hcpcs_crosswalk_cp1252.csv", "_2025_CODE", "cp1252"):
        eleven = row["NDC2"].replace("-", "")
        yield row["_2025_CODE"], eleven, row["HCPCS dosage"], row["BILLUNITS"], row["PKG QTY"]
    for row in rows("asp_ndc_hcpcs_crosswalk_2026q4_asthma_biologics.csv", "hcpcs"):
        units, quantity = row["billing_units_per_item"], row["pkg_qty"]
        yield row["hcpcs"], row["ndc11"], row["hcpcs_dosage"], units, quantity


def codes(drug: DrugFile) -> dict[str, tuple[date, Amount]]:
    """Each code the drug ever had: its first day and the billing unit on that day."""
    unit = Dated(drug.billing_unit)
    return {
        str(sourced.value): (start, Amount.parse(str(unit.on(start).value)))
        for start, sourced in drug.hcpcs.items()
        if sourced.value is not None
    }


def units_in(text: str) -> set[Amount]:
    """Every amount that a descriptor or a dosage names: "Injection, omalizumab, 5 mg"."""
    found = re.findall(r"(\d+(?:\.\d+)?) ?(mg|mcg|g|ml|units?|iu)\b", text, re.IGNORECASE)
    return {
        Amount.parse(f"{number} {'mL' if unit.lower() == 'ml' else unit.lower()}")
        for number, unit in found
    }


def container_of(eleven: str) -> Container | None:
    drug_id = CATALOGUE.identifiers.ndcs.get(eleven)
    containers = CATALOGUE.drug(drug_id, date(2026, 11, 23)).containers if drug_id else ()
    return next((c for c in containers if c.ndc == eleven), None)


@DRUGS
def test_code_and_unit_are_those_of_the_descriptor(drug: DrugFile) -> None:
    for code, (start, unit) in codes(drug).items():
        row = descriptors().get(code)
        if row:
            assert row["code_add_date"] == start.strftime("%Y%m%d"), code
            assert unit in units_in(row["long_description"]), row["long_description"]
            assert drug.name.partition(" ")[0] in row["long_description"].lower()


@DRUGS
def test_the_unit_is_the_one_cms_pays_by(drug: DrugFile) -> None:
    own = codes(drug)
    for code, dosage in dosages():
        if code in own:
            assert units_in(dosage) == {own[code][1]}, f"{code}: CMS pays by {dosage}"


@DRUGS
def test_the_limit_of_units_is_that_of_the_unlikely_edits(drug: DrugFile) -> None:
    for row in rows("ncci_mue_2026q3_JQC.csv", "hcpcs"):
        if row["hcpcs"] in codes(drug) and row["service"] == "practitioner":
            day = date.fromisoformat(row["effective_date"])
            stated = CATALOGUE.drug(drug.id, day).medically_unlikely_units
            assert stated == int(row["mue_value"]), f"state medically_unlikely_units of {day}"


@DRUGS
def test_the_single_dose_list_is_cited_where_the_code_stands_on_it(drug: DrugFile) -> None:
    listed = {row["hcpcs"] for row in rows("jw_jz_single_dose_hcpcs_2025-06-20.csv", "hcpcs")}
    stated = {str(drug.single_dose_list.value)} if drug.single_dose_list else set()
    assert stated == codes(drug).keys() & listed
    if stated:
        statuses = {c.dose_status for c in CATALOGUE.drug(drug.id, date(2026, 11, 23)).containers}
        assert statuses <= {"single-dose"}


@DRUGS
def test_the_outpatient_status_is_that_of_every_release(drug: DrugFile) -> None:
    for row in rows("opps_addendum_b_JQCA_2025-01_to_2026-04.csv", "addendum_b_release"):
        if row["hcpcs"] in codes(drug) and drug.opps_status:
            day = date.fromisoformat(f"{row['addendum_b_release']}-01")
            assert CATALOGUE.drug(drug.id, day).opps_status == row["status_indicator"], day


@DRUGS
def test_a_container_holds_what_the_crosswalk_bills_it_as(drug: DrugFile) -> None:
    for code, eleven, dosage, units, quantity in packages():
        container = container_of(eleven) if code in codes(drug) else None
        if container and CATALOGUE.identifiers.ndcs[eleven] == drug.id:
            [unit] = units_in(dosage)
            assert container.strength == unit * int(units), f"{eleven}: {units} x {dosage}"
            assert container.per_package == int(quantity), eleven


@DRUGS
def test_an_ndc_of_the_crosswalk_stands_under_this_drugs_code(drug: DrugFile) -> None:
    known = {c.ndc for c in CATALOGUE.drug(drug.id, date(2026, 11, 23)).containers}
    for code, eleven, *_ in packages():
        if eleven in known:
            assert code in codes(drug), f"{hyphenated_ndc(eleven)} is CMS's {code}"


def test_the_files_hold_shipped_drugs_at_all(catalogue: Catalogue) -> None:
    """Otherwise nothing above was compared."""
    shipped = {code for drug in catalogue.drug_files.values() for code in codes(drug)}
    assert len(shipped & descriptors().keys()) >= len(shipped) / 2
    assert {code for code, *_ in packages()} & shipped
