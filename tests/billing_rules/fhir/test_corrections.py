from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st

from billing_rules.fhir.reading import draft_orders
from billing_rules.fhir.write.corrections import NotCorrectable, corrected
from billing_rules.model.entities import Code
from billing_rules.model.findings import (
    AddDiscardedLine,
    Correction,
    RemoveLine,
    RemoveOrder,
    ReplaceCode,
    SetBilledUnits,
    SetModifiers,
)
from tests.billing_rules.fhir.samples import (
    HCPCS,
    NDC,
    PREFERRED,
    RXNORM,
    SYSTEMS,
    Json,
    administration,
    charge_item,
    claim,
    claim_item,
    concept,
    contained_prescription,
    epic_prescription,
    prescription,
    service_request,
)

WRONG, RIGHT = Code("hcpcs", "J2356"), Code("hcpcs", "J2357", "Injection, omalizumab, 5 mg")


def reference(order: Json) -> str:
    return f"{order['resourceType']}/{order['id']}"


def after(order: Json, *corrections: Correction, systems: Any = SYSTEMS) -> Json:
    before = json.dumps(order)
    copy = corrected(order, corrections, PREFERRED, systems)
    assert json.dumps(order) == before, "the original was changed"
    return copy


def leaves(value: Any, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], Any]:
    if not isinstance(value, (dict, list)):
        return {path: value}
    places = value.items() if isinstance(value, dict) else enumerate(value)
    return {p: v for place, child in places for p, v in leaves(child, (*path, place)).items()}


def changed(before: Json, after_: Json) -> set[tuple[Any, ...]]:
    one, two = leaves(before), leaves(after_)
    return {path for path in one.keys() | two.keys() if one.get(path) != two.get(path)}


def valid(resource: Json) -> None:
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


# ---------------------------------------------------------------- codes


def test_only_the_code_and_its_display_change() -> None:
    order = prescription()
    copy = after(order, ReplaceCode("MedicationRequest/rx", None, WRONG, RIGHT))
    place = ("medicationCodeableConcept", "coding", 1)
    assert changed(order, copy) == {(*place, "code"), (*place, "display")}
    assert copy["medicationCodeableConcept"]["coding"][1] == {
        "system": HCPCS,
        "code": "J2357",
        "display": "Injection, omalizumab, 5 mg",
    }
    valid(copy)


def test_without_words_for_the_new_code_the_old_display_goes() -> None:
    copy = after(
        prescription(), ReplaceCode("MedicationRequest/rx", None, WRONG, Code("hcpcs", "J2357"))
    )
    assert copy["medicationCodeableConcept"]["coding"][1] == {"system": HCPCS, "code": "J2357"}


def test_a_text_that_repeats_the_old_display_goes_with_it() -> None:
    order = service_request(code=concept(HCPCS, "J2356", "tezepelumab", text="tezepelumab"))
    copy = after(order, ReplaceCode("ServiceRequest/sr", None, WRONG, RIGHT))
    assert copy["code"]["text"] == RIGHT.display


@pytest.mark.parametrize(
    ("order", "place"),
    [
        (contained_prescription(), ("contained", 0, "ingredient", 0, "itemCodeableConcept")),
        (service_request(), ("code", "extension", 0, "valueCodeableConcept")),
        (charge_item(), ("extension", 0, "extension", 0, "valueCodeableConcept")),
    ],
)
def test_the_code_is_replaced_wherever_it_was_read(order: Json, place: tuple[Any, ...]) -> None:
    copy = after(order, ReplaceCode(reference(order), None, WRONG, RIGHT))
    assert {path[: len(place)] for path in changed(order, copy)} == {place}
    assert draft_orders([copy], SYSTEMS, lambda _: None)[0].codes_of("hcpcs") == ("J2357",)


def test_the_system_is_kept_as_the_order_wrote_it() -> None:
    uri = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
    copy = after(
        service_request(code=concept(uri, "J2356")),
        ReplaceCode("ServiceRequest/sr", None, WRONG, RIGHT),
    )
    assert copy["code"]["coding"] == [{"system": uri, "code": "J2357"}]


def test_modifiers_glued_to_the_code_stay() -> None:
    copy = after(
        service_request(code=concept(HCPCS, "j2356-JZ")),
        ReplaceCode("ServiceRequest/sr", None, WRONG, RIGHT),
    )
    assert copy["code"]["coding"][0]["code"] == "J2357-JZ"


def test_the_same_characters_in_another_system_are_left_alone() -> None:
    order = service_request(
        code={"coding": [{"system": RXNORM, "code": "J2356"}, {"system": HCPCS, "code": "J2356"}]}
    )
    copy = after(order, ReplaceCode("ServiceRequest/sr", None, WRONG, RIGHT))
    assert changed(order, copy) == {("code", "coding", 1, "code")}
    both = after(order, ReplaceCode("ServiceRequest/sr", None, WRONG, RIGHT), systems=None)
    assert len(changed(order, both)) == 2


def test_an_ndc_is_found_in_any_spelling() -> None:
    order = administration()
    copy = after(
        order,
        ReplaceCode(
            "MedicationAdministration/ma",
            None,
            Code("ndc", "50242004062"),
            Code("ndc", "50242022701"),
        ),
    )
    assert changed(order, copy) == {("contained", 0, "code", "coding", 0, "code")}


def test_one_claim_item_changes_and_the_others_do_not() -> None:
    order = claim(None, claim_item(1, 5), claim_item(2, 6))
    copy = after(order, ReplaceCode("Claim/cl", 2, Code("hcpcs", "J2357"), Code("hcpcs", "J2182")))
    assert {path[:2] for path in changed(order, copy)} == {("item", 2)}


@pytest.mark.parametrize(
    ("order", "correction", "words"),
    [
        (
            epic_prescription(),
            ReplaceCode("MedicationRequest/" + "e" * 194, None, WRONG, RIGHT),
            "stands in Medication/far-away",
        ),
        (
            prescription(),
            ReplaceCode("MedicationRequest/rx", None, Code("hcpcs", "J9999"), RIGHT),
            "the code J9999 is not there",
        ),
        (
            prescription(),
            ReplaceCode("MedicationRequest/rx", None, WRONG, Code("made-up", "1")),
            "made-up",
        ),
        (prescription(), ReplaceCode("MedicationRequest/other", None, WRONG, RIGHT), "other"),
        (prescription(), SetBilledUnits("MedicationRequest/rx", None, 60), "billing units"),
        (prescription(), SetModifiers("MedicationRequest/rx", 0, add=("JZ",)), "no items"),
        (claim(), SetBilledUnits("Claim/cl", 9, 60), "no item 10"),
        (claim(), SetModifiers("Claim/cl", 0, remove=("JW",)), "no modifier JW"),
        (claim(None), AddDiscardedLine("Claim/cl", 0, 15), "no item 1"),
        (administration(), SetBilledUnits("MedicationAdministration/ma", None, 1), "no items"),
        (prescription(), RemoveOrder("MedicationRequest/rx"), "deleting"),
        (prescription(), RemoveLine("MedicationRequest/rx", 0), "no items"),
        (claim(), RemoveLine("Claim/cl", 5), "no item 6"),
        (claim(claim_item(1, 15, "JW")), RemoveLine("Claim/cl", 0), "withdrawn"),
        (claim(total={"value": 1, "currency": "USD"}), RemoveLine("Claim/cl", 0), "total"),
        (service_request(quantityRange={}), SetBilledUnits("ServiceRequest/sr", None, 1), "number"),
    ],
)
def test_what_cannot_be_corrected_says_why(order: Json, correction: Correction, words: str) -> None:
    with pytest.raises(NotCorrectable, match=words):
        after(order, correction)


# ---------------------------------------------------------------- units


@pytest.mark.parametrize(
    ("order", "item", "path"),
    [
        (service_request(), None, ("quantityQuantity", "value")),
        (charge_item(), None, ("quantity", "value")),
        (claim(), 0, ("item", 0, "quantity", "value")),
        (
            prescription(dispenseRequest={"quantity": {"value": 2, "unit": "UN"}}),
            None,
            ("dispenseRequest", "quantity", "value"),
        ),
    ],
)
def test_units_are_written_where_the_resource_keeps_them(
    order: Json, item: int | None, path: tuple[Any, ...]
) -> None:
    copy = after(order, SetBilledUnits(reference(order), item, 45))
    assert changed(order, copy) == {path}
    assert leaves(copy)[path] == 45
    valid(copy)


def test_a_unit_that_is_no_billing_unit_goes_with_its_number() -> None:
    order = service_request(quantityQuantity={"value": 300, "unit": "mg", "code": "mg"})
    copy = after(order, SetBilledUnits("ServiceRequest/sr", None, 60))
    assert copy["quantityQuantity"] == {"value": 60}


def test_a_missing_quantity_is_added_where_units_belong() -> None:
    order = service_request()
    del order["quantityQuantity"]
    copy = after(order, SetBilledUnits("ServiceRequest/sr", None, 60))
    assert copy["quantityQuantity"] == {"value": 60}


# ---------------------------------------------------------------- modifiers and lines


def test_a_modifier_is_taken_off_and_another_put_on() -> None:
    order = claim(claim_item(1, 60, "JW", "RT"))
    copy = after(order, SetModifiers("Claim/cl", 0, add=("JZ",), remove=("JW",)))
    codes = [m["coding"][0]["code"] for m in copy["item"][0]["modifier"]]
    assert codes == ["RT", "JZ"]
    assert {path[:3] for path in changed(order, copy)} == {("item", 0, "modifier")}
    valid(copy)


def test_the_last_modifier_takes_its_element_along() -> None:
    copy = after(claim(claim_item(1, 60, "JW")), SetModifiers("Claim/cl", 0, remove=("JW",)))
    assert "modifier" not in copy["item"][0]
    valid(copy)


def test_a_modifier_that_is_there_is_not_added_again() -> None:
    order = claim()
    assert after(order, SetModifiers("Claim/cl", 0, add=("JZ",))) == order


def test_a_glued_modifier_comes_off_its_code() -> None:
    order = claim(claim_item(1, 60, productOrService=concept(HCPCS, "J2357-JW-RT")))
    copy = after(order, SetModifiers("Claim/cl", 0, remove=("JW",)))
    assert copy["item"][0]["productOrService"]["coding"][0]["code"] == "J2357-RT"


def test_the_discarded_line_follows_its_item() -> None:
    order = claim()
    copy = after(order, AddDiscardedLine("Claim/cl", 0, 15))
    assert copy["item"][0] == order["item"][0]
    assert copy["item"][2] == order["item"][1]
    line = copy["item"][1]
    assert line["sequence"] == 3
    assert line["quantity"] == {"value": 15}
    assert line["modifier"] == [{"coding": [{"system": HCPCS, "code": "JW"}]}]
    assert line["productOrService"] == order["item"][0]["productOrService"]
    assert line["servicedDate"] == "2026-03-01"
    assert line["detail"] == [{"sequence": 1, "productOrService": concept(NDC, "50242004062")}]
    valid(copy)


def test_the_discarded_line_carries_no_other_modifier_and_no_money_of_the_first() -> None:
    item = claim_item(
        1,
        60,
        "JZ",
        productOrService=concept(HCPCS, "J2357-JZ"),
        id="i",
        net={"value": 1, "currency": "USD"},
    )
    line = after(claim(item), AddDiscardedLine("Claim/cl", 0, 15))["item"][1]
    assert line["productOrService"]["coding"][0]["code"] == "J2357"
    assert not {"net", "id"} & line.keys()


def test_a_line_taken_out_leaves_the_others_their_numbers() -> None:
    order = claim(claim_item(1, 45), claim_item(2, 15, "JW"), claim_item(3, 1))
    copy = after(order, RemoveLine("Claim/cl", 1), SetBilledUnits("Claim/cl", 2, 2))
    assert [item["sequence"] for item in copy["item"]] == [1, 3]
    assert copy["item"][0] == order["item"][0] and copy["item"][1]["quantity"]["value"] == 2
    assert {k: v for k, v in copy.items() if k != "item"} == {
        k: v for k, v in order.items() if k != "item"
    }
    valid(copy)


def test_corrections_compose_and_count_items_as_the_original_does() -> None:
    order = claim(None, claim_item(1, 300, "JZ"), claim_item(2, 1))
    copy = after(
        order,
        AddDiscardedLine("Claim/cl", 1, 15),
        SetBilledUnits("Claim/cl", 1, 45),
        SetModifiers("Claim/cl", 1, remove=("JZ",)),
        ReplaceCode("Claim/cl", 1, Code("hcpcs", "J2357"), Code("hcpcs", "Q5154")),
        SetBilledUnits("Claim/cl", 2, 2),
    )
    lines = draft_orders([copy], SYSTEMS, lambda _: None)
    read = [(line.codes[0].code, str(line.billed), line.modifiers) for line in lines]
    assert [(code, "45" in b or "15" in b, m) for code, b, m in read[:2]] == [
        ("Q5154", True, ()),
        ("Q5154", True, ("JW",)),
    ]
    assert copy["item"][3]["quantity"]["value"] == 2


def test_one_item_as_an_object_is_item_one() -> None:
    order = claim(item=claim_item(1, 300, "JZ"))
    copy = after(order, SetBilledUnits("Claim/cl", 0, 60))
    assert changed(order, copy) == {("item", "quantity", "value")}
    assert len(after(order, AddDiscardedLine("Claim/cl", 0, 15))["item"]) == 2


def test_a_draft_without_id_is_corrected_by_its_type() -> None:
    order = prescription()
    del order["id"]
    copy = after(order, ReplaceCode("MedicationRequest/#4", None, WRONG, RIGHT))
    assert copy["medicationCodeableConcept"]["coding"][1]["code"] == "J2357"


@given(st.integers(1, 999), st.integers(1, 999), st.integers(0, 1))
def test_what_is_written_is_what_is_read_back(units: int, waste: int, item: int) -> None:
    order = claim(claim_item(1, 5, "JZ"), claim_item(2, 6, "JZ"))
    copy = after(
        order,
        SetBilledUnits("Claim/cl", item, units),
        SetModifiers("Claim/cl", item, remove=("JZ",)),
        AddDiscardedLine("Claim/cl", item, waste),
    )
    lines = draft_orders([copy], SYSTEMS, lambda _: None)
    kept = [line for line in lines if line.modifiers == ("JZ",)]
    assert len(lines) == 3
    assert len(kept) == 1
    pair = [
        (str(line.billed.value), line.modifiers)
        for line in lines  # type: ignore[union-attr]
        if line not in kept
    ]
    assert pair == [(str(units), ()), (str(waste), ("JW",))]
    valid(copy)
