"""What does not fit a shape is converted to it as far as it does, and the rest is noted."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from billing_rules.fhir.json.decoding import decoded
from billing_rules.fhir.json.lenient import converted
from billing_rules.fhir.json.shapes import (
    ClaimResource,
    Dosage,
    MedicationRequestResource,
    Reference,
    WrittenQuantity,
    unreadable,
)
from billing_rules.fhir.json.values import Notes


def test_one_object_counts_as_a_list_of_one_and_a_list_of_one_as_the_object() -> None:
    order = converted(
        {
            "dosageInstruction": {"text": "weekly", "route": [{"text": "subcutaneous"}]},
            "medicationReference": [{"reference": "Medication/1"}],
        },
        MedicationRequestResource,
    )
    (dosage,) = order.dosageInstruction
    assert dosage.route is not None and dosage.route.text == "subcutaneous"
    assert order.medicationReference == converted({"reference": "Medication/1"}, Reference) or (
        order.medicationReference is not None
        and order.medicationReference.reference == "Medication/1"
    )
    assert Notes(order).sentences == []


def test_several_objects_where_one_is_meant_are_none_of_them() -> None:
    dosage = converted({"route": [{"text": "a"}, {"text": "b"}]}, Dosage)
    assert dosage.route is None and unreadable(dosage, "route")
    assert Notes(dosage).sentences == ["route could not be read"]


def test_absent_is_not_noted_and_wrong_is_noted_with_its_path() -> None:
    order = converted(
        {
            "id": None,
            "authoredOn": "",
            "reasonCode": {},
            "insurance": [],
            "dosageInstruction": [None, {"text": 5}, {}],
            "dispenseRequest": "x",
        },
        MedicationRequestResource,
    )
    assert (order.id, order.authoredOn, order.reasonCode, order.insurance) == ("", "", (), ())
    assert len(order.dosageInstruction) == 1 and order.dispenseRequest is None
    assert not unreadable(order, "dosageInstruction") and unreadable(order, "dispenseRequest")
    assert sorted(Notes(order).sentences) == [
        "dispenseRequest could not be read",
        "dosageInstruction[1].text could not be read",
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [("1.50", Decimal("1.50")), (2, Decimal(2)), ("1_000", None), (True, None), ("", None)],
)
def test_numbers_may_stand_in_texts(written: object, value: Decimal | None) -> None:
    assert converted({"value": written}, WrittenQuantity).value == value


def test_places_of_a_claim_count_what_is_no_item() -> None:
    claim = converted({"item": [None, "x", {"sequence": 1}]}, ClaimResource)
    assert [item is None for item in claim.item] == [True, False, False]
    assert claim.item[1] is not None and unreadable(claim.item[1], "")


def test_notes_are_limited() -> None:
    dosages = [{"text": 1} for _ in range(100)]
    order = converted({"dosageInstruction": dosages}, MedicationRequestResource)
    assert len(Notes(order).sentences) == 20


@pytest.mark.parametrize("damage", [{}, {"id": None}], ids=["as FHIR says", "converted"])
def test_an_element_is_found_where_it_stands(damage: dict[str, object]) -> None:
    sent = {
        "resourceType": "MedicationRequest",
        "dosageInstruction": [{}, {"timing": {"repeat": {"boundsPeriod": {"start": "soon"}}}}],
        **damage,
    }
    if not damage:
        sent["dosageInstruction"] = [{"text": "x"}, sent["dosageInstruction"][1]]  # type: ignore[index]
    order = decoded(json.dumps(sent).encode())
    assert isinstance(order, MedicationRequestResource)
    timing = order.dosageInstruction[-1].timing
    assert timing is not None and timing.repeat is not None and timing.repeat.boundsPeriod
    path = Notes(order).at(timing.repeat.boundsPeriod, "start")
    assert path == "dosageInstruction[1].timing.repeat.boundsPeriod.start"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"{", b'"x"', b"[" * 100_000])
def test_what_is_no_resource_is_none(raw: bytes) -> None:
    assert decoded(raw) is None


def test_a_type_that_nobody_reads_keeps_its_name_and_whose_it_is() -> None:
    device = decoded(b'{"resourceType":"Device","patient":{"reference":"Patient/1"}}')
    assert device is not None and device.kind == "Device"
    assert device.patient is not None and device.patient.reference == "Patient/1"


def test_a_representation_holds_nothing_of_the_patient() -> None:
    patient = decoded(b'{"resourceType":"Patient","id":"p-77","birthDate":"1970-01-01"}')
    assert "77" not in repr(patient) and "1970" not in repr(patient)
