"""What was given, with its containers from the dispense: conformance D1."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.fhir.read.therapies import Given, given
from billing_rules.model.entities import Amount, Counted
from billing_rules.model.states import NOTHING, Nothing, Present, Unknown
from billing_rules.orders.drug_orders import drug_orders

ADMINISTRATION = "MedicationAdministration/adm-prudence-inkwell-waste-charted"
DAY = date(2026, 11, 23)
Resource = dict[str, Any]


@pytest.fixture
def record() -> Resource:
    return fixtures.load("adm-prudence-inkwell-waste-charted")


@pytest.fixture
def dispense() -> Resource:
    return fixtures.load("disp-prudence-inkwell-xolair-waste-charted")


def read(catalogue: Catalogue, *resources: Resource) -> tuple[Given, ...]:
    parts = {
        name: Present(tuple(r for r in resources if r["resourceType"] in kinds))
        for name, kinds in {
            "administrations": ("MedicationAdministration", "Medication"),
            "dispenses": ("MedicationDispense",),
        }.items()
    }
    return given(parts, catalogue.systems)


def containers(catalogue: Catalogue, *resources: Resource) -> Any:
    return read(catalogue, *resources)[0].line.containers


def vials(state: Any) -> bool:
    return isinstance(state, Present) and state.value == Counted(2, "vials")


def test_the_dispense_a_record_names_says_the_containers(
    catalogue: Catalogue, record: Resource, dispense: Resource
) -> None:
    assert containers(catalogue, record) == NOTHING
    assert vials(containers(catalogue, record, dispense))
    name = record["supportingInformation"][0]["reference"]
    record["supportingInformation"][0]["reference"] = f"https://ehr.example/r4/{name}/_history/2"
    assert vials(containers(catalogue, record, dispense))


def test_the_only_dispense_of_the_same_prescription_and_day_does_so_too(
    catalogue: Catalogue, record: Resource, dispense: Resource
) -> None:
    del record["supportingInformation"]
    assert containers(catalogue, record, dispense) == NOTHING
    dispense["authorizingPrescription"] = [copy.deepcopy(record["request"])]
    assert vials(containers(catalogue, record, dispense))
    again = {**dispense, "id": "again"}
    assert containers(catalogue, record, dispense, again) == NOTHING, "which one is not known"
    dispense["whenHandedOver"] = "2026-07-19"
    assert containers(catalogue, record, dispense) == NOTHING


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "preparation", "declined"])
def test_a_dispense_that_was_not_handed_over_says_nothing(
    catalogue: Catalogue, record: Resource, dispense: Resource, status: str
) -> None:
    assert containers(catalogue, record, {**dispense, "status": status}) == NOTHING


def test_a_dispensed_amount_is_no_count_of_containers(
    catalogue: Catalogue, record: Resource, dispense: Resource
) -> None:
    dispense["quantity"] = {"value": 300, "unit": "mg"}
    assert isinstance(containers(catalogue, record, dispense), Nothing)
    dispense["quantity"] = {"value": 2}
    assert isinstance(containers(catalogue, record, dispense), Unknown)


def test_one_dispense_fills_one_record(
    catalogue: Catalogue, record: Resource, dispense: Resource
) -> None:
    first, second = read(catalogue, record, {**record, "id": "second"}, dispense)
    assert vials(first.line.containers) and second.line.containers == NOTHING


def test_a_record_sent_twice_is_one(catalogue: Catalogue, record: Resource) -> None:
    (one,) = read(catalogue, record, copy.deepcopy(record))
    assert one.line.reference == ADMINISTRATION


def test_the_encounter_is_kept(catalogue: Catalogue, record: Resource) -> None:
    assert read(catalogue, record)[0].encounter == ""
    record["context"] = {"reference": "Encounter/e/_history/1"}
    assert read(catalogue, record)[0].encounter == "Encounter/e"


def test_d1_9_two_sites_of_one_dose_add_up(catalogue: Catalogue) -> None:
    """Two products on one day are one dose, whatever they were dispensed as."""
    sites = ("first-site", "second-site")
    records = [fixtures.load(f"adm-prudence-inkwell-{site}") for site in sites]
    (order,) = drug_orders([g.line for g in read(catalogue, *records)], catalogue, DAY)
    assert order.dose == Present(Amount(225, "mg"))


@pytest.mark.parametrize("junk", [{}, {"resourceType": 5}, {"context": 5, "request": [5]}])
def test_junk_does_not_raise(catalogue: Catalogue, record: Resource, junk: Resource) -> None:
    parts = {
        "administrations": Present((record, junk, b"{", Unknown("more"))),
        "dispenses": Unknown("not sent"),
    }
    assert any(g.line.reference == ADMINISTRATION for g in given(parts, catalogue.systems))


def test_containers_of_dispenses_that_could_not_be_read_are_not_known(
    catalogue: Catalogue, record: Resource, dispense: Resource
) -> None:
    """Not "none are named": one of those dispenses may say them."""
    records = Present((record,))
    (torn,) = given(
        {"administrations": records, "dispenses": Unknown("timed out")}, catalogue.systems
    )
    assert torn.line.containers == Unknown("the dispenses could not be read: timed out")
    (unasked,) = given({"administrations": records}, catalogue.systems)
    assert isinstance(unasked.line.containers, Unknown)
    (none,) = given({"administrations": records, "dispenses": NOTHING}, catalogue.systems)
    assert none.line.containers == NOTHING
    half = Present((Unknown("an entry was no JSON"),))
    (some,) = given({"administrations": records, "dispenses": half}, catalogue.systems)
    assert isinstance(some.line.containers, Unknown)
    both = Present((dispense, Unknown("an entry was no JSON")))
    (found,) = given({"administrations": records, "dispenses": both}, catalogue.systems)
    assert vials(found.line.containers)
