"""Answers of CDS services, read strictly: what is malformed is named, never shown, never fatal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox_ehr import cds_client
from sandbox_ehr.cds_client import CdsResponse, is_web_address

CARD: dict[str, Any] = {
    "uuid": "c1",
    "summary": "Do this",
    "indicator": "warning",
    "source": {"label": "Somebody", "url": "https://a.example/"},
}
UPDATE = {"type": "update", "description": "d", "resource": {"resourceType": "Claim", "id": "1"}}


def suggestion(**action: Any) -> dict[str, Any]:
    suggested = {"label": "Do", "uuid": "s1", "actions": [{**UPDATE, **action}]}
    return {"suggestions": [suggested], "selectionBehavior": "at-most-one"}


def read(*cards: Any) -> CdsResponse:
    return cds_client.read_response(json.dumps({"cards": list(cards)}).encode())


def test_a_right_card_is_read_whole() -> None:
    answer = read({**CARD, **suggestion(), "extension": {"x": 1}, "detail": "**d**"})
    (card,) = answer.cards
    assert (card.summary, card.indicator, card.detail) == ("Do this", "warning", "**d**")
    found = card.suggestion("s1")
    assert found and found.actions and found.actions[0].resource == UPDATE["resource"]
    assert card.suggestion("") is None and not answer.malformed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"summary": None}, "summary"),
        ({"summary": " "}, "summary"),
        ({"summary": "x" * 140}, "summary"),
        ({"summary": 7}, "summary"),
        ({"indicator": "hard-stop"}, "indicator"),
        ({"source": {}}, "source"),
        ({"source": "Somebody"}, "source"),
        ({"source": {"label": "a", "url": "javascript:alert(1)"}}, "source"),
        ({"detail": ["x"]}, "detail"),
        ({"suggestions": [{"label": "a"}]}, "selectionBehavior"),
        ({"suggestions": [{}], "selectionBehavior": "any"}, "label"),
        ({"suggestions": [{"label": "a", "actions": []}], "selectionBehavior": "any"}, "empty"),
        (suggestion(type="replace"), "type"),
        (suggestion(description=""), "description"),
        (suggestion(resource={"id": "1"}), "resource"),
        (suggestion(resource={"resourceType": "Claim"}), "id"),
        (suggestion(type="delete", resourceId="1"), "resourceId"),
        ({"overrideReasons": [{"code": "a", "system": "s"}]}, "display"),
        ({"links": [{"label": "a", "url": "https://a.example", "type": "other"}]}, "type"),
        ({"links": [{"label": "a", "url": "http://a.example", "type": "absolute"}]}, "url"),
        (
            {
                "links": [
                    {
                        "label": "a",
                        "url": "https://a.example",
                        "type": "absolute",
                        "appContext": "x",
                    }
                ]
            },
            "appContext",
        ),
    ],
)
def test_a_card_that_breaks_the_specification_is_named(change: dict[str, Any], said: str) -> None:
    answer = read(CARD, {**CARD, **change})
    assert len(answer.cards) == 1
    (bad,) = answer.malformed
    assert bad.place == 2 and any(said in fault for fault in bad.faults)


def test_two_recommended_of_at_most_one_are_one_too_many() -> None:
    two = [{"label": "a", "isRecommended": True}, {"label": "b", "isRecommended": True}]
    answer = read({**CARD, "suggestions": two, "selectionBehavior": "at-most-one"})
    assert answer.malformed and not answer.cards


@pytest.mark.parametrize("card", [None, 1, "card", [], {}])
def test_what_is_no_card_is_malformed(card: Any) -> None:
    assert len(read(card).malformed) == 1


@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b"{}", b'{"cards": {}}', b"[" * 100_000, b"\xff\xfe"]
)
def test_what_is_no_answer_is_a_problem(body: bytes) -> None:
    answer = cds_client.read_response(body)
    assert answer.problem and not answer.cards


def test_system_actions_are_counted_and_not_done() -> None:
    answer = cds_client.read_response(b'{"cards": [], "systemActions": [{}, {}]}')
    assert answer.system_actions == 2 and not answer.cards


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://a.example/x?y=1", True),
        ("http://127.0.0.1:8000/x", True),
        ("http://a.example/", False),
        ("https://user@a.example/", False),
        ("https:///x", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://a.example/a b", False),
        ("//a.example", False),
        ("https://[", False),
    ],
)
def test_where_a_user_may_be_sent(url: str, is_one: bool) -> None:
    assert is_web_address(url) is is_one
