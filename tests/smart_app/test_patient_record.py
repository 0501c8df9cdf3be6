"""What the app reads of a patient, and the orders it finds there."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator

import pytest

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.model.states import Nothing, Present, Unknown
from billing_rules.orders.case import Case
from billing_rules.review import Failed, OrderReview, reviewed
from cds_hooks import Settings, create_app
from cds_hooks.record.store import temporary
from ehr_access import limits
from ehr_access.limits import Limits
from sandbox_ehr.moods import Answer, Reply, Request
from smart_app.chart import chart_orders
from smart_app.chart.patient_record import ROUNDS, PatientRecord, read
from smart_app.launch.error_pages import Stopped
from tests.databases import KEYS
from tests.practice_ehr import Ehr, bundle, practice_ehr
from tests.smart_app.charts import TODAY, Resource, chart_of, running_with, serve, window_on

BARTHOLOMEW = "pat-bartholomew-quince"
TWO_VIALS = "omalizumab-225-mg-two-vials"
CHARTED = "adm-prudence-inkwell-waste-charted"
NOT_CHARTED = "adm-prudence-inkwell-waste-not-charted"


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with practice_ehr() as server:
        yield server


def of(
    ehr: Ehr, catalogue: Catalogue, patient: str, order: str = "", **window: object
) -> PatientRecord:
    return read(window_on(ehr, patient, **window), running_with(catalogue), order)  # type: ignore[arg-type]


def test_an_order_is_found_reviewed_and_named(ehr: Ehr, catalogue: Catalogue) -> None:
    serve(ehr, chart_of(BARTHOLOMEW, TWO_VIALS))
    record = of(ehr, catalogue, BARTHOLOMEW)
    (order,) = record.orders
    assert order.reference == f"MedicationRequest/{TWO_VIALS}" and order.status == "draft"
    assert [str(line) for line in order.review.plan.lines] == ["J2357 x 45", "J2357-JW x 15"]
    assert order.review.payer.id == "medicare-part-b"
    assert record.order(f"MedicationRequest/{TWO_VIALS}/_history/3") is order
    assert record.order("MedicationRequest/none") is None and record.order("") is None
    assert not record.more_to_read and not record.unread_orders


def test_the_page_says_what_the_card_says(ehr: Ehr, catalogue: Catalogue) -> None:
    """Same order and chart: the card's summary and the review's findings are the same."""
    serve(ehr, chart_of("pat-dorothea-pennyfarthing", "omalizumab-300-mg-undocumented"))
    (order,) = of(ehr, catalogue, "pat-dorothea-pennyfarthing").orders
    settings = Settings(public_url="https://cds.example", today=lambda: TODAY, open=True)
    client = create_app(catalogue, settings, temporary(KEYS)).test_client()
    body = fixtures.hook_request("story-missing-ige-and-therapy")
    cards = client.post("/cds-services/vialwise-orders", json=body).get_json()["cards"]
    assert cards
    said = {finding.summary for finding in order.review.findings}
    assert {card["summary"].partition(" (+")[0] for card in cards} <= said
    told = " ".join(card["summary"] + card["detail"] for card in cards)
    for finding in order.review.findings:
        assert finding.summary in told or finding.found[0] in told


def test_a_dose_given_is_read_with_its_containers_and_its_discarded_amount(
    ehr: Ehr, catalogue: Catalogue
) -> None:
    """As the card reads it: the containers stand on the dispense, the waste in its own record."""
    prudence = "pat-prudence-inkwell"
    serve(ehr, chart_of(prudence))
    charted = of(ehr, catalogue, prudence, f"MedicationAdministration/{CHARTED}").orders[0]
    assert [str(line) for line in charted.review.plan.lines] == ["J2357 x 45", "J2357-JW x 15"]
    told = {o.rule: o for o in charted.review.outcomes}
    seen = [(e.what, e.value) for e in told["waste_modifier"].basis]
    assert ("discarded amount", "75 mg") in seen, "what an auditor asks for first"
    assert not told["container_mix"].applies, "a dose given has no containers to choose"
    without = of(ehr, catalogue, prudence, f"MedicationAdministration/{NOT_CHARTED}").orders[0]
    assert [str(opened) for opened in without.review.plan.opened] == ["2 x 150 mg vials"]
    assert "no discarded amount is charted" in without.review.plan.because


def test_orders_that_are_not_ours_or_done_with_are_left_out(ehr: Ehr, catalogue: Catalogue) -> None:
    stopped = {**fixtures.order(TWO_VIALS), "id": "stopped", "status": "stopped"}
    serve(ehr, [*chart_of(BARTHOLOMEW), stopped])
    record = of(ehr, catalogue, BARTHOLOMEW)
    assert record.orders == ()


def test_a_named_order_counts_whatever_its_status(ehr: Ehr, catalogue: Catalogue) -> None:
    done = {**fixtures.order(TWO_VIALS), "id": "done", "status": "completed"}
    serve(ehr, [*chart_of(BARTHOLOMEW), done])
    record = of(ehr, catalogue, BARTHOLOMEW, "MedicationRequest/done")
    assert record.order("MedicationRequest/done") is record.orders[0]


def test_a_named_order_that_is_not_there(ehr: Ehr, catalogue: Catalogue) -> None:
    serve(ehr, chart_of(BARTHOLOMEW, TWO_VIALS))
    record = of(ehr, catalogue, BARTHOLOMEW, "MedicationRequest/gone")
    assert isinstance(record.named_order, Nothing) and len(record.orders) == 1


def test_the_newest_order_stands_first(ehr: Ehr, catalogue: Catalogue) -> None:
    old = {**fixtures.order(TWO_VIALS), "id": "old", "authoredOn": "2026-08-01"}
    serve(ehr, [*chart_of(BARTHOLOMEW, TWO_VIALS), old])
    orders = of(ehr, catalogue, BARTHOLOMEW).orders
    assert [o.reference.rpartition("/")[2] for o in orders] == [TWO_VIALS, "old"]


def test_drafts_of_one_sitting_are_one_dose(ehr: Ehr, catalogue: Catalogue) -> None:
    names = ("omalizumab-225-mg-syringe-150", "omalizumab-225-mg-syringe-75")
    serve(ehr, chart_of(BARTHOLOMEW, *names))
    (order,) = of(ehr, catalogue, BARTHOLOMEW).orders
    assert len(order.resources) == 2
    assert [str(line) for line in order.review.plan.lines] == ["J2357-JZ x 45"]
    assert order.is_named(f"MedicationRequest/{names[1]}")


def test_signed_orders_of_other_days_are_orders_of_their_own(
    ehr: Ehr, catalogue: Catalogue
) -> None:
    """A monthly order of last month is no duplicate of this month's."""
    first = {**fixtures.order(TWO_VIALS), "id": "a", "status": "active", "authoredOn": "2026-10-01"}
    second = {**first, "id": "b", "authoredOn": "2026-10-29"}
    serve(ehr, [*chart_of(BARTHOLOMEW), first, second])
    orders = of(ehr, catalogue, BARTHOLOMEW).orders
    assert len(orders) == 2
    assert not any(f.rule == "duplicate_orders" for o in orders for f in o.review.findings)


@pytest.mark.parametrize("element", ["Observation", "MedicationRequest", "Condition"])
def test_another_patients_resource_refuses_everything(
    ehr: Ehr, catalogue: Catalogue, element: str, caplog: pytest.LogCaptureFixture
) -> None:
    serve(ehr, chart_of(BARTHOLOMEW, TWO_VIALS))
    foreign = {"resourceType": element, "id": "x", "subject": {"reference": "Patient/somebody"}}
    ehr.replies[f"/fhir/{element}"] = Reply(bundle(foreign))
    with caplog.at_level(logging.WARNING, "smart_app"), pytest.raises(Stopped):
        of(ehr, catalogue, BARTHOLOMEW)
    assert "security: data of another patient" in caplog.text
    assert "somebody" not in caplog.text and BARTHOLOMEW not in caplog.text


def test_what_the_scope_does_not_allow_is_said_and_not_asked(
    ehr: Ehr, catalogue: Catalogue
) -> None:
    serve(ehr, chart_of(BARTHOLOMEW, TWO_VIALS))
    scopes = "patient/Patient.r patient/MedicationRequest.rs"
    record = of(ehr, catalogue, BARTHOLOMEW, scopes=scopes)
    assert record.parts["conditions"] == limits.NOT_IN_SCOPE
    assert record.unread_orders == {"ServiceRequest": limits.NOT_IN_SCOPE.because}
    assert not any("Condition" in path for path in ehr.asked)
    gaps = {gap.rule for gap in record.orders[0].review.not_checked}
    assert "indication" in gaps or "total_ige" in gaps


def test_a_medication_that_only_a_reference_names_is_looked_up(
    ehr: Ehr, catalogue: Catalogue
) -> None:
    order = fixtures.order(TWO_VIALS)
    concept = order.pop("medicationCodeableConcept")
    order["medicationReference"] = {"reference": "Medication/m"}
    medication = {"resourceType": "Medication", "id": "m", "code": concept}
    serve(ehr, [*chart_of(BARTHOLOMEW), order, medication])
    (found,) = of(ehr, catalogue, BARTHOLOMEW).orders
    assert found.review.drug.id == "omalizumab"


def test_the_orders_own_visit_is_read_where_the_launch_names_none(
    ehr: Ehr, catalogue: Catalogue
) -> None:
    serve(ehr, chart_of(BARTHOLOMEW, TWO_VIALS))
    assert isinstance(of(ehr, catalogue, BARTHOLOMEW).parts["encounter"], Present)


def test_evidence_can_be_shown_as_it_was_sent(ehr: Ehr, catalogue: Catalogue) -> None:
    serve(ehr, chart_of(BARTHOLOMEW, TWO_VIALS))
    record = of(ehr, catalogue, BARTHOLOMEW)
    order = record.orders[0]
    for seen in (e for f in order.review.findings for e in f.basis if "/" in e.reference):
        resource = record.resource(seen.reference)
        assert resource and resource["id"] == seen.reference.rpartition("/")[2]
    assert record.resource("Observation/none") is None


def many(count: int) -> list[Resource]:
    """Observations that are no evidence of anything, beside a real chart."""
    weight = {"coding": [{"system": "http://loinc.org", "code": "19926-5"}], "text": "FEV1/FVC"}
    return [
        {
            "resourceType": "Observation",
            "id": f"o{i}",
            "status": "final",
            "code": weight,
            "subject": {"reference": f"Patient/{BARTHOLOMEW}"},
            "effectiveDateTime": "2020-01-01",
            "valueQuantity": {"value": i, "unit": "%", "code": "%"},
        }
        for i in range(count)
    ]


def test_a_large_chart_is_read_round_by_round(ehr: Ehr, catalogue: Catalogue) -> None:
    serve(ehr, [*chart_of(BARTHOLOMEW, TWO_VIALS), *many(5000)], page=100)
    window, running = window_on(ehr, BARTHOLOMEW), running_with(catalogue)
    first = read(window, running, limits=ROUNDS[0])
    assert first.more_to_read == ("observations",)
    assert first.orders[0].review.plan.lines, "what is decided is there at once"
    last = read(window, running, limits=ROUNDS[-1])
    assert not last.more_to_read and last.count > 5000


def test_an_order_is_reviewed_once_and_only_when_it_is_looked_at(
    ehr: Ehr, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Case] = []

    def counting(case: Case, failed: Failed) -> OrderReview:
        judged.append(case)
        return reviewed(case, failed)

    monkeypatch.setattr(chart_orders, "reviewed", counting)
    serve(ehr, chart_of(BARTHOLOMEW, TWO_VIALS))
    (order,) = of(ehr, catalogue, BARTHOLOMEW).orders
    assert order.is_named(f"MedicationRequest/{TWO_VIALS}") and not judged
    assert order.review is order.review and judged == [order.case]


def test_a_slow_server_costs_the_round_and_no_more(ehr: Ehr, catalogue: Catalogue) -> None:
    serve(ehr, chart_of(BARTHOLOMEW, TWO_VIALS))

    def slowly(request: Request, answer: Answer) -> Reply:
        time.sleep(1.5)
        return Reply(bundle())

    ehr.replies["/fhir/Condition"] = slowly
    window = window_on(ehr, BARTHOLOMEW)
    began = time.monotonic()
    record = read(window, running_with(catalogue), limits=Limits(seconds=0.5))
    assert time.monotonic() - began < 1.2
    assert isinstance(record.parts["conditions"], Unknown)
    assert "conditions" in record.more_to_read


def test_nothing_of_the_record_shows_in_its_repr(ehr: Ehr, catalogue: Catalogue) -> None:
    serve(ehr, chart_of(BARTHOLOMEW, TWO_VIALS))
    record = of(ehr, catalogue, BARTHOLOMEW)
    assert "Quince" not in repr(record) + repr(record.orders)
    assert json.dumps(record.patient, default=str)
