"""Injection site and observation, as an administration's record shares them."""

from __future__ import annotations

from typing import Any

import pytest

from billing_rules.fhir import reading
from billing_rules.model.states import NOTHING, Present, Unknown


def line(**elements: Any) -> Any:
    given = {"resourceType": "MedicationAdministration", "id": "1", "status": "completed"}
    concept = {"medicationCodeableConcept": {"text": "Xolair"}}
    (read,) = reading.draft_orders([{**given, **concept, **elements}], {}, lambda _: None)
    return read


@pytest.mark.parametrize(
    ("site", "state"),
    [
        ({"text": "Left upper arm"}, Present("Left upper arm")),
        ({"coding": [{"display": "Thigh"}]}, Present("Thigh")),
        ({"coding": [{}]}, Unknown("the site has no words")),
        (None, NOTHING),
    ],
)
def test_the_site_in_the_records_words(site: Any, state: Any) -> None:
    assert line(dosage={"site": site}).site == state


@pytest.mark.parametrize(
    ("note", "state"),
    [
        ([{"text": "Observed 2 hours, no reaction."}], Present("noted")),
        ({"text": "30 min observation"}, Present("noted")),
        ([{"text": "No problem."}], NOTHING),
        (None, NOTHING),
    ],
)
def test_a_note_on_observation_counts_and_its_words_are_not_kept(note: Any, state: Any) -> None:
    assert line(note=note).observed == state
