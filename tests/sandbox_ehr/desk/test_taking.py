"""Taking suggestions: all actions or none, and only on these drafts."""

from __future__ import annotations

from typing import Any

import pytest

import fixtures
from sandbox_ehr.cds_client import Action, Suggestion
from sandbox_ehr.desk.worksheets import SuggestionNotTaken, SuggestionResult, with_suggestion

ADA = "pat-ada-winterbourne"
ORDER = fixtures.order("omalizumab-300-mg-for-units")
LINE = fixtures.order("omalizumab-300-units")


def take(*actions: Action) -> SuggestionResult:
    return with_suggestion([ORDER, LINE], Suggestion("Do", "s1", False, actions), ADA)


def action(kind: Any, resource: Any = None, id_: str = "") -> Action:
    return Action(kind, "because", resource, id_)


def test_an_update_replaces_the_whole_draft() -> None:
    result = take(action("update", {**LINE, "quantityQuantity": {"value": 60}}))
    assert result.drafts[0] == ORDER
    assert result.drafts[1]["quantityQuantity"] == {"value": 60}
    assert result.before == {"ServiceRequest/omalizumab-300-units": LINE}


def test_a_delete_removes_the_draft() -> None:
    result = take(action("delete", id_="ServiceRequest/omalizumab-300-units"))
    assert result.drafts == (ORDER,)
    assert result.removed == ("ServiceRequest/omalizumab-300-units",)


def test_a_create_adds_a_draft_with_an_id_of_its_own() -> None:
    result = take(action("create", LINE))
    added = result.drafts[2]
    assert added["id"] != LINE["id"] and {**added, "id": LINE["id"]} == LINE
    assert result.before == {f"ServiceRequest/{added['id']}": None}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (action("update", {**LINE, "id": "other"}), "none of these drafts"),
        (action("delete", id_="ServiceRequest/other"), "none of these drafts"),
        (action("update", {**LINE, "subject": {"reference": "Patient/x"}}), "another patient"),
        (action("create", {k: v for k, v in LINE.items() if k != "subject"}), "another patient"),
        (action("create", {"resourceType": "Patient", "id": "1"}), "cannot order a Patient"),
        (action("update", {**LINE, "quantityQuantity": "60"}), "not valid FHIR"),
        (action("update", {**LINE, "nonsense": 1}), "not valid FHIR"),
    ],
)
def test_one_action_that_cannot_be_done_undoes_the_others(wrong: Action, said: str) -> None:
    right = action("delete", id_="MedicationRequest/omalizumab-300-mg-for-units")
    with pytest.raises(SuggestionNotTaken, match=said):
        take(right, wrong)
