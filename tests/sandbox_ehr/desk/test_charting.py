"""What a nurse charts, as records that the service reads back to the same injection."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.fhir.read.therapies import Given, given
from billing_rules.model.states import Nothing, Present
from sandbox_ehr.desk import charting
from sandbox_ehr.desk.charting import DoseEntry, Visit
from sandbox_ehr.fhir import validation

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=timezone(timedelta(hours=-6)))
TYPED = {
    "dose": "225",
    "containers": "2",
    "lot": "FX1",
    "expiry": "2028-04-30",
    "discarded": "75",
    "site": "left upper arm",
    "given_at": "10:05",
    "observed_until": "10:35",
}


def order(name: str = "omalizumab-225-mg-two-vials") -> dict[str, Any]:
    return fixtures.order(name)


def entry(of: dict[str, Any] | None = None, **changes: str) -> DoseEntry:
    (blank,) = charting.entries([of or order()], NOW)
    form = {f"0:{name}": value for name, value in {**TYPED, **changes}.items()}
    return charting.checked(charting.typed(blank, form))


def records(charted: DoseEntry, of: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    said = of or order()
    visit = Visit(said["subject"], "Encounter/e1", {"reference": "Practitioner/n"}, NOW)
    return charting.records(charted, said, visit)


def read(found: list[dict[str, Any]], catalogue: Catalogue) -> list[Given]:
    by_kind = {
        part: Present(tuple(r for r in found if r["resourceType"] == kind))
        for part, kind in (
            ("administrations", "MedicationAdministration"),
            ("dispenses", "MedicationDispense"),
        )
    }
    return list(given(by_kind, catalogue.systems))


def test_dose_containers_lot_site_observation_and_waste_are_read_back(
    catalogue: Catalogue,
) -> None:
    charted = entry()
    assert not charted.problems
    dose, waste = read(records(charted), catalogue)
    line = dose.line
    assert isinstance(line.dose, Present) and str(line.dose.value.amount) == "225 mg"
    assert isinstance(line.containers, Present) and str(line.containers.value.value) == "2"
    assert line.lot == Present("FX1") and line.site == Present("left upper arm")
    assert line.observed == Present("10:05 to 10:35") and dose.encounter == "Encounter/e1"
    assert str(line.date_of_service) == "2026-11-24" and not line.not_given
    assert waste.line.not_given
    discarded = waste.line.discarded
    assert isinstance(discarded, Present) and str(discarded.value) == "75 mg"


@pytest.mark.parametrize("discarded", ["", "0", "0.0"])
def test_without_waste_there_is_no_record_of_it(discarded: str, catalogue: Catalogue) -> None:
    charted = entry(discarded=discarded, observed_until="", lot="", expiry="", site="")
    assert not charted.problems
    (dose,) = read(records(charted), catalogue)
    assert isinstance(dose.line.discarded, Nothing) and isinstance(dose.line.observed, Nothing)
    assert isinstance(dose.line.lot, Nothing) and isinstance(dose.line.site, Nothing)


@pytest.mark.parametrize(
    "name", ["omalizumab-225-mg-two-vials", "reslizumab-3-mg-per-kg", "omalizumab-coded-j2356"]
)
def test_the_records_are_valid_fhir(name: str) -> None:
    for record in records(entry(order(name)), order(name)):
        validation.check(record)


def test_a_dose_by_weight_is_not_worked_out() -> None:
    (blank,) = charting.entries([order("reslizumab-3-mg-per-kg")], NOW)
    assert (blank.dose, blank.unit, blank.containers) == ("", "mg", "3")


def test_the_billing_code_of_the_order_is_no_product_that_was_given() -> None:
    said = order("omalizumab-coded-j2356")
    administration = records(entry(said), said)[1]
    codes = administration["contained"][0]["code"]["coding"]
    assert [coding["code"] for coding in codes] == ["50242-040-62"]


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("dose", ""),
        ("dose", "all"),
        ("containers", ""),
        ("containers", "-2"),
        ("discarded", "some"),
        ("expiry", "soon"),
        ("expiry", "2028-13-01"),
        ("given_at", ""),
        ("given_at", "25:00"),
        ("observed_until", "later"),
    ],
)
def test_what_cannot_be_charted_is_said(name: str, typed: str) -> None:
    charted = entry(**{name: typed})
    assert set(charted.problems or ()) == {name} and getattr(charted, name) == typed


def test_what_was_charted_is_told_in_words() -> None:
    said = [charting.charted(record).says for record in records(entry())]
    drug = "omalizumab 150 mg powder for injection, vial"
    assert said == [
        f"{drug}: 2 vials handed over, 2026-11-24 at 09:50",
        f"{drug}: 225 mg given, 2026-11-24 at 10:05, left upper arm, lot FX1",
        f"{drug}: 75 mg discarded, 2026-11-24 at 10:05",
    ]
