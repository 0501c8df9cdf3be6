"""`vialwise doctor`: what a server or an EHR offers, which rules can be answered there."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.rules import RULES
from sandbox_ehr.moods import Reply
from tests.cds_hooks import chart_server
from tests.practice_ehr import Ehr, practice_ehr, statement
from tests.vialwise.conftest import Run
from vialwise.ehrs import query_support

ADA = "pat-ada-winterbourne"
SMART = {
    "authorization_endpoint": "https://ehr.example/authorize",
    "token_endpoint": "https://ehr.example/token",
    "capabilities": [
        "launch-ehr",
        "launch-standalone",
        "permission-v2",
        "client-confidential-asymmetric",
    ],
    "code_challenge_methods_supported": ["S256"],
}


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    """A server that offers everything."""
    with practice_ehr() as server:
        chart_server.serve(server, ADA)
        server.replies["/fhir/.well-known/smart-configuration"] = Reply(SMART)
        yield server


def said(run: Run, *words: object) -> tuple[int, dict]:  # type: ignore[type-arg]
    result = run("doctor", *words, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_a_server_that_offers_everything_leaves_nothing_to_ask(run: Run, ehr: Ehr) -> None:
    code, document = said(run, "--fhir", ehr.url)
    assert (code, document["ask"]) == (0, [])
    assert {rule["answered"] for rule in document["rules"]} == {"whole"}
    assert len(document["rules"]) == len(RULES)
    assert all(document["smart"].values()) and document["fhirVersion"] == "4.0.1"


def test_what_is_not_offered_takes_its_rules_along_and_is_asked_for(run: Run, ehr: Ehr) -> None:
    kinds = [k for k in chart_server.TYPES if k not in ("MedicationAdministration", "Coverage")]
    chart_server.offer(ehr, *kinds)
    code, document = said(run, "--fhir", ehr.url)
    rules = {rule["rule"]: rule for rule in document["rules"]}
    assert code == 1
    assert rules["past_administrations"] == {
        "rule": "past_administrations",
        "answered": "no",
        "without": ["administrations"],
    }
    assert rules["waste_modifier"]["answered"] == "in part"
    assert rules["wrong_code"]["answered"] == "whole"
    (asked,) = [text for text in document["ask"] if text.startswith("MedicationAdministration")]
    assert "patient/MedicationAdministration.rs" in asked


def test_every_rule_that_reads_a_query_suffers_when_it_is_gone(run: Run, ehr: Ehr) -> None:
    for need in DATA_NEEDED:
        kinds = [kind for kind in chart_server.TYPES if kind != need.resource_type]
        capability = query_support.Capability(
            "4.0.1", dict.fromkeys(kinds, frozenset()), dict.fromkeys(kinds, frozenset())
        )
        gone = {
            o.need.key for o in query_support.support_of_server(capability) if not o.can_be_asked
        }
        assert need.key in gone


def test_a_parameter_that_only_narrows_is_left_out_and_said(run: Run, ehr: Ehr) -> None:
    params = dict.fromkeys(chart_server.TYPES, "patient code category status intent use date")
    ehr.replies["/fhir/metadata"] = Reply(statement(**{**params, "MedicationRequest": "patient"}))
    result = run("doctor", "--fhir", ehr.url)
    assert "yes, without narrowing by intent" in " ".join(result.stdout.split())


def test_a_patients_queries_are_really_asked(run: Run, ehr: Ehr) -> None:
    ehr.replies["/fhir/Coverage"] = Reply({}, 403)
    _, document = said(run, "--fhir", ehr.url, "--patient", ADA)
    asked = {query["key"]: query.get("asked") for query in document["queries"]}
    assert asked["patient"] == "1 found" and asked["allergies"] == "none"
    assert asked["coverage"] == "not known, because the EHR did not permit it"


def test_sign_in_that_lacks_something_is_asked_for(run: Run, ehr: Ehr) -> None:
    lacking = {**SMART, "code_challenge_methods_supported": [], "capabilities": ["launch-ehr"]}
    ehr.replies["/fhir/.well-known/smart-configuration"] = Reply(lacking)
    _, document = said(run, "--fhir", ehr.url)
    assert document["smart"]["PKCE S256"] is False and document["smart"]["launch-ehr"] is True
    assert any(text.startswith("SMART PKCE S256") for text in document["ask"])


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"capabilities": 5}', b"{}", b'{"token_endpoint": null}']
)
def test_a_sign_in_document_that_is_none_is_not_known(run: Run, ehr: Ehr, body: bytes) -> None:
    ehr.replies["/fhir/.well-known/smart-configuration"] = Reply(body)
    code, document = said(run, "--fhir", ehr.url)
    assert "SMART configuration" in document["smart"]["because"]
    assert code == 0


def test_without_a_capability_statement_nothing_is_known(run: Run, ehr: Ehr) -> None:
    ehr.replies["/fhir/metadata"] = Reply({}, 404)
    code, document = said(run, "--fhir", ehr.url)
    assert code == 1
    assert {query["offered"] for query in document["queries"]} == {"not known"}


def test_another_version_of_fhir_is_said(run: Run, ehr: Ehr) -> None:
    ehr.replies["/fhir/metadata"] = Reply(statement("5.0.0"))
    _, document = said(run, "--fhir", ehr.url)
    assert "FHIR 5.0.0, and R4 is needed" in document["queries"][0]["because"]


# ---------------------------------------------------------------- EHRs by name


@pytest.mark.parametrize("name", query_support.ehr_names())
def test_an_ehr_is_told_from_its_documents_with_their_dates(run: Run, name: str) -> None:
    known = query_support.ehr(name)
    result = run("doctor", "--ehr", name)
    text = " ".join(result.stdout.split())
    assert result.exit_code == 1
    assert known.source.title in text and known.source.captured in text
    for note in known.notes:
        assert note.says in text and note.captured


@pytest.mark.parametrize("name", query_support.ehr_names())
def test_an_ehrs_file_does_not_contradict_itself(name: str) -> None:
    known = query_support.ehr(name)
    assert not set(known.offered) & set(known.absent)
    assert known.fhir_version.startswith("4.") and known.ask


def test_meditech_has_no_administrations_and_what_is_not_known_is_not_called_absent(
    run: Run,
) -> None:
    _, document = said(run, "--ehr", "meditech")
    offered = {query["key"]: query["offered"] for query in document["queries"]}
    assert offered["administrations"] == "no"
    assert offered["coverage"] == "yes"
    assert offered["procedures"] == "not known"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name a server with --fhir BASE, or an EHR with --ehr NAME"),
        (("--fhir", "http://127.0.0.1:9/fhir", "--ehr", "epic"), "name a server"),
        (("--ehr", "nobody"), "these are: ecw, epic, meditech, oracle"),
        (("--ehr", "../epic"), "is not known"),
        (("--ehr", "epic", "--patient", "1"), "go with --fhir"),
        (("--fhir", "nonsense"), "starts with https://"),
        (("--fhir", "http://127.0.0.1:9/fhir"), "could not be reached"),
        (("--fhir", "http://127.0.0.1:9/fhir", "--patient", "Patient/1"), "the id alone"),
    ],
)
def test_wrong_words_are_one_line(run: Run, words: tuple[str, ...], told: str) -> None:
    result = run("doctor", *words)
    assert result.exit_code == 2 and told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
