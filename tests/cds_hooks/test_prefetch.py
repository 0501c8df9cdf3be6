"""Prefetch in three states, and whose data it is: conformance A4.2 to A4.6."""

from __future__ import annotations

import copy
import json
import logging
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

import fixtures
from billing_rules.data_needed import DATA_NEEDED
from billing_rules.model.states import Nothing, Present, Unknown
from cds_hooks.calls import prefetch
from cds_hooks.request.hook_request import HookRequest, OrderContext
from ehr_access import limits
from ehr_access.resources import AnotherPatient
from tests.cds_hooks.conftest import Body, Client, cards_of, draft

PATIENT = {"resourceType": "Patient", "id": "p"}
COVERAGE = {"resourceType": "Coverage", "id": "c", "beneficiary": {"reference": "Patient/p"}}
WEIGHT = {"resourceType": "Observation", "id": "w", "subject": {"reference": "Patient/p"}}
ENCOUNTER = {"resourceType": "Encounter", "id": "e"}
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "forbidden"}],
}
NEXT = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]


def bundle(*resources: Any, **more: Any) -> dict[str, Any]:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, **more}


def part(key: str, sent: Any, encounter: str = "e") -> prefetch.Part:
    """The part `key`, when `sent` is its prefetch value."""
    return parts({key: sent}, encounter)[key]


def parts(sent: dict[str, Any], encounter: str = "e") -> dict[str, prefetch.Part]:
    hook = HookRequest(
        hook="order-sign",
        instance="1",
        context=OrderContext("Practitioner/1", "p", encounter, {}, None),
        fhir_server="",
        authorization=None,
        prefetch={k: msgspec.Raw(json.dumps(v).encode()) for k, v in sent.items()},
    )
    return prefetch.complete(hook, DATA_NEEDED)


def reason(state: prefetch.Part) -> str:
    assert isinstance(state, Unknown), state
    return state.because


@pytest.mark.parametrize("key", ["patient", "coverage", "weight", "encounter"])
def test_a4_2_an_absent_key_is_unknown_never_none(key: str) -> None:
    assert reason(parts({})[key]) == "the EHR did not send it"


def test_a4_2_without_an_encounter_there_is_nothing_to_send() -> None:
    assert reason(parts({}, encounter="")["encounter"]) == "the request names no encounter"


@pytest.mark.parametrize("key", ["patient", "coverage", "weight", "encounter"])
def test_a4_2_null_is_none(key: str) -> None:
    assert isinstance(part(key, None), Nothing)


@pytest.mark.parametrize("empty", [bundle(), {"resourceType": "Bundle"}, bundle(total=0)])
def test_a4_2_an_empty_bundle_is_none(empty: dict[str, Any]) -> None:
    assert isinstance(part("coverage", empty), Nothing)


@pytest.mark.parametrize("sent", [OUTCOME, {"response": {"status": "200"}, "resource": OUTCOME}])
def test_a4_2_an_operation_outcome_is_unknown(sent: dict[str, Any]) -> None:
    assert reason(part("coverage", sent)) == "the EHR reported an error"
    assert reason(part("patient", sent)) == "the EHR reported an error"


def test_a4_2_an_error_among_the_results_makes_them_incomplete() -> None:
    assert "everything" in reason(part("coverage", bundle(COVERAGE, OUTCOME)))


def test_a4_4_a_first_page_is_incomplete() -> None:
    assert reason(part("coverage", bundle(COVERAGE, link=NEXT))) == prefetch.MORE_PAGES.because
    assert reason(part("weight", bundle(link=NEXT))) == prefetch.MORE_PAGES.because


def test_a4_4_a_page_that_counts_more_than_it_holds_is_incomplete() -> None:
    """Nothing may be called missing from it, though no further page is named."""
    assert reason(part("coverage", bundle(COVERAGE) | {"total": 2})) == limits.INCOMPLETE.because
    assert reason(part("coverage", bundle() | {"total": 1})) == limits.INCOMPLETE.because
    for harmless in (1, 0, None, "2", 2.5, -3, 10**30, [], {"value": 2}):
        assert isinstance(part("coverage", bundle(COVERAGE) | {"total": harmless}), Present)
    newest = part("weight", bundle(WEIGHT) | {"total": 50})
    assert isinstance(newest, Present) and newest.value[-1] == prefetch.OLDER_LEFT


def test_a4_4_a_first_page_of_the_newest_is_all_that_was_asked_for() -> None:
    assert isinstance(part("weight", bundle(WEIGHT, link=NEXT)), Present)


@pytest.mark.parametrize("key, resource", [("patient", PATIENT), ("coverage", bundle(COVERAGE))])
def test_a4_5_the_old_wrapper_is_taken_off(key: str, resource: dict[str, Any]) -> None:
    wrapped = {"response": {"status": "200 OK"}, "resource": resource}
    assert part(key, wrapped) == part(key, resource)
    assert isinstance(part(key, {**wrapped, "resource": None}), Nothing)
    assert isinstance(part(key, {"resource": resource}), Present)


def test_a4_5_a_wrapped_failure_is_unknown_though_its_resource_is_null() -> None:
    for status in ("404 Not Found", "500", "403"):
        assert reason(part("coverage", {"response": {"status": status}, "resource": None}))


@pytest.mark.parametrize("wrong", [PATIENT, bundle(PATIENT), {"resourceType": "Basic", "id": "b"}])
def test_a4_6_a_wrong_type_is_unknown(wrong: dict[str, Any]) -> None:
    assert reason(part("coverage", wrong)) == limits.SOMETHING_ELSE.because


@pytest.mark.parametrize("wrong", [5, "", "text", [], [1], True, {}, {"entry": 5}, {"x": None}])
def test_a4_6_what_is_no_fhir_is_unknown(wrong: Any) -> None:
    for key in ("patient", "coverage"):
        assert isinstance(part(key, wrong), Unknown)


def test_a_single_resource_counts_as_the_one_match() -> None:
    assert isinstance(part("coverage", COVERAGE), Present)


@pytest.mark.parametrize(
    "key, resource",
    [
        ("patient", {"resourceType": "Patient", "id": "q"}),
        ("coverage", bundle({**COVERAGE, "beneficiary": {"reference": "Patient/q"}})),
        ("weight", bundle(WEIGHT, {**WEIGHT, "subject": {"reference": "https://e/Patient/q"}})),
        ("encounter", {**ENCOUNTER, "subject": {"reference": "Patient/q/_history/1"}}),
        ("coverage", bundle({**WEIGHT, "subject": {"reference": "Patient/q"}})),
    ],
)
def test_data_of_another_patient_refuses_everything(key: str, resource: dict[str, Any]) -> None:
    with pytest.raises(AnotherPatient):
        part(key, resource)


@pytest.mark.parametrize(
    "subject",
    [
        None,
        {},
        {"display": "q"},
        {"reference": "#q"},
        {"reference": "urn:uuid:q"},
        "Patient/q",
        {"reference": "https://ehr.example/fhir/Patient/p/_history/3"},
        {"reference": "Group/q"},
    ],
)
def test_a_resource_that_names_no_other_patient_is_kept(subject: Any) -> None:
    assert isinstance(part("weight", bundle({**WEIGHT, "subject": subject})), Present)


# ---------------------------------------------------------------- through the service


def test_another_patients_data_gives_no_cards_and_a_security_line(
    client: FlaskClient, wrong_code: Body, caplog: pytest.LogCaptureFixture
) -> None:
    assert cards_of(client, wrong_code)
    for change in (_other_prefetch, _other_draft):
        changed = copy.deepcopy(wrong_code)
        change(changed)
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert cards_of(client, changed) == []
        assert "security" in caplog.text and "somebody" not in caplog.text


def _other_prefetch(body: Body) -> None:
    body["prefetch"]["patient"]["id"] = "somebody-else"


def _other_draft(body: Body) -> None:
    draft(body)["subject"]["reference"] = "Patient/somebody-else"


def test_a4_1_all_prefetch_is_optional(client_with: Client) -> None:
    client = client_with(billing_plan=True)
    (card,) = cards_of(client, fixtures.hook_request("no-prefetch-no-token"))
    assert "Payer rules were not applied" in card["detail"]
    assert "the EHR did not send it" in card["detail"]


def test_a4_3_unknown_is_never_called_missing(client_with: Client) -> None:
    client = client_with(billing_plan=True)
    for name in ("no-prefetch", "prefetch-operation-outcome", "prefetch-paged"):
        for card in cards_of(client, fixtures.hook_request(name)):
            assert "missing" not in (card["summary"] + card["detail"]).lower(), name


def test_an_order_that_is_not_ours_is_answered_before_any_prefetch(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The design's quiet path: drafts are looked at, nothing else."""

    def never(*_: object) -> None:
        raise AssertionError("prefetch was walked for an order that is not ours")

    monkeypatch.setattr("cds_hooks.calls.prefetch.complete", never)
    monkeypatch.setattr("billing_rules.fhir.reading.chart", never)
    for name in ("amoxicillin", "order-select-not-ours", "no-drafts"):
        assert cards_of(client, fixtures.hook_request(name)) == []


@pytest.mark.parametrize("change", [{"status": "entered-in-error"}, {"code": {"text": "Pulse"}}])
def test_no_weight_is_missing_while_older_ones_were_not_sent(
    client_with: Client, change: dict[str, Any]
) -> None:
    """The newest five were asked for; all of them are withdrawn or something else."""
    body = fixtures.hook_request("clean-asthma")
    sent = body["prefetch"]["weight"]
    sent["entry"][0]["resource"].update(change)
    service = client_with()
    assert any("No body weight" in card["summary"] for card in cards_of(service, body))
    sent["link"] = NEXT
    assert not any("No body weight" in card["summary"] for card in cards_of(service, body))
