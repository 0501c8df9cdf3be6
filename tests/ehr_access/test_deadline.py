"""One deadline for everything: slow servers, dripping ones, and many queries at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from billing_rules.states import Present
from ehr_access import reasons
from ehr_access.client import EhrClient
from ehr_access.limits import Limits
from ehr_access.query import Query
from tests.ehr_access.server import FakeEhr, Reply, bundle, weight

MakeClient = Callable[..., EhrClient]
PATIENT = Query.parse("Patient/1")
WEIGHTS = Query.parse("Observation?patient=1&code=29463-7")


def after(seconds: float, reply: Reply) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        reply.send(request)

    return answer


def drip(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    for _ in range(60):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.05)


def drip_headers(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for n in range(60):
        request.wfile.write(b"X-%d: 1\r\n" % n)
        request.wfile.flush()
        time.sleep(0.05)


def test_what_answered_in_time_is_kept(ehr: FakeEhr, client_for: MakeClient) -> None:
    ehr.replies["/r4/Patient/1"] = after(3, Reply({"resourceType": "Patient", "id": "1"}))
    ehr.replies["/r4/Observation"] = Reply(bundle(weight("a")))
    began = time.monotonic()
    found = client_for(Limits(seconds=0.5)).fetch({"patient": PATIENT, "weights": WEIGHTS})
    assert time.monotonic() - began < 2
    assert found["patient"] == reasons.TOO_LATE
    assert isinstance(found["weights"], Present)


def test_a_dripping_body_does_not_outlast_the_deadline(
    ehr: FakeEhr, client_for: MakeClient
) -> None:
    ehr.replies["/r4/Patient/1"] = drip
    began = time.monotonic()
    assert client_for(Limits(seconds=0.5)).one(PATIENT) == reasons.TOO_LATE
    assert time.monotonic() - began < 2


def test_dripping_headers_do_not_outlast_the_deadline(ehr: FakeEhr, client_for: MakeClient) -> None:
    ehr.replies["/r4/Patient/1"] = drip_headers
    began = time.monotonic()
    assert client_for(Limits(seconds=0.5)).one(PATIENT) == reasons.TOO_LATE
    assert time.monotonic() - began < 2


def test_a_slow_statement_takes_half_of_the_time_at_most(
    ehr: FakeEhr, client_for: MakeClient
) -> None:
    ehr.replies["/r4/metadata"] = after(3, Reply({}))
    ehr.replies["/r4/Observation"] = Reply(bundle(weight("a")))
    began = time.monotonic()
    assert isinstance(client_for(Limits(seconds=1)).one(WEIGHTS), Present)
    assert 0.4 < time.monotonic() - began < 2


def test_queries_are_asked_at_the_same_time(ehr: FakeEhr, client_for: MakeClient) -> None:
    ehr.replies["/r4/Observation"] = after(0.3, Reply(bundle(weight("a"))))
    queries = {str(n): Query.parse(f"Observation?patient=1&code={n}") for n in range(6)}
    began = time.monotonic()
    found = client_for(Limits(parallel=6)).fetch(queries)
    assert time.monotonic() - began < 1.7
    assert all(isinstance(state, Present) for state in found.values())


def test_no_more_than_the_limit_at_a_time(ehr: FakeEhr, client_for: MakeClient) -> None:
    running: list[int] = []
    most: list[int] = []

    def count(request: BaseHTTPRequestHandler) -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.05)
        running.pop()
        Reply(bundle()).send(request)

    ehr.replies["/r4/Observation"] = count
    queries = {str(n): Query.parse(f"Observation?patient=1&code={n}") for n in range(8)}
    client_for(Limits(parallel=2)).fetch(queries)
    assert max(most) <= 2 and len(most) == 8
