"""No patient id and no token in logs, reprs or reasons, whatever goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from billing_rules.model.states import Unknown
from ehr_access.client import EhrClient
from ehr_access.limits import Limits
from ehr_access.query import Query, QueryRefused
from sandbox_ehr.moods import Reply, outcome
from tests.practice_ehr import Ehr, bundle

PATIENT_ID, TOKEN = "canary-patient", "canary-token"

REPLIES = {
    "fine": Reply(bundle()),
    "busy": Reply({}, 503, {"Retry-After": "0"}),
    "forbidden": Reply(outcome("error"), 403),
    "broken": Reply(b"{", headers={"Content-Length": "100", "Connection": "close"}),
    "header": Reply(bundle(), headers={"X\x01 bad": "yes"}),
    "elsewhere": Reply(bundle(next_link=f"http://evil.example/?p={PATIENT_ID}")),
}


@pytest.mark.parametrize("reply", REPLIES)
def test_nothing_of_the_patient_is_logged(
    ehr: Ehr,
    client_for: Callable[..., EhrClient],
    caplog: pytest.LogCaptureFixture,
    reply: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    ehr.replies["/fhir/Observation"] = REPLIES[reply]
    client = client_for(Limits(seconds=1), token=TOKEN)
    query = Query.parse(f"Observation?patient={PATIENT_ID}&code=1")
    state = client.one(query)
    told = state.because if isinstance(state, Unknown) else ""
    logged = " ".join(str(vars(record)) for record in caplog.records)
    for text in (told, logged, repr(client), repr(query)):
        assert "canary" not in text


def test_a_refused_query_does_not_repeat_itself() -> None:
    with pytest.raises(QueryRefused) as caught:
        Query.parse(f"Patient/{PATIENT_ID}/../x")
    assert "canary" not in str(caught.value)


def test_a_crash_in_a_query_logs_its_kind_only(
    client: EhrClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError(f"{PATIENT_ID} {TOKEN}")

    client.capability()
    monkeypatch.setattr(client._transport, "get", crash)
    assert isinstance(client.one(Query.parse("Patient/1")), Unknown)
    assert "RuntimeError" in caplog.text and "canary" not in caplog.text
