"""The chart's lists through prefetch: what was sent is evidence, what may lack is no proof."""

from __future__ import annotations

from typing import Any

import pytest

from billing_rules.data_needed import DATA_NEEDED, DataNeed
from billing_rules.model.states import Nothing, Present, Unknown
from cds_hooks.calls import prefetch
from ehr_access.resources import AnotherPatient
from tests.cds_hooks.test_prefetch import NEXT, OUTCOME, bundle, part, reason

LISTS = [need for need in DATA_NEEDED if need.each_counts]
BY_KEY = pytest.mark.parametrize("need", LISTS, ids=lambda need: need.key)


def resource(need: DataNeed, patient: str = "p", element: str = "patient") -> dict[str, Any]:
    about = {"reference": f"Patient/{patient}"}
    return {"resourceType": need.resource_type, "id": "1", element: about}


@BY_KEY
def test_three_states(need: DataNeed) -> None:
    assert reason(part(need.key, OUTCOME)) == prefetch.FAILED.because
    assert isinstance(part(need.key, None), Nothing)
    assert isinstance(part(need.key, bundle()), Nothing)
    complete = part(need.key, bundle(resource(need)))
    assert isinstance(complete, Present) and len(complete.value) == 1


@BY_KEY
@pytest.mark.parametrize("gap", ["page", "outcome", "unreadable"])
def test_what_was_sent_stays_beside_the_reason_why_there_may_be_more(
    need: DataNeed, gap: str
) -> None:
    added = {"outcome": [OUTCOME], "unreadable": ["?"]}.get(gap, [])
    link = {"link": NEXT} if gap == "page" else {}
    sent = part(need.key, bundle(resource(need), *added, **link))
    assert isinstance(sent, Present)
    assert [isinstance(entry, Unknown) for entry in sent.value] == [False, True]
    alone = bundle(*added, **link)
    assert isinstance(part(need.key, alone), Unknown)


@BY_KEY
@pytest.mark.parametrize("element", ["patient", "subject", "individual"])
def test_data_of_another_patient_refuses_everything(need: DataNeed, element: str) -> None:
    with pytest.raises(AnotherPatient):
        part(need.key, bundle(resource(need), resource(need, "somebody-else", element)))
