"""What every answer must hold, after the spec's logical models and the Inferno CRD test kit."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from billing_rules.fhir.reading import entries

ACTION_TYPES = ("create", "update", "delete")


def check(answer: dict[str, Any], request: dict[str, Any]) -> None:
    """Every invariant of a 200 answer to `request`."""
    assert set(answer) == {"cards"}, "A7.1, A7.2: cards alone, no systemActions"
    nothing_empty(answer)
    seen = [u for card in answer["cards"] for u in _uuids(card)]
    assert len(set(seen)) == len(seen), "A7.7: every uuid is its own"
    for card in answer["cards"]:
        _card(card)
        _suggestions(card, request)


def _card(card: dict[str, Any]) -> None:
    assert 0 < len(card["summary"]) < 140, "A7.3: strictly less than 140 code points"
    assert card["summary"].isprintable(), "A7.3: one line"
    assert card["indicator"] in ("info", "warning"), "A7.4: reimbursement is never critical"
    assert card["source"]["label"], "A7.5"
    assert is_absolute(card["source"]["url"]), "A7.5"
    assert set(card["source"]["topic"]) <= {"system", "code", "display"}, "A7.17"
    assert card["source"]["topic"]["code"] and card["source"]["topic"]["system"], "A7.5"
    assert card["detail"].strip(), "A7.6"
    assert not any(mark in card["detail"] for mark in ("<", "|--", "![")), "A7.6: no HTML, no table"
    for reason in card.get("overrideReasons", []):
        assert set(reason) == {"code", "system", "display"}, "A7.15"
    for link in card.get("links", []):
        assert is_absolute(link["url"]) and link["type"] in ("absolute", "smart"), "A7.16"
        assert "appContext" not in link or link["type"] == "smart", "A7.16"
    assert "actionSelectionBehavior" not in str(card), "A7.14"
    assert isinstance(card.get("extension", {}), dict), "A7.19"
    assert all("." in key for key in card.get("extension", {})), "A7.19: unique keys"


def _suggestions(card: dict[str, Any], request: dict[str, Any]) -> None:
    offered = card.get("suggestions")
    assert (offered is not None) == ("selectionBehavior" in card), "A7.8"
    if offered is None:
        return
    assert card["selectionBehavior"] in ("at-most-one", "any"), "A7.8"
    assert sum(s.get("isRecommended", False) for s in offered) <= 1, "A7.9"
    for suggestion in offered:
        assert suggestion["label"] and len(suggestion["label"]) <= 80, "A7.10"
        assert suggestion["actions"], "A7.10: never an empty list"
        for action in suggestion["actions"]:
            _action(action, drafts(request))


def _action(action: dict[str, Any], known: dict[str, dict[str, Any]]) -> None:
    assert action["type"] in ACTION_TYPES and action["description"], "A7.11"
    if action["type"] == "delete":
        assert "resource" not in action, "A7.11"
        assert action["resourceId"] in known, "A7.12: only drafts of this request"
    else:
        resource = action["resource"]
        assert f"{resource['resourceType']}/{resource['id']}" in known, "A7.12"


def drafts(request: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = entries(request["context"]["draftOrders"])
    return {f"{r.get('resourceType')}/{r.get('id')}": dict(r) for r in found}


def _uuids(card: dict[str, Any]) -> Iterator[str]:
    for holder in (card, *card.get("suggestions", [])):
        yield str(uuid.UUID(holder["uuid"]))


def is_absolute(url: str) -> bool:
    parts = urlparse(url)
    return parts.scheme in ("https", "http") and bool(parts.netloc)


def nothing_empty(value: Any, path: str = "$", allowed: tuple[str, ...] = ("$.cards",)) -> None:
    """A1.2, A1.3: no member is null, blank or empty, besides those the spec allows."""
    if isinstance(value, dict):
        for key, member in value.items():
            place = f"{path}.{key}"
            assert place in allowed or member not in (None, "", [], {}), f"{place} is {member!r}"
            assert not isinstance(member, str) or member.strip(), f"{place} is blank"
            nothing_empty(member, place, allowed)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            nothing_empty(member, f"{path}[{index}]", allowed)
