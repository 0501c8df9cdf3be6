"""The client against a server that behaves, and against every way in which one does not."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from billing_rules.data_needed import DATA_NEEDED, OLDER_LEFT
from billing_rules.model.states import NOTHING, Present, Unknown
from ehr_access import limits
from ehr_access.base import FhirBase
from ehr_access.client import EhrClient
from ehr_access.limits import Deadline, Limits
from ehr_access.query import STATUSES, Query, query_for, with_every_status
from ehr_access.server_metadata import Capabilities
from ehr_access.transport import Transport
from sandbox_ehr.moods import Answer, Raw, Reply, Request, cut, outcome
from tests.practice_ehr import METADATA, Ehr, bundle, declares

MakeClient = Callable[..., EhrClient]
PATIENT = Query.parse("Patient/1")
WEIGHTS = Query.parse("Observation?patient=1&code=29463-7")


def weight(id_: str) -> dict[str, str]:
    return {"resourceType": "Observation", "id": id_}


def ids(state: object) -> list[str]:
    assert isinstance(state, Present), state
    return [json.loads(resource)["id"] for resource in state.value]


def test_a_read_gives_the_resource(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Patient/1"] = Reply({"resourceType": "Patient", "id": "1"})
    assert ids(client.one(PATIENT)) == ["1"]


def test_a_resource_that_does_not_exist_is_nothing(client: EhrClient) -> None:
    assert client.one(PATIENT) == NOTHING


def test_a_read_answered_with_another_resource_is_not_used(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Patient/1"] = Reply({"resourceType": "Patient", "id": "2"})
    assert client.one(PATIENT) == limits.ANOTHER_RESOURCE


def test_an_empty_search_is_nothing(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle())
    assert client.one(WEIGHTS) == NOTHING


def test_all_pages_are_read(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a"), next_link=f"{ehr.url}?page=2"))
    ehr.replies["/fhir?page=2"] = Reply(bundle(weight("b"), next_link="Observation?page=3"))
    ehr.replies["/fhir/Observation?page=3"] = Reply(bundle(weight("c")))
    assert ids(client.one(WEIGHTS)) == ["a", "b", "c"]


def test_the_first_page_of_a_newest_first_search_is_the_answer(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a"), next_link="Observation?p=2"))
    newest = Query.parse("Observation?patient=1&code=1&_sort=-date&_count=1", newest_first=True)
    found = client.one(newest)
    assert isinstance(found, Present) and found.value[1:] == (OLDER_LEFT,)
    assert ids(Present(found.value[:1])) == ["a"]


def test_d8_8_a_server_that_wants_a_status_is_asked_once_more_with_all_of_them(
    ehr: Ehr, client: EhrClient
) -> None:
    refused = Reply({"resourceType": "OperationOutcome"}, status=400)
    ehr.replies["/fhir/Observation"] = [refused, Reply(bundle(weight("a")))]
    assert isinstance(client.one(WEIGHTS), Present)
    first, again = [path for path in ehr.asked if "Observation" in path]
    assert again.startswith(first + "&status=amended,cancelled,corrected")
    ehr.replies["/fhir/Observation"] = [refused, refused, Reply(bundle(weight("a")))]
    assert client.one(WEIGHTS) == limits.BAD_REQUEST
    assert len(ehr.replies["/fhir/Observation"]) == 1, "once more, and never again"


def test_d8_8_where_naming_statuses_changes_nothing_nothing_is_asked_again() -> None:
    assert with_every_status(Query.parse("Condition?patient=1")) is None  # it has clinical-status
    assert with_every_status(Query.parse("Observation?patient=1&status=final")) is None
    assert with_every_status(replace(WEIGHTS, begin_at="Observation?p=2")) is None


def test_every_status_is_one_that_fhir_knows() -> None:
    """The published models know the required value sets of R4."""
    for kind, statuses in STATUSES.items():
        module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
        known = set(getattr(module, kind).model_fields["status"].json_schema_extra["enum_values"])
        said = set(statuses.split())
        assert said >= known - {"+"} and ("+" in known or said == known), kind


def test_an_empty_page_of_a_newest_first_search_is_not_the_answer(
    ehr: Ehr, client: EhrClient
) -> None:
    newest = Query.parse("Observation?patient=1&code=1&_sort=-date&_count=1", newest_first=True)
    ehr.replies["/fhir/Observation"] = Reply(bundle(next_link="Observation?p=2"))
    ehr.replies["/fhir/Observation?p=2"] = Reply(bundle(weight("a")))
    assert ids(client.one(newest)) == ["a"]
    ehr.replies["/fhir/Observation?p=2"] = Reply({}, 500)
    assert isinstance(client.one(newest), Unknown)


def test_a_server_that_counts_more_than_it_gives_has_not_answered_in_full(
    ehr: Ehr, client: EhrClient
) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a")) | {"total": 3})
    assert client.one(Query.parse("Observation?patient=1")) == limits.INCOMPLETE
    ehr.replies["/fhir/Observation"] = Reply(bundle() | {"total": 1})
    assert client.one(Query.parse("Observation?patient=1")) == limits.INCOMPLETE
    pages = [bundle(weight("a"), next_link="Observation?p=2") | {"total": 2}, bundle(weight("b"))]
    ehr.replies["/fhir/Observation"] = Reply(pages[0])
    ehr.replies["/fhir/Observation?p=2"] = Reply(pages[1])
    assert ids(client.one(Query.parse("Observation?patient=1"))) == ["a", "b"]


def test_more_pages_than_allowed_is_unknown(ehr: Ehr, client_for: MakeClient) -> None:
    pages = [Reply(bundle(weight(str(n)), next_link=f"Observation?p={n}")) for n in range(9)]
    ehr.replies["/fhir/Observation"] = pages
    assert client_for(Limits(pages=3)).one(WEIGHTS) == limits.TOO_MANY_PAGES
    assert len(pages) == 6


def test_a_page_that_leads_to_itself_ends(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a"), next_link="Observation?p=1"))
    assert client.one(WEIGHTS) == limits.TOO_MANY_PAGES
    assert sum("p=1" in path for path in ehr.asked) == 1


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/fhir/Observation",
        "//evil.example/fhir/Observation",
        "http://127.0.0.1:1/fhir/Observation",
        "/other/Observation",
        "/fhirevil/Observation",
        "/fhir/../other",
        "/fhir/%2e%2e/other",
        "file:///etc/passwd",
        "http://user@127.0.0.1/fhir",
    ],
)
def test_a_next_page_outside_the_base_is_refused(ehr: Ehr, client: EhrClient, link: str) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a"), next_link=link))
    assert client.one(WEIGHTS) == limits.LEFT_THE_BASE
    assert len([path for path in ehr.asked if "metadata" not in path]) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(ehr: Ehr, client: EhrClient, status: int) -> None:
    target = f"{ehr.url}/Patient/2"
    ehr.replies["/fhir/Patient/1"] = Reply({}, status, {"Location": target})
    assert client.one(PATIENT) == limits.REDIRECTED
    assert "/fhir/Patient/2" not in ehr.asked


@pytest.mark.parametrize("status", [401, 403])
def test_not_permitted_is_unknown(ehr: Ehr, client: EhrClient, status: int) -> None:
    ehr.replies["/fhir/Observation"] = Reply(outcome("error"), status)
    assert client.one(WEIGHTS) == limits.NOT_PERMITTED


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_once_more(ehr: Ehr, client: EhrClient, status: int) -> None:
    busy = Reply({}, status, {"Retry-After": "0"})
    ehr.replies["/fhir/Observation"] = [busy, Reply(bundle(weight("a")))]
    assert ids(client.one(WEIGHTS)) == ["a"]


# What a server does to a request that meets the end of an idle connection.
HANGS_UP = Raw()


def test_a_read_whose_connection_was_closed_is_asked_once_more(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = [HANGS_UP, Reply(bundle(weight("a")))]
    assert ids(client.one(WEIGHTS)) == ["a"]
    ehr.replies["/fhir/Observation"] = [HANGS_UP, HANGS_UP]
    assert client.one(WEIGHTS) == limits.NOT_REACHED
    assert len([path for path in ehr.asked if "/Observation" in path]) == 4


def test_retry_after_is_waited_for(ehr: Ehr, client: EhrClient) -> None:
    busy = Reply({}, 429, {"Retry-After": "1"})
    ehr.replies["/fhir/Observation"] = [busy, Reply(bundle(weight("a")))]
    began = time.monotonic()
    assert ids(client.one(WEIGHTS)) == ["a"]
    assert time.monotonic() - began >= 1


def test_a_longer_wait_than_there_is_time_is_not_waited(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = [Reply({}, 429, {"Retry-After": "3600"})]
    began = time.monotonic()
    assert client.one(WEIGHTS) == limits.BUSY
    assert time.monotonic() - began < 1


def test_a_server_busy_twice_is_left_alone(ehr: Ehr, client: EhrClient) -> None:
    busy = Reply({}, 503, {"Retry-After": "0"})
    ehr.replies["/fhir/Observation"] = [busy, busy, Reply(bundle(weight("a")))]
    assert client.one(WEIGHTS) == limits.BUSY


def test_other_errors_are_not_retried(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = [Reply({}, 500), Reply(bundle(weight("a")))]
    assert client.one(WEIGHTS) == Unknown("the EHR answered with HTTP status 500")


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceType": "Bundle", "entry": [',
        b"",
        b"<html>Sign in</html>",
        b"[]",
        b"null",
        b'{"resourceType": "Bundle", "entry": 5}',
        b"\xff\xfe",
        b'{"resourceType": "Patient"}',
    ],
)
def test_what_is_no_fhir_is_unknown(ehr: Ehr, client: EhrClient, body: bytes) -> None:
    ehr.replies["/fhir/Observation"] = Reply(body)
    assert client.one(WEIGHTS) == limits.NOT_FHIR


def test_a_body_shorter_than_announced_is_unknown(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = cut(Reply(bundle(weight("a"))), 20)
    assert client.one(WEIGHTS) == limits.BROKEN


def test_the_body_counts_and_not_the_content_type(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(
        bundle(weight("a")), headers={"Content-Type": "text/html; charset=utf-16"}
    )
    ehr.replies["/fhir/Patient/1"] = Reply(b"<html></html>")
    assert ids(client.one(WEIGHTS)) == ["a"]
    assert client.one(PATIENT) == limits.NOT_FHIR


def test_a_lying_content_encoding_is_unknown(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(), headers={"Content-Encoding": "gzip"})
    assert client.one(WEIGHTS) == limits.BROKEN


def test_an_operation_outcome_instead_of_results_is_unknown(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(outcome("error"))
    ehr.replies["/fhir/Patient/1"] = Reply(outcome("error"))
    assert client.one(WEIGHTS) == limits.ERROR_REPORTED
    assert client.one(PATIENT) == limits.ERROR_REPORTED


def test_an_error_among_the_results_makes_them_incomplete(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a"), outcome("error")))
    assert client.one(WEIGHTS) == limits.INCOMPLETE


def test_a_warning_among_the_results_is_passed_over(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a"), outcome("warning")))
    assert ids(client.one(WEIGHTS)) == ["a"]
    ehr.replies["/fhir/Observation"] = Reply(bundle(outcome("information")))
    assert client.one(WEIGHTS) == NOTHING


def test_a_body_over_the_limit_is_unknown(ehr: Ehr, client_for: MakeClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a" * 5000)))
    assert client_for(Limits(body_bytes=4000)).one(WEIGHTS) == limits.TOO_LARGE


def test_a_server_that_is_not_there_is_unknown(ehr: Ehr, client: EhrClient) -> None:
    object.__setattr__(client._base, "port", 1)
    assert client.one(PATIENT) == limits.NOT_REACHED


def test_a_type_the_server_does_not_declare_is_not_asked_for(ehr: Ehr, client: EhrClient) -> None:
    given = client.one(Query.parse("MedicationAdministration?patient=1"))
    assert given == Unknown("this EHR does not offer MedicationAdministration")
    assert ehr.asked == [METADATA]


def test_the_statement_is_read_once(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Patient/1"] = Reply({"resourceType": "Patient", "id": "1"})
    for _ in range(3):
        client.one(PATIENT)
    assert ehr.asked.count(METADATA) == 1


def test_without_a_statement_the_queries_themselves_show(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies[METADATA] = Reply({}, 401)
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a")))
    assert ids(client.one(WEIGHTS)) == ["a"]


def test_a_server_of_another_fhir_version_is_not_asked(ehr: Ehr, client: EhrClient) -> None:
    declares(ehr, "5.0.0")
    assert client.one(PATIENT) == Unknown("this EHR speaks FHIR 5.0.0, and R4 is needed")


def test_an_undeclared_narrowing_parameter_is_left_out(ehr: Ehr, client: EhrClient) -> None:
    declares(ehr, Coverage="patient")
    ehr.replies["/fhir/Coverage"] = Reply(bundle())
    client.one(Query.parse("Coverage?patient=1&status=active&_count=20"))
    assert ehr.asked[-1] == "/fhir/Coverage?patient=1&_count=20"


def test_a_server_that_cannot_search_by_patient_is_not_asked(ehr: Ehr, client: EhrClient) -> None:
    declares(ehr, Coverage="status")
    state = client.one(Query.parse("Coverage?patient=1"))
    assert state == Unknown("this EHR cannot search Coverage by patient")


def test_observations_are_never_asked_for_without_code_or_category(
    ehr: Ehr, client: EhrClient
) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle())
    client.one(Query.parse("Observation?patient=1"))
    assert ehr.asked[-1] == "/fhir/Observation?patient=1&category=laboratory,vital-signs"


def test_the_token_is_sent_with_queries_only(ehr: Ehr, client_for: MakeClient) -> None:
    client_for(token="secret").one(PATIENT)
    assert dict(zip(ehr.asked, ehr.tokens, strict=True)) == {
        METADATA: None,
        "/fhir/Patient/1": "Bearer secret",
    }


def test_cookies_are_not_kept(ehr: Ehr, client: EhrClient) -> None:
    seen: list[str | None] = []

    def set_cookie(request: Request, answer: Answer) -> Reply:
        seen.append(request.headers.get("Cookie"))
        return Reply(bundle(), headers={"Set-Cookie": "session=1; Path=/"})

    ehr.replies["/fhir/Observation"] = set_cookie
    client.one(WEIGHTS)
    client.one(WEIGHTS)
    assert seen == [None, None]


def test_where_each_counts_what_was_found_is_kept_with_the_gap(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/Observation"] = Reply(bundle(weight("a"), next_link="Observation?p=2"))
    ehr.replies["/fhir/Observation?p=2"] = Reply({}, 500)
    each = Query.parse("Observation?patient=1&code=1", each_counts=True)
    state = client.one(each)
    assert isinstance(state, Present)
    assert state.value[1:] == (Unknown("the EHR answered with HTTP status 500"),)
    assert client.one(WEIGHTS) == Unknown("the EHR answered with HTTP status 500")


def test_needed_queries_are_made_for_one_patient_and_cannot_be_changed_by_an_id() -> None:
    needs = {need.key: need for need in DATA_NEEDED}
    coverage = query_for(needs["coverage"], "1", "")
    assert coverage and coverage.relative_url.startswith("Coverage?patient=1")
    assert query_for(needs["encounter"], "1", "") is None
    assert query_for(needs["coverage"], "1&_include=*", "") is None
    for need in needs.values():
        assert query_for(need, "1", "2") is not None


def test_a_search_goes_on_from_a_link_somebody_else_was_given(ehr: Ehr, client: EhrClient) -> None:
    ehr.replies["/fhir/page2"] = Reply(bundle(weight("2")))
    query = replace(WEIGHTS, begin_at=f"{ehr.url}/page2?state=opaque")
    state = client.one(query)
    assert isinstance(state, Present) and len(state.value) == 1
    assert ehr.asked == [METADATA, "/fhir/page2?state=opaque"]
    outside = replace(WEIGHTS, begin_at="https://elsewhere.example/fhir/page2")
    assert client.one(outside) == limits.LEFT_THE_BASE


def test_the_statements_remembered_are_bounded(ehr: Ehr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ehr_access.server_metadata._MOST_SERVERS", 2)
    transport = Transport()
    known = Capabilities(transport)
    for path in ("", "/a", "/b", "/c"):
        known.of(FhirBase.parse(ehr.url + path), Deadline.after(2))
    assert len(known._known) == 2
    transport.close()
