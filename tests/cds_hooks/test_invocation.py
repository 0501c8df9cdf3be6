"""POST /cds-services/{id}: conformance A1 and A3, and the ways real clients write requests (A6)."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from tests.cds_hooks.conftest import SERVICE, Body, Client, billing, cards_of, draft
from tests.cds_hooks.invariants import nothing_empty


def refused(client: FlaskClient, sent: Any, status: int = 400, path: str = SERVICE) -> str:
    """What the OperationOutcome of a refusal says."""
    data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    response = client.post(path, data=data, content_type="application/json")
    assert response.status_code == status, response.get_data(as_text=True)
    outcome = json.loads(response.data)
    assert outcome["resourceType"] == "OperationOutcome"
    nothing_empty(outcome, allowed=())
    return outcome["issue"][0].get("diagnostics", "")


# ---------------------------------------------------------------- A3: what is refused


def test_a3_1_an_unknown_service_is_404(client: FlaskClient, body: Body) -> None:
    refused(client, body, 404, "/cds-services/another")
    refused(client, body, 404, SERVICE + "/")


@pytest.mark.parametrize("hook", ["patient-view", "order-review", "", 5, None, ["order-sign"]])
def test_a3_2_a_hook_the_service_is_not_registered_for_is_400(
    client: FlaskClient, body: Body, hook: Any
) -> None:
    refused(client, {**body, "hook": hook})


@pytest.mark.parametrize("field", ["hook", "hookInstance", "context"])
@pytest.mark.parametrize("value", ["absent", None, 5, [], True])
def test_a3_3_required_fields_are_required(
    client: FlaskClient, body: Body, field: str, value: Any
) -> None:
    if value == "absent":
        del body[field]
    else:
        body[field] = value
    assert field in refused(client, body)


@pytest.mark.parametrize("field", ["userId", "patientId", "draftOrders"])
@pytest.mark.parametrize("value", ["absent", None, 5, []])
def test_a3_3_required_context_is_required(
    client: FlaskClient, body: Body, field: str, value: Any
) -> None:
    if value == "absent":
        del body["context"][field]
    else:
        body["context"][field] = value
    assert field in refused(client, body)


@pytest.mark.parametrize("selections", [None, "MedicationRequest/1", [5], {}])
def test_a3_3_order_select_requires_its_selections(client: FlaskClient, selections: Any) -> None:
    body = fixtures.hook_request("order-select-one-of-two")
    body["context"]["selections"] = selections
    assert "selections" in refused(client, body)


@pytest.mark.parametrize(
    "sent",
    [b"", b"{", b"null", b"[]", b"5", b'"text"', b"\xff\xfe", b"{}", b'{"hook": NaN}', b"[" * 9999],
)
def test_a3_3_what_is_no_json_object_is_400(client: FlaskClient, sent: bytes) -> None:
    refused(client, sent)


def test_a3_3_a_refusal_repeats_nothing_of_the_request(client: FlaskClient, body: Body) -> None:
    canary = "canary-7f3a"
    for key in ("hook", "prefetch", "hookInstance", "fhirServer", "fhirAuthorization"):
        changed = {**body, key: canary if key in ("hook", "prefetch") else [canary]}
        response = client.post(SERVICE, json=changed)
        assert response.status_code == 400, key
        assert canary.encode() not in response.data


@pytest.mark.parametrize("instance", ["test", "constant", "7f000000-0000-4000-8000-000000000001"])
def test_a3_4_hook_instance_need_not_be_a_uuid(
    client: FlaskClient, body: Body, instance: str
) -> None:
    assert cards_of(client, {**body, "hookInstance": instance}) == []


def test_a3_4_a_hook_instance_that_is_no_uuid_is_not_logged(
    client: FlaskClient, body: Body, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        cards_of(client, {**body, "hookInstance": "Ada\nWinterbourne"})
    assert "Winterbourne" not in caplog.text


TOKEN = {"access_token": "t", "token_type": "Bearer", "expires_in": 30, "scope": "", "subject": "c"}


def test_a3_5_fhir_authorization_requires_fhir_server(client: FlaskClient, body: Body) -> None:
    body["fhirAuthorization"] = TOKEN
    assert cards_of(client, body) == []
    for absent in (None, ""):
        assert "fhirServer" in refused(client, {**body, "fhirServer": absent})
    del body["fhirServer"]
    assert "fhirServer" in refused(client, body)


@pytest.mark.parametrize(
    "authorization", [None, "", {}, {"access_token": ""}, {**TOKEN, "access_token": None}]
)
def test_a1_4_an_authorization_without_a_token_counts_as_absent(
    client: FlaskClient, body: Body, authorization: Any
) -> None:
    body.pop("fhirServer")
    assert cards_of(client, {**body, "fhirAuthorization": authorization}) == []


def test_a3_8_the_same_request_gives_the_same_cards_apart_from_uuids(
    client: FlaskClient,
) -> None:
    body = fixtures.hook_request("seed-case")
    first, second = cards_of(client, body), cards_of(client, body)
    assert first != second
    assert without_uuids(first) == without_uuids(second)


def without_uuids(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_uuids(v) for k, v in value.items() if k != "uuid"}
    return [without_uuids(v) for v in value] if isinstance(value, list) else value


# ---------------------------------------------------------------- A1: what is accepted


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json+fhir",
        "application/fhir+json",
        "text/plain",
        "",
    ],
)
def test_a1_1_content_types_of_lax_clients_are_accepted(
    client: FlaskClient, body: Body, content_type: str
) -> None:
    headers = {"Accept": "application/json+fhir"}
    response = client.post(
        SERVICE, data=json.dumps(body), content_type=content_type, headers=headers
    )
    assert response.status_code == 200
    assert response.content_type == "application/json"


def test_a1_1_a_byte_order_mark_is_passed_over(client: FlaskClient, body: Body) -> None:
    assert cards_of(client, b"\xef\xbb\xbf" + json.dumps(body).encode()) == []


def test_a1_4_nulls_mean_absent(client: FlaskClient) -> None:
    assert billing(cards_of(client, fixtures.hook_request("nulls-everywhere"))) == []
    assert cards_of(client, fixtures.hook_request("fhir-authorization-null")) == []


def test_a1_5_unknown_keys_are_ignored_anywhere(client: FlaskClient, wrong_code: Body) -> None:
    expected = without_uuids(cards_of(client, wrong_code))
    wrong_code["extension"] = {"com.example": [1]}
    wrong_code["context"]["com.example.shoe"] = {"size": 43}
    wrong_code["prefetch"]["nobodyAsked"] = {"resourceType": "Patient", "id": "somebody-else"}
    assert without_uuids(cards_of(client, wrong_code)) == expected


def test_a1_6_a_draft_that_breaks_fhir_does_not_void_the_request(
    client: FlaskClient, wrong_code: Body
) -> None:
    expected = [card["summary"] for card in cards_of(client, wrong_code)]
    bad = [None, {}, {"resource": None}, {"resource": 5}, {"resource": {"resourceType": 5}}]
    wrong_code["context"]["draftOrders"]["entry"] += bad
    draft(wrong_code)["category"] = {"text": "an object"}
    assert [card["summary"] for card in cards_of(client, wrong_code)] == expected


# ---------------------------------------------------------------- A6: request reality


def test_a6_1_a_patient_prefix_is_stripped(client: FlaskClient, wrong_code: Body) -> None:
    expected = without_uuids(cards_of(client, wrong_code))
    wrong_code["context"]["patientId"] = f"Patient/{wrong_code['context']['patientId']}"
    assert without_uuids(cards_of(client, wrong_code)) == expected


def test_a6_2_a_bundle_may_lack_type_and_entries(client: FlaskClient, body: Body) -> None:
    for drafts in ({}, {"resourceType": "Bundle"}, {"entry": None}, {"entry": []}):
        body["context"]["draftOrders"] = drafts
        assert cards_of(client, body) == []


def test_a6_3_an_order_signed_again_need_not_be_a_draft(
    client: FlaskClient, wrong_code: Body
) -> None:
    draft(wrong_code)["status"] = "active"
    assert cards_of(client, wrong_code)


def test_a6_10_the_user_may_stand_beside_the_context(client: FlaskClient, wrong_code: Body) -> None:
    user = wrong_code["context"].pop("userId")
    refused(client, wrong_code)
    assert cards_of(client, {**wrong_code, "user": user})


# ---------------------------------------------------------------- who and which


@pytest.mark.parametrize(
    "user", ["Patient/1", "RelatedPerson/1", "https://ehr.example/fhir/Patient/1"]
)
def test_patients_and_relatives_get_no_cards(
    client: FlaskClient, wrong_code: Body, user: str
) -> None:
    """F2.6, A11: billing advice is not for patients."""
    wrong_code["context"]["userId"] = user
    assert cards_of(client, wrong_code) == []


@pytest.mark.parametrize("user", ["Practitioner/1", "PractitionerRole/1", "1", "Patientia/1"])
def test_staff_get_cards(client: FlaskClient, wrong_code: Body, user: str) -> None:
    wrong_code["context"]["userId"] = user
    assert cards_of(client, wrong_code)


def test_a7_21_order_select_speaks_of_selected_drafts_only(client: FlaskClient) -> None:
    body = fixtures.hook_request("order-select-one-of-two")
    first, second = (f"MedicationRequest/{draft(body, place)['id']}" for place in (0, 1))
    assert associated(cards_of(client, body)) == {first}
    body["context"]["selections"] = [second]
    assert first not in associated(cards_of(client, body))
    assert not any("J2356" in card["summary"] for card in cards_of(client, body))
    body["context"]["selections"] = []
    assert cards_of(client, body) == []


def test_a11_2_documentation_can_wait_until_the_order_is_signed(client_with: Client) -> None:
    body = fixtures.hook_request("story-missing-ige-and-therapy")
    orders = [f"MedicationRequest/{draft(body)['id']}"]
    selected = {**body, "hook": "order-select"}
    selected["context"] = {**body["context"], "selections": orders}

    def topics(sent: Body, **changes: Any) -> set[str]:
        cards = cards_of(client_with(**changes), sent)
        return {card["source"]["topic"]["code"] for card in cards}

    assert "guideline" in topics(selected)
    assert "guideline" not in topics(selected, documentation_at_select=False)
    assert "guideline" in topics(body, documentation_at_select=False)


def test_a7_12_order_select_corrects_selected_drafts_only(client: FlaskClient) -> None:
    body = fixtures.hook_request("seed-case")
    body["hook"] = "order-select"
    chosen = f"MedicationRequest/{draft(body)['id']}"
    body["context"]["selections"] = [chosen]
    actions = [a for c in cards_of(client, body) for s in c["suggestions"] for a in s["actions"]]
    assert {f"{a['resource']['resourceType']}/{a['resource']['id']}" for a in actions} == {chosen}


def associated(cards: list[dict[str, Any]]) -> set[str]:
    key = "davinci-crd.associated-resource"
    return {one["reference"] for card in cards for one in card.get("extension", {}).get(key, [])}


# ---------------------------------------------------------------- trust and limits


def test_without_open_every_call_is_401_without_detail(client_with: Client, body: Body) -> None:
    closed = client_with(open=False)
    for path in (SERVICE, "/cds-services/another"):
        for headers in ({}, {"Authorization": "Bearer x"}):
            response = closed.post(path, json=body, headers=headers)
            assert response.status_code == 401
            issue = {"severity": "error", "code": "login"}
            assert json.loads(response.data)["issue"] == [issue], "no detail why"


def test_a10_7_a_body_over_the_limit_is_413(client_with: Client, body: Body) -> None:
    most = 65_536
    small = client_with(max_body_bytes=most)
    refused(small, {**body, "extension": {"padding": "x" * most}}, 413)
    refused(small, b"x" * (most + 1), 413)
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    for length, status in ((most, 400), (most + 1, 413), (5 * most, 413)):
        stream = io.BytesIO(b" " * length)
        response = small.post(SERVICE, input_stream=stream, environ_overrides=chunked)
        assert response.status_code == status


def test_a10_7_json_deeper_than_the_limit_is_400(client: FlaskClient, body: Body) -> None:
    deep: Any = "bottom"
    for _ in range(100):
        deep = {"x": deep}
    draft(body)["extension"] = deep
    assert "deep" in refused(client, body)


def test_a10_7_depth_without_end_is_400(client: FlaskClient, body: Body) -> None:
    sent = json.dumps(body).replace('"prefetch":', '"prefetch": %s, "was":' % ("[" * 50_000))
    refused(client, sent.encode())
