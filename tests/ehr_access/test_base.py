"""Which addresses are a base, which are allowed, and which queries may be sent."""

from __future__ import annotations

import pytest

from ehr_access.base import AddressRefused, FhirBase, allowed_base
from ehr_access.query import Query, QueryRefused


@pytest.mark.parametrize(
    "written", ["https://ehr.example/r4", "HTTPS://EHR.example:443/r4/", "https://ehr.example./r4"]
)
def test_an_allowed_base_is_recognised_however_it_is_written(written: str) -> None:
    assert allowed_base(written, ["https://ehr.example/r4"]).url == "https://ehr.example/r4"


@pytest.mark.parametrize(
    "other",
    [
        "http://ehr.example/r4",
        "https://ehr.example:8443/r4",
        "https://ehr.example/r5",
        "https://ehr.example",
        "https://ehr.example.evil.example/r4",
        "https://ehr.example/r4?x=1",
        "https://ehr.example/r4#x",
        "https://me@ehr.example/r4",
        "https://ehr.example/r4/../x",
        "https://ehr.example\\@evil.example/r4",
        "https://ehr.example:port/r4",
        "ehr.example/r4",
        "",
    ],
)
def test_every_other_base_is_refused(other: str) -> None:
    with pytest.raises(AddressRefused):
        allowed_base(other, ["https://ehr.example/r4"])


def test_a_token_goes_over_tls_or_to_this_machine_only() -> None:
    assert FhirBase.parse("https://ehr.example/r4").carries_tokens
    assert FhirBase.parse("http://127.0.0.1:8080/r4").carries_tokens
    assert FhirBase.parse("http://[::1]:8080/r4").carries_tokens
    assert not FhirBase.parse("http://ehr.example/r4").carries_tokens


@pytest.mark.parametrize(
    "text",
    [
        "Patient/..",
        "Patient/a/b",
        "Patient",
        "patient/1",
        "Patient/",
        "Patient/1?x=1",
        "Patient/a%2fb",
        "/etc?x=1",
        "",
    ],
)
def test_a_query_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(QueryRefused):
        Query.parse(text)


def test_the_long_ids_of_real_servers_are_accepted() -> None:
    assert Query.parse(f"Patient/{'a' * 194}").relative_url == f"Patient/{'a' * 194}"


def test_a_search_keeps_bars_and_commas() -> None:
    text = "Observation?patient=1&code=http:%2F%2Floinc.org|29463-7,3141-9&_sort=-date"
    assert Query.parse(text).relative_url == text


def test_a_proxy_that_makes_one_slash_of_two_leaves_a_code_system_as_it_is() -> None:
    sent = Query.parse("Observation?patient=1&code=http://loinc.org|29463-7").relative_url
    assert "//" not in sent and Query.parse(sent.replace("//", "/")).relative_url == sent
