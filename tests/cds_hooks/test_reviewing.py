"""A fault in one rule silences nothing else and names nobody."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from billing_rules import review
from billing_rules.rules import RULES
from cds_hooks.answers.order_review import MOST_LINES
from tests.cds_hooks.conftest import billing, cards_of


def broken(case: Any) -> Any:
    raise ZeroDivisionError(f"{case.order.references}")


def break_rules(monkeypatch: pytest.MonkeyPatch, *rule_ids: str) -> None:
    rules = tuple(replace(rule, check=broken) if rule.id in rule_ids else rule for rule in RULES)
    monkeypatch.setattr(review, "RULES", rules)


def test_a_rule_that_fails_is_said_and_the_others_speak(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    body = fixtures.hook_request("seed-case")
    break_rules(monkeypatch, "wrong_code")
    with caplog.at_level(logging.ERROR):
        (card,) = billing(cards_of(client, body))
    assert card["summary"].startswith("Bill 60 units")
    assert "the check itself failed" in card["detail"]
    assert "ZeroDivisionError" in caplog.text
    assert "seed-omalizumab" not in caplog.text


def test_an_order_that_fails_loses_only_itself(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = fixtures.hook_request("several-orders")
    expected = len(cards_of(client, body))
    whole = review.case_of

    def case_of(order: Any, *rest: Any) -> Any:
        if "ServiceRequest" in order.references[0]:
            raise KeyError("patient words")
        return whole(order, *rest)

    monkeypatch.setattr(review, "case_of", case_of)
    assert len(cards_of(client, body)) == expected - 1


def test_more_orders_than_anybody_writes_are_refused_before_they_are_compared(
    client: FlaskClient,
) -> None:
    """Each is compared with every other: a body of 5 MB would keep a worker for a minute."""
    body = fixtures.hook_request("story-225-mg-two-vials")
    (draft,) = body["context"]["draftOrders"]["entry"]
    for number, status in ((MOST_LINES, 200), (MOST_LINES + 1, 413)):
        body["context"]["draftOrders"]["entry"] = [
            {"resource": {**draft["resource"], "id": f"draft-{nth}"}} for nth in range(number)
        ]
        answer = client.post("/cds-services/vialwise-orders", json=body)
        assert answer.status_code == status, answer.text
    assert answer.json["issue"][0]["code"] == "too-costly"
    assert "send fewer at once" in answer.text and "draft-" not in answer.text


def test_a_chart_of_many_other_drugs_is_no_reason_to_refuse(client: FlaskClient) -> None:
    body = fixtures.hook_request("story-225-mg-two-vials")
    other = fixtures.hook_request("amoxicillin")["context"]["draftOrders"]["entry"][0]["resource"]
    patient = body["context"]["draftOrders"]["entry"][0]["resource"]["subject"]
    body["context"]["draftOrders"]["entry"] += [
        {"resource": {**other, "subject": patient, "id": f"other-{nth}"}} for nth in range(300)
    ]
    assert client.post("/cds-services/vialwise-orders", json=body).status_code == 200
