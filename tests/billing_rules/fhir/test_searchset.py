from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from billing_rules.fhir.json.decoding import searched
from billing_rules.fhir.json.shapes import CoverageResource, OrganizationResource
from billing_rules.fhir.reading import SearchPage, bundle_resources
from billing_rules.model.states import Unknown


def page(*entries: Any, **more: Any) -> SearchPage:
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": list(entries), **more}
    found = bundle_resources(json.dumps(bundle).encode())
    assert isinstance(found, SearchPage)
    assert bundle_resources(bundle) == found
    return found


def entry(id_: str, mode: str | None = None, kind: str = "Coverage", **more: Any) -> Any:
    search = {"search": {"mode": mode}} if mode else {}
    return {"resource": {"resourceType": kind, "id": id_, **more}, **search}


def ids(raw: tuple[Any, ...]) -> list[str]:
    return [json.loads(r)["id"] for r in raw]


def test_included_resources_are_kept_apart() -> None:
    found = page(entry("a"), entry("b", "match"), entry("o", "include", "Organization"))
    assert (ids(found.matches), ids(found.included)) == (["a", "b"], ["o"])


def test_an_outcome_is_no_match_and_an_error_is_a_problem() -> None:
    noted = entry("x", "outcome", "OperationOutcome", issue=[{"severity": "warning"}])
    assert page(noted) == SearchPage(entries=1)
    failed = entry("x", None, "OperationOutcome", issue=[{"severity": "error"}])
    assert page(entry("a"), failed).problem


def test_the_next_page_is_where_the_link_says() -> None:
    links = [{"relation": "self", "url": "a"}, {"relation": "next", "url": "https://x/2"}, 5]
    assert page(link=links).next_url == "https://x/2"
    assert not page(link=[{"relation": "self", "url": "a"}]).has_next


def test_one_bad_entry_does_not_void_the_others() -> None:
    found = page(entry("a"), None, {}, 5, {"resource": "x"}, {"resource": {}}, entry("b"))
    assert ids(found.matches) == ["a", "b"]
    assert found.unread == 3


def test_a_bare_resource_is_its_only_match() -> None:
    found = bundle_resources(b'{"resourceType": "Patient", "id": "p"}')
    assert isinstance(found, SearchPage)
    assert ids(found.matches) == ["p"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"nonsense",
        b'{"resourceType": "OperationOutcome"}',
        b'{"resourceType": "Bundle", "entry": 5}',
        b"[" * 100_000,
        {},
        {"a": float("nan")},
    ],
)
def test_what_is_no_answer_is_unknown(raw: Any) -> None:
    assert isinstance(bundle_resources(raw), Unknown)


def test_a_bundle_as_fhir_says_is_decoded_with_its_resources() -> None:
    noted = entry("x", "outcome", "OperationOutcome", issue=[{"severity": "error"}])
    entries = [entry("a"), entry("o", "include", "Organization"), noted]
    links = [{"relation": "next", "url": "https://x/2"}]
    bundle = {"resourceType": "Bundle", "entry": entries, "link": links, "total": 7}
    raw = json.dumps(bundle).encode()
    found, plain = searched(raw), bundle_resources(raw)
    assert isinstance(found, SearchPage) and isinstance(plain, SearchPage)
    (coverage,), (payer,) = found.matches, found.included
    assert isinstance(coverage, CoverageResource) and coverage.id == "a"
    assert isinstance(payer, OrganizationResource) and payer.id == "o"
    assert replace(found, matches=(), included=()) == replace(plain, matches=(), included=())


@pytest.mark.parametrize("odd", [None, {}, entry("d", kind="Device"), entry("e", status=5)])
def test_of_any_other_bundle_each_entry_is_read_as_far_as_it_is_one(odd: Any) -> None:
    raw = json.dumps({"resourceType": "Bundle", "entry": [entry("a"), odd]}).encode()
    assert searched(raw) == bundle_resources(raw)
