"""One deadline for everything: slow servers, dripping ones, and many queries at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from billing_rules.model.states import Present
from ehr_access import limits
from ehr_access.client import EhrClient
from ehr_access.limits import Limits
from ehr_access.query import Query
from sandbox_ehr.moods import Act, Answer, Raw, Reply, Request, dripping
from tests.ehr_access.test_client import weight
from tests.practice_ehr import METADATA, Ehr, bundle

MakeClient = Callable[..., EhrClient]
PATIENT = Query.parse("Patient/1")
WEIGHTS = Query.parse("Observation?patient=1&code=29463-7")


def after(seconds: float, reply: Reply) -> Act:
    def act(request: Request, answer: Answer) -> Reply:
        time.sleep(seconds)
        return reply

    return act


def drip_headers(request: Request, answer: Answer) -> Raw:
    def parts() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        for n in range(60):
            yield b"X-%d: 1\r\n" % n
            time.sleep(0.05)

    return Raw(parts())


def test_what_answered_in_time_is_kept(ehr: Ehr, client_for: MakeClient) -> None:
    ehr.replies["/fhir/Patient/1"] = after(3, Reply({"resourceType": "Patient", "id": "1"}))
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a")))
    began = time.monotonic()
    found = client_for(Limits(seconds=0.5)).fetch({"patient": PATIENT, "weights": WEIGHTS})
    assert time.monotonic() - began < 2
    assert found["patient"] == limits.TOO_LATE
    assert isinstance(found["weights"], Present)


def test_a_dripping_body_does_not_outlast_the_deadline(ehr: Ehr, client_for: MakeClient) -> None:
    ehr.replies["/fhir/Patient/1"] = dripping
    began = time.monotonic()
    assert client_for(Limits(seconds=0.5)).one(PATIENT) == limits.TOO_LATE
    assert time.monotonic() - began < 2


def test_dripping_headers_do_not_outlast_the_deadline(ehr: Ehr, client_for: MakeClient) -> None:
    ehr.replies["/fhir/Patient/1"] = drip_headers
    began = time.monotonic()
    assert client_for(Limits(seconds=0.5)).one(PATIENT) == limits.TOO_LATE
    assert time.monotonic() - began < 2


def test_a_slow_statement_takes_half_of_the_time_at_most(ehr: Ehr, client_for: MakeClient) -> None:
    ehr.replies[METADATA] = after(3, Reply({}))
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a")))
    began = time.monotonic()
    assert isinstance(client_for(Limits(seconds=1)).one(WEIGHTS), Present)
    assert 0.4 < time.monotonic() - began < 2


def test_queries_are_asked_at_the_same_time(ehr: Ehr, client_for: MakeClient) -> None:
    ehr.replies["/fhir/Observation"] = after(0.3, Reply(bundle(weight("a"))))
    queries = {str(n): Query.parse(f"Observation?patient=1&code={n}") for n in range(6)}
    began = time.monotonic()
    found = client_for(Limits(parallel=6)).fetch(queries)
    assert time.monotonic() - began < 1.7
    assert all(isinstance(state, Present) for state in found.values())


def test_no_more_than_the_limit_at_a_time(ehr: Ehr, client_for: MakeClient) -> None:
    running: list[int] = []
    most: list[int] = []

    def count(request: Request, answer: Answer) -> Reply:
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        return Reply(bundle())

    ehr.replies["/fhir/Observation"] = count
    queries = {str(n): Query.parse(f"Observation?patient=1&code={n}") for n in range(8)}
    client_for(Limits(parallel=2)).fetch(queries)
    assert max(most) <= 2 and len(most) == 8
