"""A fault in one rule silences nothing else and names nobody."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from billing_rules.rules import RULES
from cds_hooks import reviewing
from tests.cds_hooks.conftest import billing, cards_of


def broken(case: Any) -> Any:
    raise ZeroDivisionError(f"{case.order.references}")


def break_rules(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    rules = tuple(
        broken if rule.__module__.rpartition(".")[2] in modules else rule for rule in RULES
    )
    monkeypatch.setattr("billing_rules.review.RULES", rules)
    monkeypatch.setattr(reviewing, "RULES", rules)


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
    whole = reviewing.case_of

    def case_of(order: Any, *rest: Any) -> Any:
        if "ServiceRequest" in order.references[0]:
            raise KeyError("patient words")
        return whole(order, *rest)

    monkeypatch.setattr("billing_rules.review.case_of", case_of)
    monkeypatch.setattr(reviewing, "case_of", case_of)
    assert len(cards_of(client, body)) == expected - 1
