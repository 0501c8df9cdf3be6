from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_rules.fhir.reading import draft_orders, entries, named_by_themselves, resolver
from billing_rules.model.entities import Amount, Code, Counted, Dose, OrderLine, Stage
from billing_rules.model.states import NOTHING, Present, State, Unknown
from tests.billing_rules.fhir.samples import (
    EPIC_TYPE,
    HCPCS,
    HL7_TYPE,
    ICD10,
    NDC,
    SYSTEMS,
    UCUM,
    Json,
    administration,
    all_orders,
    charge_item,
    claim,
    claim_item,
    concept,
    contained_prescription,
    epic_prescription,
    mg,
    prescription,
    service_request,
)


def nowhere(_: str) -> None:
    return None


def read(*resources: Any, **options: Any) -> tuple[OrderLine, ...]:
    options.setdefault("resolve", nowhere)
    return draft_orders(list(resources), SYSTEMS, **options)


def one(resource: Json, **options: Any) -> OrderLine:
    (line,) = read(resource, **options)
    return line


def amount(text: str) -> Present[Dose]:
    return Present(Dose(Amount.parse(text)))


def dosed(*rates: Json) -> State[Dose]:
    return one(prescription(dosageInstruction=[{"doseAndRate": list(rates)}])).dose


def quantity(value: object, unit: str = "", code: str = "") -> Json:
    coded = {"system": UCUM, "code": code} if code else {}
    return {"value": value, **({"unit": unit} if unit else {}), **coded}


# ---------------------------------------------------------------- the whole line


def test_a_prescription_is_read_element_by_element() -> None:
    line = one(prescription())
    assert line.reference == "MedicationRequest/rx"
    assert [c.code for c in line.codes] == ["302379", "J2356", "50242004062"]
    assert line.names == ("Omalizumab 150 mg vial", "omalizumab")
    assert line.dose == amount("300 mg")
    assert line.containers == Present(Counted(Decimal(2), "vial"))
    assert line.interval == Present(Amount(Decimal(4), "wk"))
    assert line.route == Present("subcutaneous")
    assert line.coverages == ("Coverage/c",)
    assert line.reasons == (Code("icd10cm", "J45.50", "Severe persistent asthma"),)
    assert line.reason_references == ("Condition/a",)
    assert (line.billed, line.supplied, line.date_of_service) == (NOTHING, NOTHING, None)
    assert line.unread == ()


def test_a_service_request_bills_its_quantity() -> None:
    line = one(service_request())
    assert line.billed == Present(Counted(Decimal(60)))
    assert line.codes_of("hcpcs") == ("J2356",)
    assert line.modifiers == ("JZ",)
    assert line.date_of_service == date(2026, 3, 1)
    assert line.coverages == ("http://ehr.example/fhir/Coverage/c",)


def test_a_charge_item_is_read_in_oracles_extensions() -> None:
    line = one(charge_item())
    assert line.codes_of("hcpcs") == ("J2356",)
    assert line.codes_of("ndc") == ("50242004062",)
    assert line.modifiers == ("JZ",)
    assert line.billed == Present(Counted(Decimal(60)))
    assert line.containers == Present(Counted(Decimal(2), "vial"))
    assert line.date_of_service == date(2026, 3, 1)


def test_a_charge_items_product_may_be_a_contained_medication() -> None:
    medication = {"resourceType": "Medication", "id": "m", "code": concept(NDC, "50242-040-62")}
    line = one(
        charge_item(
            extension=[],
            code=concept(HCPCS, "J2357"),
            contained=[medication],
            productReference={"reference": "#m"},
        )
    )
    assert [c.code for c in line.codes] == ["J2357", "50242004062"]


def test_every_claim_item_is_a_line_and_keeps_its_place() -> None:
    lines = read(claim(None, claim_item(1, "45"), 7, claim_item(2, 15, "jw", "RT")))
    assert [line.item for line in lines] == [1, 2, 3]
    assert lines[0].billed == Present(Counted(Decimal(45)))
    assert lines[1].unread == ("item[2] could not be read",)
    assert lines[2].modifiers == ("JW", "RT")
    assert lines[2].place == "Claim/cl item 4"
    assert lines[2].coverages == ("Coverage/c",)
    assert lines[2].date_of_service == date(2026, 3, 1)
    assert lines[2].reasons == (Code("icd10cm", "J45.50"),)


def test_a_claims_ndc_stands_in_the_details() -> None:
    line = read(claim())[0]
    assert line.codes_of("ndc") == ("50242004062",)
    assert line.containers == Present(Counted(Decimal(2), "UN"))


@pytest.mark.parametrize(("unit", "supplied"), [("ML", "2 mL"), ("ME", "300 mg"), ("GR", "1 g")])
def test_x12_units_beside_an_ndc_are_amounts(unit: str, supplied: str) -> None:
    value = supplied.split()[0]
    detail = {"productOrService": concept(NDC, "50242004062"), "quantity": quantity(value, unit)}
    line = one(claim(claim_item(1, 60, detail=[detail])))
    assert line.supplied == Present(Amount.parse(supplied))
    assert line.containers == NOTHING


def test_an_ndc_quantity_without_unit_counts_nothing() -> None:
    detail = {"productOrService": concept(NDC, "50242004062"), "quantity": quantity(2)}
    assert isinstance(one(claim(claim_item(1, 60, detail=[detail]))).containers, Unknown)


def test_a_billable_period_dates_its_items_only_when_it_is_one_day() -> None:
    undated = claim_item(1, 60, servicedDate=None)
    day = {"start": "2026-03-01", "end": "2026-03-01"}
    assert one(claim(undated, billablePeriod=day)).date_of_service == date(2026, 3, 1)
    month = {"start": "2026-03-01", "end": "2026-03-31"}
    assert one(claim(undated, billablePeriod=month)).date_of_service is None


def test_a_claim_without_items_says_so() -> None:
    assert one(claim(item=[])).unread == ("the claim has no item that could be read",)


def test_an_administration_is_what_was_given() -> None:
    line = one(administration())
    assert line.stage is Stage.GIVEN
    assert line.dose == amount("225 mg")
    assert line.date_of_service == date(2026, 3, 1)
    assert line.lot == Present("L1")
    assert not line.not_given


# ---------------------------------------------------------------- administrations


def test_a_waste_record_is_a_discarded_amount_and_no_dose() -> None:
    line = one(
        administration(
            status="not-done", statusReason=[{"text": "Drug wasted"}], dosage={"dose": mg(75)}
        )
    )
    assert line.not_given
    assert line.discarded == Present(Amount.parse("75 mg"))
    assert line.dose == NOTHING


def test_waste_without_an_amount_is_unknown_never_zero() -> None:
    line = one(administration(status="not-done", statusReason=[{"text": "waste"}], dosage=None))
    assert isinstance(line.discarded, Unknown)


def test_a_missed_dose_is_not_waste() -> None:
    line = one(administration(status="not-done", statusReason=[{"text": "patient refused"}]))
    assert line.not_given
    assert line.discarded == NOTHING


@pytest.mark.parametrize("status", ["completed", "in-progress", "stopped"])
def test_these_statuses_say_that_the_dose_was_given(status: str) -> None:
    assert one(administration(status=status)).dose == amount("225 mg")


@pytest.mark.parametrize("status", ["on-hold", "unknown", "", None, 5])
def test_other_statuses_leave_the_dose_open(status: object) -> None:
    assert isinstance(one(administration(status=status)).dose, Unknown)


def test_a_dose_in_whole_containers_says_how_many_were_opened() -> None:
    given = one(administration(dosage={"dose": quantity(2, "syringe")}))
    assert given.containers == Present(Counted(Decimal(2), "syringe"))
    part = one(administration(dosage={"dose": quantity(0.5, "vial")}))
    assert part.containers == NOTHING


# ---------------------------------------------------------------- which resources give lines


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "Entered-In-Error"])
def test_withdrawn_orders_give_no_line(status: str) -> None:
    assert read(prescription(status=status), administration(status=status)) == ()


@pytest.mark.parametrize("status", ["draft", "active", "on-hold", "nonsense", None, {"a": 1}])
def test_any_other_status_is_read(status: object) -> None:
    assert one(prescription(status=status)).dose == amount("300 mg")


def test_an_order_not_to_do_something_gives_no_line() -> None:
    assert read(prescription(doNotPerform=True)) == ()


def test_other_resources_and_non_resources_give_no_line() -> None:
    assert read({"resourceType": "Task"}, {"id": "x"}, {}, "text", None, 5, []) == ()


def test_an_empty_draft_gives_a_line_that_says_so() -> None:
    (line,) = read({"resourceType": "Device"}, {"resourceType": "MedicationRequest"})[:1]
    assert line.reference == "MedicationRequest/#1"
    assert line.unread == ("no medication is named that could be read",)


@pytest.mark.parametrize(
    "selection",
    [
        "MedicationRequest/rx",
        "https://ehr.example/fhir/MedicationRequest/rx",
        "MedicationRequest/rx/_history/3",
        "rx",
    ],
)
def test_selections_name_orders_in_any_form(selection: str) -> None:
    lines = read(prescription(), prescription(id="other"), only=frozenset({selection}))
    assert [line.reference for line in lines] == ["MedicationRequest/rx"]


def test_no_selection_is_no_order_and_none_is_all() -> None:
    assert read(prescription(), only=frozenset()) == ()
    assert len(read(prescription(), service_request(), only=None)) == 2


def test_ids_of_194_characters_are_kept() -> None:
    assert one(epic_prescription()).reference == "MedicationRequest/" + "e" * 194


@pytest.mark.parametrize(
    "bundle",
    [
        {"resourceType": "Bundle", "entry": [{}, None, {"resource": {"resourceType": "Task"}}]},
        {"entry": {"resource": {"resourceType": "Task"}}},
        [{"resourceType": "Task"}],
        [{"resource": {"resourceType": "Task"}}],
        {"resourceType": "Task"},
        {"resource": {"resourceType": "Task"}},
        {"resourceType": "Bundle", "entry": [{"resourceType": "Task"}]},
    ],
)
def test_entries_are_found_in_any_wrapping(bundle: object) -> None:
    assert list(entries(bundle)) == [{"resourceType": "Task"}]


@pytest.mark.parametrize("bundle", [None, "", 5, [], {}, {"resourceType": "Bundle"}, [[]]])
def test_no_entries_are_no_error(bundle: object) -> None:
    assert list(entries(bundle)) == []


# ---------------------------------------------------------------- the medication


MEDICATION = {"resourceType": "Medication", "id": "m1", "code": concept(NDC, "50242-040-62")}


def referring(reference: str) -> Json:
    order = prescription(medicationReference={"reference": reference, "display": "Xolair"})
    del order["medicationCodeableConcept"]
    return order


@pytest.mark.parametrize(
    "reference",
    ["Medication/m1", "http://ehr.example/Medication/m1", "Medication/m1/_history/1", "urn:uuid:7"],
)
def test_a_medication_in_the_bundle_is_found(reference: str) -> None:
    bundle = {"entry": [{"fullUrl": "urn:uuid:7", "resource": MEDICATION}]}
    line = one(referring(reference), resolve=resolver(bundle))
    assert line.codes_of("ndc") == ("50242004062",)
    assert line.names == ("Xolair",)
    assert line.unread == ()


def test_a_medication_among_the_drafts_is_found_without_help() -> None:
    assert read(referring("Medication/m1"), MEDICATION)[0].codes_of("ndc") == ("50242004062",)


def test_a_medication_nobody_can_find_leaves_its_name_and_a_note() -> None:
    line = one(epic_prescription())
    assert line.names == ("OMALIZUMAB 150 MG SC SOLR",)
    assert line.codes == ()
    assert line.unread == (
        "the medication Medication/far-away could not be looked up, so only its name was read",
    )


def test_an_identifier_is_no_reference() -> None:
    order = referring("")
    order["medicationReference"] = {"identifier": {"value": "7"}, "display": "Xolair"}
    line = one(order)
    assert line.names == ("Xolair",)
    assert line.unread


@pytest.mark.parametrize("found", [{"resourceType": "Patient", "id": "m1"}, "x", 5, {}, [1]])
def test_what_is_no_medication_is_not_read_as_one(found: Any) -> None:
    line = one(referring("Medication/m1"), resolve=lambda _: found)
    assert line.codes == ()
    assert line.unread


def test_codes_on_the_ingredients_of_a_contained_medication_count() -> None:
    line = one(contained_prescription())
    assert line.codes_of("hcpcs") == ("J2356",)
    assert line.names == ("Xolair", "Xolair 150 mg")
    assert line.lot == Present("L1")


def test_an_ingredient_may_be_referenced_in_turn() -> None:
    mixture = {
        "resourceType": "Medication",
        "id": "mix",
        "code": {"text": "mixture"},
        "ingredient": [{"itemReference": {"reference": "#m1"}}],
    }
    order = referring("#mix") | {"contained": [mixture, MEDICATION]}
    assert one(order).codes_of("ndc") == ("50242004062",)


def test_r5_places_are_read_too() -> None:
    order = prescription(medication={"concept": concept(NDC, "50242-040-62")})
    del order["medicationCodeableConcept"]
    assert one(order).codes_of("ndc") == ("50242004062",)


# ---------------------------------------------------------------- the dose


def typed(kind: str, q: Json, system: str = EPIC_TYPE) -> Json:
    return {"type": concept(system, kind), "doseQuantity": q}


def test_the_ordered_dose_counts_wherever_it_stands() -> None:
    assert one(epic_prescription()).dose == amount("225 mg")


@pytest.mark.parametrize("system", [EPIC_TYPE, HL7_TYPE])
def test_without_an_ordered_dose_the_calculated_one_counts(system: str) -> None:
    rates = (typed("admin-amount", quantity(2, "tablet"), system), typed("calculated", mg(300)))
    assert dosed(*rates) == amount("300 mg")


def test_the_only_dose_counts_whatever_its_type() -> None:
    assert dosed(typed("admin-amount", mg(300))) == amount("300 mg")


def test_several_doses_without_type_are_unknown_unless_they_agree() -> None:
    assert isinstance(dosed({"doseQuantity": mg(150)}, {"doseQuantity": mg(300)}), Unknown)
    same = {"doseQuantity": quantity(0.3, "g")}
    assert dosed({"doseQuantity": mg(300)}, same) == amount("300 mg")


def test_two_different_ordered_doses_are_unknown() -> None:
    assert isinstance(dosed(typed("ordered", mg(150)), typed("ordered", mg(300))), Unknown)


def test_dosage_instructions_with_one_dose_and_other_timing_agree() -> None:
    instructions = [
        {
            "sequence": n,
            "timing": {"repeat": {"frequency": 1, "period": n, "periodUnit": "wk"}},
            "doseAndRate": [{"doseQuantity": mg(300)}],
        }
        for n in (2, 4)
    ]
    line = one(prescription(dosageInstruction=instructions))
    assert line.dose == amount("300 mg")
    assert isinstance(line.interval, Unknown)
    instructions[1]["doseAndRate"] = [{"doseQuantity": mg(150)}]
    assert isinstance(one(prescription(dosageInstruction=instructions)).dose, Unknown)


@pytest.mark.parametrize(
    ("rate", "because"),
    [
        ({"doseRange": {"low": mg(150), "high": mg(300)}}, "the dose is a range"),
        ({"doseQuantity": mg(0)}, "the dose is 0 mg"),
        ({"doseQuantity": mg(-5)}, "the dose is -5 mg"),
        ({"doseQuantity": {"unit": "mg"}}, "the dose has no number"),
        ({"doseQuantity": {"value": True, "unit": "mg"}}, "the dose could not be read"),
        (
            {"doseQuantity": {"value": 5, "unit": "mg", "comparator": "<"}},
            "the dose is given as '< 5 mg', not exactly",
        ),
        ({"doseQuantity": 300}, "the dose could not be read"),
        (
            {"doseQuantity": quantity(2, "mL", "mg")},
            "of the dose the unit is coded as 'mg' but written as 'mL'",
        ),
        (
            {"doseQuantity": quantity(1, "vial", "mg")},
            "of the dose the unit is coded as 'mg' but written as 'vial'",
        ),
        (
            {"doseQuantity": quantity(150, "mg", "{vial}")},
            "of the dose the unit is coded as '{vial}' but written as 'mg'",
        ),
    ],
)
def test_a_dose_that_is_no_dose_is_unknown_with_its_reason(rate: Json, because: str) -> None:
    assert dosed(rate) == Unknown(because)


@pytest.mark.parametrize(
    ("q", "dose"),
    [
        (quantity(300, "milligram(s)", "mg"), "300 mg"),
        (quantity("2", "milliliter (iso1000)", "mL"), "2 mL"),
        (quantity(3, "mg/kg"), "3 mg/kg"),
        (quantity(300000, "MCG"), "300000 ug"),
        (quantity(100, "IU", "[IU]"), "100 [IU]"),
        ({"value": 300, "code": "mg"}, "300 mg"),
    ],
)
def test_amounts_in_every_spelling(q: Json, dose: str) -> None:
    assert dosed({"doseQuantity": q}) == amount(dose)


@pytest.mark.parametrize("unit", ["{pill}", "syringe", "{vial}", "tablet", "", "days", "mg/mL"])
def test_a_dose_that_counts_something_keeps_its_unit(unit: str) -> None:
    assert dosed({"doseQuantity": quantity(2, unit)}) == Present(Dose(Counted(Decimal(2), unit)))


def test_a_dose_in_words_is_not_guessed() -> None:
    line = one(prescription(dosageInstruction=[{"text": "300 mg every 4 weeks"}]))
    assert line.dose == Unknown("the dose is free text")


@pytest.mark.parametrize("broken", ["300 mg", 5, [None, 5], [[{"doseAndRate": []}]]])
def test_an_unreadable_dosage_is_unknown_and_not_none(broken: object) -> None:
    line = one(prescription(dosageInstruction=broken))
    assert isinstance(line.dose, Unknown)
    assert line.unread


@pytest.mark.parametrize("absent", [None, [], {}, "", [None]])
def test_no_dosage_is_no_dose(absent: object) -> None:
    assert one(prescription(dosageInstruction=absent)).dose == NOTHING


def test_one_dosage_as_an_object_counts() -> None:
    single = prescription()["dosageInstruction"][0]
    assert one(prescription(dosageInstruction=single)).dose == amount("300 mg")


# ---------------------------------------------------------------- timing


def timed(timing: object) -> OrderLine:
    return one(prescription(dosageInstruction=[{"timing": timing}]))


@pytest.mark.parametrize(
    ("timing", "interval"),
    [
        ({"repeat": {"period": 2, "periodUnit": "wk"}}, "2 wk"),
        ({"repeat": {"frequency": 1, "period": 28, "periodUnit": "d"}}, "28 d"),
        ({"code": {"text": "Q4W"}}, "4 wk"),
        ({"code": {"coding": [{"code": "Q28D"}]}}, "28 d"),
        ({"code": {"text": "Every 2 weeks"}}, "2 wk"),
        ({"code": {"coding": [{"code": "WK"}]}}, "1 wk"),
    ],
)
def test_intervals(timing: Json, interval: str) -> None:
    assert timed(timing).interval == Present(Amount.parse(interval))


@pytest.mark.parametrize(
    "timing",
    [
        {"repeat": {"frequency": 2, "period": 4, "periodUnit": "wk"}},
        {"repeat": {"period": 2, "periodMax": 4, "periodUnit": "wk"}},
        {"repeat": {"period": 1, "periodUnit": "mo"}},
        {"repeat": {"period": 0, "periodUnit": "wk"}},
        {"repeat": {"period": "x", "periodUnit": "wk"}},
        "every 4 weeks",
    ],
)
def test_intervals_that_are_not_one_number_of_weeks_or_days(timing: object) -> None:
    assert isinstance(timed(timing).interval, Unknown)


def test_no_interval_is_none() -> None:
    assert timed({"event": ["2026-03-01"]}).interval == NOTHING


@pytest.mark.parametrize(
    ("timing", "day"),
    [
        ({"event": ["2026-04-01", "2026-03-01T10:00:00Z"]}, date(2026, 3, 1)),
        ({"repeat": {"boundsPeriod": {"start": "2026-03-01"}}}, date(2026, 3, 1)),
        ({"event": ["2026-03"]}, None),
    ],
)
def test_the_day_of_service_comes_from_the_timing(timing: Json, day: date | None) -> None:
    assert timed(timing).date_of_service == day


def test_authored_on_is_no_day_of_service() -> None:
    assert one(prescription(authoredOn="2026-03-01")).date_of_service is None


# ---------------------------------------------------------------- quantities


def dispensed(q: object, **changes: Any) -> OrderLine:
    return one(prescription(dispenseRequest={"quantity": q}, **changes))


NOT_CODED = {"medicationCodeableConcept": {"text": "Xolair"}}


@pytest.mark.parametrize(
    "unit",
    [
        "vial(s)",
        "{Vial}",
        "syringe",
        "pre-filled syringe",
        "pens",
        "Auto-injector",
        "package",
        "pkg",
        "carton",
        "box",
        "KIT",
        "cartridge",
        "each",
        "EA",
        "{Each}",
    ],
)
def test_container_words_count_containers(unit: str) -> None:
    line = dispensed(quantity(2, unit))
    assert line.containers == Present(Counted(Decimal(2), unit))
    assert (line.billed, line.supplied) == (NOTHING, NOTHING)


@pytest.mark.parametrize("unit", ["unit", "UNITS", "unit(s)", "{unit}", "UN", "billing units"])
def test_billing_words_count_billing_units(unit: str) -> None:
    line = dispensed(quantity(60, unit), **NOT_CODED)
    assert line.billed == Present(Counted(Decimal(60), unit))
    assert line.containers == NOTHING


def test_without_a_unit_the_quantity_bills_only_for_a_hcpcs_code() -> None:
    assert dispensed(quantity(60)).billed == Present(Counted(Decimal(60)))
    line = dispensed(quantity(60), **NOT_CODED)
    assert line.billed == NOTHING
    assert line.containers == Unknown("the dispensed quantity of 60 has no unit")


def test_an_amount_is_supplied() -> None:
    assert dispensed(quantity(300, "mg")).supplied == Present(Amount.parse("300 mg"))
    assert dispensed(quantity(2, "mL", "mL")).supplied == Present(Amount.parse("2 mL"))


@pytest.mark.parametrize(
    "q", [quantity(30, "tablet"), quantity(3, "[arb'U]"), quantity(0, "vial"), quantity(-1, "mg")]
)
def test_other_quantities_are_unknown_with_a_reason(q: Json) -> None:
    line = dispensed(q)
    assert isinstance(line.containers, Unknown)
    assert isinstance(line.supplied, Unknown)
    assert line.billed == NOTHING


@pytest.mark.parametrize("broken", [5, "2 vials", {"value": "two"}, [{"value": 1}, {"value": 2}]])
def test_an_unreadable_quantity_leaves_all_open(broken: object) -> None:
    line = dispensed(broken)
    states = (line.billed, line.containers, line.supplied)
    assert all(isinstance(s, Unknown) for s in states)


@pytest.mark.parametrize("unit", ["", "mg", "vial", "UN", "bananas"])
def test_where_billing_units_belong_the_unit_is_kept_as_written(unit: str) -> None:
    expected = Present(Counted(Decimal(60), unit))
    assert one(service_request(quantityQuantity=quantity(60, unit))).billed == expected
    assert one(charge_item(quantity=quantity(60, unit))).billed == expected
    assert one(claim(claim_item(1, 0, quantity=quantity(60, unit)))).billed == expected


def test_no_quantity_is_none_and_a_range_is_unknown() -> None:
    assert one(service_request(quantityQuantity=None)).billed == NOTHING
    ranged = service_request(quantityQuantity=None, quantityRange={"low": mg(1)})
    assert isinstance(one(ranged).billed, Unknown)


def test_reasons_in_icd_10_without_dots_are_not_hcpcs() -> None:
    line = one(prescription(reasonCode=[{"coding": [{"code": "J4550"}]}, {"text": "asthma"}]))
    assert line.reasons == (Code("", "J4550"), Code("", "", "asthma"))
    assert one(prescription()).reasons[0].system == SYSTEMS[ICD10]


def test_what_orders_name_by_themselves_is_what_their_lines_name() -> None:
    """The look that lets most orders pass must see in them what the whole reading sees."""
    told = 0
    for order in all_orders():
        named = named_by_themselves([order], SYSTEMS)
        if named is not None:
            told += 1
            lines = draft_orders([order], SYSTEMS, lambda _: None)
            assert [(n.reference, n.codes, n.names) for n in named] == [
                (line.reference, line.codes, line.names) for line in lines
            ]
    assert told


@pytest.mark.parametrize(
    "more",
    [
        {"medicationReference": {"reference": "Medication/1"}},
        {"medication": {"reference": {"reference": "Medication/1"}}},
        {"medicationCodeableConcept": None},
    ],
)
def test_an_order_that_may_name_more_elsewhere_is_read_whole(more: Json) -> None:
    order = {
        "resourceType": "MedicationRequest",
        "medicationCodeableConcept": {"text": "amoxicillin"},
    }
    assert named_by_themselves([order], SYSTEMS) is not None
    assert named_by_themselves([order | more], SYSTEMS) is None


def test_a_withdrawn_order_names_nothing() -> None:
    order = {
        "resourceType": "ServiceRequest",
        "status": "entered-in-error",
        "code": {"text": "x"},
    }
    assert named_by_themselves([order], SYSTEMS) == ()
