"""What is written after the injection is valid R4, and is read back to the same answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from itertools import product
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.claims.administration_record import Closing, Planned, closed
from billing_rules.fhir.read.chart import chart
from billing_rules.fhir.read.therapies import given
from billing_rules.fhir.write.administration import About, records, with_containers
from billing_rules.model.chart import Chart
from billing_rules.model.states import Present
from billing_rules.orders.claim_lines import ClaimPlan
from billing_rules.orders.drug_orders import drug_orders
from billing_rules.review import case_of
from tests.billing_rules.closing_samples import CHART, ON, VIAL, closing, mg, planned, row

ABOUT = About(
    "Patient/p1",
    ("urn:vialwise:entry", "f3a9"),
    "MedicationRequest/1",
    "Encounter/e1",
    "Practitioner/n1",
    "Nell Birdsong, RN",
)
Resource = dict[str, Any]


def written(catalogue: Catalogue, entered: Closing, drug: str = "omalizumab") -> list[Resource]:
    of = catalogue.drug(drug, entered.on)
    review = planned(catalogue, str(entered.dose.value), drug)
    shares = closed(entered, Planned.of(review, CHART), catalogue).shares
    made = records(entered, shares, of, ABOUT, catalogue.preferred_uri)
    for resource in made:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    # As a server gives them back: numbers as JSON numbers, each with an id of its own.
    sent = json.loads(json.dumps(made, default=float))
    return [{**resource, "id": f"m{n}"} for n, resource in enumerate(sent)]


def read_back(catalogue: Catalogue, resources: list[Resource], payer: str) -> ClaimPlan:
    part = Present(tuple(json.dumps(r).encode() for r in resources))
    read = [g.line for g in given({"administrations": part}, catalogue.systems)]
    assert not [note for line in read for note in line.unread]
    (order,) = drug_orders(read, catalogue, ON)
    choice = planned(catalogue, payer=payer).payer_choice
    return case_of(order, (order,), Chart(), catalogue, choice).plan


def doses(catalogue: Catalogue) -> Iterator[tuple[str, str, int, str, str]]:
    """Every drug's containers, opened once to three times, for doses up to all they hold."""
    payers = ("medicare-part-b", "medicaid-denies-jw", "unknown-payer")
    for drug_id in catalogue.drug_ids():
        drug = catalogue.drug(drug_id, ON)
        for container, count, payer in product(drug.containers, (1, 2, 3), payers):
            held = container.strength.to("mg").value
            for part in ("1", "0.5", "0.1"):
                dose = held * (count - 1) + held * type(held)(part)
                yield drug_id, container.ndc, count, str(dose), payer


def test_every_dose_is_read_back_to_the_same_answer(catalogue: Catalogue) -> None:
    seen = set()
    for drug_id, ndc11, count, dose, payer in doses(catalogue):
        drug = catalogue.drug(drug_id, ON)
        container = drug.container(ndc11)
        assert container is not None
        rest = container.strength.to("mg") * count - mg(dose)
        entered = closing(dose, row(ndc11, count), discarded=rest if rest.value else None)
        order = Planned.of(planned(catalogue, dose, drug_id, payer), CHART)
        direct = closed(entered, order, catalogue)
        back = read_back(catalogue, written(catalogue, entered, drug_id), payer)
        assert direct.plan is not None, (drug_id, ndc11, count, dose)
        assert back == direct.plan, (drug_id, ndc11, count, dose, payer)
        seen.add((payer, back.waste))
    assert len(seen) >= 5, "JW, JZ, not applicable and indeterminate all occur"


def test_two_lots_and_two_containers_are_read_back(catalogue: Catalogue) -> None:
    lots = (row(VIAL, 1, "A", date(2028, 4, 30)), row(VIAL, 1, "B"))
    sizes = (row("50242-215-01", 1), row("50242-214-01", 2))
    for entered in (closing(225, *lots), closing(250, *sizes, discarded=mg(50))):
        direct = closed(entered, Planned.of(planned(catalogue), CHART), catalogue).plan
        assert direct is not None and direct.lines
        assert direct == read_back(catalogue, written(catalogue, entered), "medicare-part-b")


def test_a_rest_not_charted_is_read_back_as_not_charted(catalogue: Catalogue) -> None:
    entered = closing(discarded=None)
    direct = closed(entered, Planned.of(planned(catalogue), CHART), catalogue).plan
    assert direct is not None and direct.doubt is not None
    assert direct == read_back(catalogue, written(catalogue, entered), "medicare-part-b")


def test_lot_site_route_observation_and_reason_are_read_back(catalogue: Catalogue) -> None:
    entered = closing(
        225,
        row(VIAL, 2, "FX362P", date(2028, 4, 30)),
        route="subcutaneous",
        reason="rest of the second vial",
        witness="Ada Quill, RN",
        sites=("left upper arm", "right upper arm"),
    )
    dose, waste = written(catalogue, entered)
    part = Present((json.dumps(dose).encode(), json.dumps(waste).encode()))
    first, second = chart({"administrations": part}, catalogue.systems, ON).administrations.value  # type: ignore[union-attr]
    assert first.lot == Present("FX362P") and first.route == Present("subcutaneous")
    assert first.site == Present("left upper arm; right upper arm")
    assert first.observed == Present("10:05 to 12:05")
    assert second.not_given and second.discarded == Present(mg(75))
    assert dose["contained"][0]["batch"]["expirationDate"] == "2028-04-30"
    assert waste["statusReason"][0]["text"] == "Discarded: rest of the second vial"
    assert waste["performer"][1]["actor"]["display"] == "Ada Quill, RN"
    assert dose["context"] == {"reference": "Encounter/e1"}
    ids = [r["identifier"][0]["value"] for r in (dose, waste)]
    assert ids == ["f3a9-given-1", "f3a9-discarded"]


def test_nothing_is_written_as_null_or_empty(catalogue: Catalogue) -> None:
    bare = closing(225, row(lot=""), sites=(), observed="", discarded=None)
    about = About("Patient/p1", ("urn:vialwise:entry", "f3a9"))
    drug = catalogue.drug("omalizumab", ON)
    shares = closed(bare, Planned.of(planned(catalogue), CHART), catalogue).shares
    (only,) = records(bare, shares, drug, about, catalogue.preferred_uri)
    assert not {"performer", "context", "note", "request"} & set(only)
    assert "batch" not in only["contained"][0]


@pytest.mark.parametrize("name", ["adm-prudence-inkwell-waste-charted", "adm-ada-winterbourne-1"])
def test_containers_are_added_to_a_charted_dose_and_nothing_else_changes(
    catalogue: Catalogue, name: str
) -> None:
    charted = {k: v for k, v in fixtures.load(name).items() if k != "supportingInformation"}
    entered = closing(225)
    shares = closed(entered, Planned.of(planned(catalogue), CHART), catalogue).shares
    drug = catalogue.drug("omalizumab", ON)
    record = with_containers(charted, shares[0], drug, ABOUT, catalogue.preferred_uri)
    get_fhir_model_class("MedicationAdministration").model_validate(record)
    (one,) = given({"administrations": Present((record,))}, catalogue.systems)
    assert isinstance(one.line.containers, Present) and one.line.containers.value.value == 2
    kept = {k: v for k, v in record.items() if k not in ("contained", "supportingInformation")}
    assert kept == {k: v for k, v in charted.items() if k != "contained"}
    assert record["contained"][: len(charted["contained"])] == charted["contained"]


def test_several_contained_dispenses_say_nothing(catalogue: Catalogue) -> None:
    (record, _) = written(catalogue, closing())
    again = {**record["contained"][1], "id": "again"}
    record["contained"].append(again)
    record["supportingInformation"].append({"reference": "#again"})
    (one,) = given({"administrations": Present((record,))}, catalogue.systems)
    assert not isinstance(one.line.containers, Present)
