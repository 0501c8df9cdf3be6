"""What belongs together is offered together; what cannot be done is not offered."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from msgspec.structs import replace

from billing_rules.model.entities import Code
from billing_rules.model.findings import (
    AddDiscardedLine,
    Correction,
    Finding,
    RemoveOrder,
    ReplaceCode,
    SetBilledUnits,
    SetModifiers,
    Severity,
)
from cds_hooks.cards.writing import LONGEST_LABEL, CodeSystemUris, Suggestions, label, without_empty

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
URIS = CodeSystemUris({HCPCS: "hcpcs"}, {"hcpcs": HCPCS})


def claim(id_: str = "1") -> dict[str, Any]:
    code = {"coding": [{"system": HCPCS, "code": "J2356"}]}
    modifier = [{"coding": [{"system": HCPCS, "code": "JZ"}]}]
    item = {"sequence": 1, "productOrService": code, "quantity": {"value": 300}}
    return {"resourceType": "Claim", "id": id_, "item": [{**item, "modifier": modifier}]}


def drafts(*ids: str) -> dict[str, Any]:
    return {f"Claim/{id_}": claim(id_) for id_ in ids}


def finding(text: str, *corrections: Correction) -> Finding:
    said = Finding(text, text, (), rule="r", severity=Severity.WARNING)
    return replace(said, corrections=corrections, correction_label=text)


def units(id_: str = "1", count: int = 60) -> Finding:
    return finding(f"Set {count} units", SetBilledUnits(f"Claim/{id_}", 0, count))


def code(id_: str = "1") -> Finding:
    new = Code("hcpcs", "J2357", "Injection, omalizumab, 5 mg")
    return finding("Change code", ReplaceCode(f"Claim/{id_}", 0, Code("hcpcs", "J2356"), new))


def waste(name: str, id_: str = "1") -> Finding:
    line = AddDiscardedLine(f"Claim/{id_}", 0, 15)
    return finding(name, SetModifiers(f"Claim/{id_}", 0, remove=("JZ",)), line)


def offered(cards: list[list[Finding]], known: dict[str, Any]) -> list[list[dict[str, Any]]]:
    numbers = itertools.count()
    everything = [f for card in cards for f in card]
    suggestions = Suggestions(everything, known, URIS, lambda: str(next(numbers)))
    return [suggestions.of_card(card) for card in cards]


def test_corrections_of_one_resource_on_two_cards_are_one_suggestion_on_the_first() -> None:
    ((first,), second) = offered([[units()], [code()]], drafts("1"))
    assert not second
    assert first["label"] == "Set 60 units; Change code"
    (action,) = first["actions"]
    (item,) = action["resource"]["item"]
    assert item["quantity"]["value"] == 60
    assert item["productOrService"]["coding"][0]["code"] == "J2357"


def test_different_resources_stay_on_their_own_cards() -> None:
    ((first,), (second,)) = offered([[units("1")], [units("2")]], drafts("1", "2"))
    assert first["actions"][0]["resource"]["id"] == "1"
    assert second["actions"][0]["resource"]["id"] == "2"


def test_a_finding_over_two_resources_pulls_in_what_touches_either() -> None:
    both = finding("Both", SetBilledUnits("Claim/1", 0, 60), SetBilledUnits("Claim/2", 0, 60))
    ((first,), second) = offered([[code("1")], [both, code("2")]], drafts("1", "2"))
    assert not second
    assert {a["resource"]["id"] for a in first["actions"]} == {"1", "2"}


def test_the_same_correction_from_two_rules_is_made_once() -> None:
    """Two rules that both add the JW line must not bill the waste twice."""
    ((only,),) = offered([[waste("One rule"), waste("Another rule")]], drafts("1"))
    items = only["actions"][0]["resource"]["item"]
    assert [item["quantity"]["value"] for item in items] == [300, 15]


def test_a7_12_other_resources_are_never_touched() -> None:
    assert offered([[units("9")]], drafts("1")) == [[]]
    half = finding("Half", SetBilledUnits("Claim/1", 0, 60), SetBilledUnits("Claim/9", 0, 60))
    assert offered([[half]], drafts("1")) == [[]], "corrections of a finding belong together"


def test_what_cannot_be_corrected_gives_no_suggestion_and_spoils_no_other() -> None:
    impossible = finding("No", SetModifiers("Claim/1", 7, add=("JZ",)))
    assert offered([[impossible]], drafts("1")) == [[]]
    ((only,),) = offered([[impossible, units()]], drafts("1"))
    assert only["label"] == "Set 60 units"


def test_a_withdrawn_draft_is_not_corrected_as_well() -> None:
    remove = finding("Remove the second draft", RemoveOrder("Claim/1"))
    ((only,),) = offered([[units(), remove]], drafts("1"))
    assert only["label"] == "Remove the second draft"
    (action,) = only["actions"]
    assert action["type"] == "delete" and "Set 60" not in action["description"]


def test_drafts_are_not_changed_in_place() -> None:
    known = drafts("1")
    offered([[units(), code(), waste("w")]], known)
    assert known == drafts("1")


@pytest.mark.parametrize("count", [1, 3, 20])
def test_a_label_has_a_sane_length(count: int) -> None:
    text = label([units(count=n) for n in range(60, 60 + count)])
    assert text.startswith("Set 60 units") and len(text) <= LONGEST_LABEL
    assert len(label([finding("x" * 500, RemoveOrder("Claim/1"))])) == LONGEST_LABEL


def test_a1_2_empty_members_go_but_aligned_nulls_stay() -> None:
    sent = {"a": None, "b": [], "c": {"d": ""}, "given": ["x", None], "n": 0, "f": False}
    assert without_empty(sent) == {"given": ["x", None], "n": 0, "f": False}
