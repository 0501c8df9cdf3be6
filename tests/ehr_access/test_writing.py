"""Creating and updating, against a server that behaves and every way in which one does not."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from ehr_access import writing
from ehr_access.base import FhirBase
from ehr_access.client import EhrClient
from ehr_access.limits import Limits
from ehr_access.query import QueryRefused
from ehr_access.scopes import Scopes
from ehr_access.server_metadata import Capabilities
from ehr_access.transport import Transport
from ehr_access.writing import Refused, Uncertain, Written
from sandbox_ehr.moods import Act, Answer, Raw, Reply, Request, always, outcome
from tests.practice_ehr import METADATA, Ehr, bundle, statement

MakeClient = Callable[..., EhrClient]
OURS = {"system": "urn:vialwise:entry", "value": "f3a9-total-ige"}
IGE = {
    "resourceType": "Observation",
    "identifier": [OURS],
    "valueQuantity": {"value": Decimal("350.10")},
}
ALL = Scopes.parse("patient/*.cruds")
CREATE = "POST /fhir/Observation"
CREATED = Reply(status=201, headers={"Location": "http://x/fhir/Observation/9/_history/1"})


def test_a_create_says_where_it_stands_and_sends_exact_numbers(
    ehr: Ehr, client_for: MakeClient
) -> None:
    ehr.replies[CREATE] = CREATED
    answer = client_for(token="t").create(IGE, OURS, ALL)
    assert answer == Written("Observation/9", "1")
    (sent,) = ehr.sent
    assert b'"value":350.10' in sent.body
    assert sent.headers["If-None-Exist"] == "identifier=urn:vialwise:entry|f3a9-total-ige"
    assert sent.headers["Authorization"] == "Bearer t"
    assert sent.headers["Content-Type"] == "application/fhir+json"


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"resourceType": "Observation", "id": "9", "meta": {"versionId": "1"}}, 201),
        Reply(None, 201, {"Location": "Observation/9", "ETag": 'W/"1"'}),
        Reply(None, 201, {"Location": "https://elsewhere.example/fhir/Observation/9/_history/1"}),
    ],
)
def test_every_way_of_saying_where_is_read(ehr: Ehr, client: EhrClient, reply: Reply) -> None:
    ehr.replies[CREATE] = reply
    assert client.create(IGE, OURS, ALL) == Written("Observation/9", "1")


def test_a_copy_of_an_earlier_send_is_not_written_twice(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies[CREATE] = Reply({"resourceType": "Observation", "id": "9"}, 200)
    assert client.create(IGE, OURS, ALL) == Written("Observation/9", before=True)
    ehr.replies[CREATE] = Reply(outcome("error"), 412)
    assert client.create(IGE, OURS, ALL) == writing.SEVERAL


@pytest.mark.parametrize(
    ("scope", "action"),
    [
        ("patient/Observation.rs", "create"),
        ("patient/Observation.c", "update"),
        ("patient/Patient.cruds", "create"),
        ("openid launch", "update"),
        ("patient/Observation.read", "create"),
    ],
)
def test_without_the_scope_nothing_is_sent(
    ehr: Ehr, client: EhrClient, scope: str, action: str
) -> None:
    scopes = Scopes.parse(scope)
    if action == "create":
        answer = client.create(IGE, OURS, scopes)
    else:
        answer = client.update({**IGE, "id": "9"}, "1", scopes)
    assert answer == writing.NO_SCOPE and not ehr.sent


@pytest.mark.parametrize(
    "scope",
    [
        "patient/Observation.c",
        "user/*.*",
        "patient/Observation.write",
        "patient/*.cu",
        "patient/Observation.c?category=laboratory",
    ],
)
def test_scopes_of_both_versions_allow_a_create(ehr: Ehr, client: EhrClient, scope: str) -> None:
    ehr.replies[CREATE] = CREATED
    assert isinstance(client.create(IGE, OURS, Scopes.parse(scope)), Written)


def test_what_the_server_does_not_offer_is_not_sent(ehr: Ehr, client: EhrClient) -> None:
    said = statement()
    for resource in said["rest"][0]["resource"]:
        resource["interaction"] = [{"code": "read"}]
    ehr.replies[METADATA] = Reply(said)
    assert client.create(IGE, OURS, ALL) == writing.not_offered("Observation")
    note = {"resourceType": "DocumentReference"}
    assert client.create(note, OURS, ALL) == writing.not_offered("DocumentReference")
    assert not ehr.sent


def test_without_a_statement_the_write_itself_shows_what_is_offered(
    ehr: Ehr, client: EhrClient
) -> None:
    ehr.replies[METADATA] = Reply(b"<html>", 500)
    ehr.replies[CREATE] = CREATED
    assert isinstance(client.create(IGE, OURS, ALL), Written)


REFUSALS = {
    401: writing.SIGNED_OUT,
    403: writing.FORBIDDEN,
    404: writing.not_offered("Observation"),
    405: writing.not_offered("Observation"),
    409: writing.CHANGED,
    307: writing.REDIRECTED,
}


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_in_our_words_and_sent_once(ehr: Ehr, client: EhrClient, status: int) -> None:
    ehr.replies[CREATE] = Reply({}, status, {"Location": "http://127.0.0.1:9/steal"})
    assert client.create(IGE, OURS, ALL) == REFUSALS[status]
    assert len(ehr.sent) == 1


def test_of_an_invalid_resource_only_the_servers_codes_are_kept(
    ehr: Ehr, client: EhrClient
) -> None:
    issues = [
        {"severity": "error", "code": "invariant", "diagnostics": "Canary Patient born 1990"},
        {"severity": "error", "code": "Canary <script>"},
        {"severity": "error", "code": "invariant"},
    ]
    ehr.replies[CREATE] = Reply({"resourceType": "OperationOutcome", "issue": issues}, 422)
    answer = client.create(IGE, OURS, ALL)
    assert isinstance(answer, Refused) and answer.codes == ("invariant",)
    assert "Canary" not in repr(answer)


def test_a_busy_server_did_nothing_and_is_asked_once_more(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies[CREATE] = [Reply({}, 503, {"Retry-After": "0"}), CREATED]
    assert isinstance(client.create(IGE, OURS, ALL), Written)
    ehr.replies[CREATE] = Reply({}, 429, {"Retry-After": "0"})
    assert client.create(IGE, OURS, ALL) == writing.BUSY
    assert len(ehr.sent) == 4


def test_a_write_whose_connection_was_closed_is_not_sent_again(ehr: Ehr, client: EhrClient) -> None:
    """It may stand there already."""

    ehr.replies[CREATE] = [Raw(), CREATED]
    assert isinstance(client.create(IGE, OURS, ALL), Uncertain)
    assert len(ehr.sent) == 1


@pytest.mark.parametrize("status", [500, 502, 504, 408])
def test_after_a_fault_of_the_server_it_may_stand_there(
    ehr: Ehr, client: EhrClient, status: int
) -> None:
    ehr.replies[CREATE] = Reply(b"", status)
    assert isinstance(client.create(IGE, OURS, ALL), Uncertain)
    assert len(ehr.sent) == 1


def hang(request: Request, answer: Answer) -> Raw:
    time.sleep(1.5)
    return Raw()


def drip(request: Request, answer: Answer) -> Raw:
    def parts() -> Iterator[bytes]:
        yield b"HTTP/1.1 201 Created\r\n"
        for n in range(40):
            yield b"X-%d: 1\r\n" % n
            time.sleep(0.05)

    return Raw(parts())


@pytest.mark.parametrize("fault", [hang, always(Raw()), drip])
def test_after_a_timeout_or_a_cut_line_it_may_stand_there_and_is_not_sent_again(
    ehr: Ehr, client_for: MakeClient, fault: Act
) -> None:
    ehr.replies[CREATE] = fault
    client = client_for(Limits(seconds=0.5))
    began = time.monotonic()
    assert isinstance(client.create(IGE, OURS, ALL), Uncertain)
    assert time.monotonic() - began < 1.4
    assert len(ehr.sent) == 1


def test_a_success_that_does_not_say_where_is_uncertain(ehr: Ehr, client: EhrClient) -> None:
    for reply in (
        Reply(b"{", 201),
        Reply({"resourceType": "Patient", "id": "1"}, 201),
        Reply(None, 201, {"Location": "Patient/1"}),
    ):
        ehr.replies[CREATE] = reply
        assert isinstance(client.create(IGE, OURS, ALL), Uncertain)


def test_a_server_that_cannot_be_reached_has_written_nothing() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/fhir"
    transport = Transport()
    client = EhrClient(FhirBase.parse(url), transport, Capabilities(transport))
    assert client.create(IGE, OURS, ALL) == writing.NOT_REACHED
    transport.close()


def test_a_token_is_not_sent_in_clear() -> None:
    transport = Transport()
    base = FhirBase.parse("http://ehr.example/fhir")
    client = EhrClient(base, transport, Capabilities(transport), token="t")
    assert client.create(IGE, OURS, ALL) == writing.NO_TOKEN_IN_CLEAR
    transport.close()


# ---------------------------------------------------------------- updating


def test_an_update_replaces_the_version_that_was_read(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["PUT /fhir/Observation/9"] = Reply(b"", 200, {"ETag": 'W/"3"'})
    assert client.update({**IGE, "id": "9"}, "2", ALL) == Written("Observation/9", "3")
    (sent,) = ehr.sent
    assert sent.headers["If-Match"] == 'W/"2"' and json.loads(sent.body)["id"] == "9"


@pytest.mark.parametrize("status", [409, 412])
def test_an_update_of_a_record_that_changed_is_refused(
    ehr: Ehr, client: EhrClient, status: int
) -> None:
    ehr.replies["PUT /fhir/Observation/9"] = Reply({}, status)
    assert client.update({**IGE, "id": "9"}, "2", ALL) == writing.CHANGED


@pytest.mark.parametrize(("id_", "version"), [("../x", "1"), ("9", ""), ("9", '1"\r\nX: y')])
def test_an_update_cannot_leave_its_place(client: EhrClient, id_: str, version: str) -> None:
    with pytest.raises(QueryRefused):
        client.update({**IGE, "id": id_}, version, ALL)


# ---------------------------------------------------------------- looking for an earlier send


def test_an_earlier_send_is_found_by_our_identifier_alone(ehr: Ehr, client: EhrClient) -> None:
    other = {"resourceType": "Observation", "id": "1", "identifier": [{"value": "another"}]}
    ehr.replies["/fhir/Observation"] = Reply(
        bundle(
            other,
            {**json.loads('{"id": "9"}'), **{"resourceType": "Observation", "identifier": [OURS]}},
        )
    )
    assert client.already_there("Observation", OURS, "p1") == Written("Observation/9", before=True)
    ehr.replies["/fhir/Observation"] = Reply(bundle(other))
    found = client.already_there("Observation", OURS, "p1")
    assert isinstance(found, Refused) and found.why == "not sent"
    ehr.replies["/fhir/Observation"] = Reply({}, 500)
    assert isinstance(client.already_there("Observation", OURS, "p1"), Uncertain)


@pytest.mark.parametrize("value", ["a&patient=2", "a|b", "a,b", "a b", ""])
def test_an_identifier_cannot_become_another_search(client: EhrClient, value: str) -> None:
    with pytest.raises(ValueError):
        client.create(IGE, {"system": "urn:vialwise:entry", "value": value}, ALL)


def test_nothing_that_was_written_is_logged(
    ehr: Ehr, client_for: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    note = {"resourceType": "Observation", "note": [{"text": "canary"}]}
    client = client_for(Limits(seconds=0.5), token="canary-token")
    for reply in (CREATED, Reply({}, 403), Reply({}, 503, {"Retry-After": "0"}), Raw()):
        ehr.replies[CREATE] = reply
        said = repr(client.create(note, OURS, ALL))
        assert "canary" not in said
    assert "canary" not in " ".join(str(vars(record)) for record in caplog.records)
