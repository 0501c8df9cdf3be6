"""A search's Bundle: its pages, its links, what is included, what was ignored."""

from __future__ import annotations

from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from flask.testing import FlaskClient

from billing_rules.data_needed import DATA_NEEDED
from tests.sandbox_ehr.conftest import ADA, FHIR, found, inside, text_of

Bundle = dict[str, Any]


def search(ehr: FlaskClient, query: str, **headers: str) -> Bundle:
    response = ehr.get(f"/fhir/{query}", headers=headers)
    assert response.status_code == 200, response.text
    get_fhir_model_class("Bundle").model_validate(response.json)
    return response.json


def link(bundle: Bundle, relation: str) -> str:
    links = {one["relation"]: one["url"] for one in bundle["link"]}
    return links.get(relation, "")


def all_pages(ehr: FlaskClient, query: str) -> list[Bundle]:
    pages = [search(ehr, query)]
    while following := link(pages[-1], "next"):
        assert following.startswith(FHIR)
        response = ehr.get(following)
        assert response.status_code == 200, response.text
        pages.append(response.json)
    return pages


def ids(bundle: Bundle) -> list[str]:
    return [r["id"] for r in found(bundle)]


# ---------------------------------------------------------------- what the rules ask


@pytest.mark.parametrize("need", [n for n in DATA_NEEDED if n.is_search], ids=lambda n: n.key)
def test_every_query_of_the_rules_is_understood_whole(ehr: FlaskClient, need: Any) -> None:
    query = need.template.replace("{{context.patientId}}", ADA)
    bundle = search(ehr, query, Prefer="handling=strict")
    for resource in found(bundle):
        assert resource["resourceType"] == need.resource_type


def test_the_charts_hold_what_the_rules_ask_for(ehr: FlaskClient) -> None:
    for kind, query in (
        ("Coverage", ""),
        ("Condition", ""),
        ("MedicationAdministration", ""),
        ("Observation", "&code=http://loinc.org|19113-0"),
        ("MedicationRequest", "&intent=order,plan"),
    ):
        assert found(search(ehr, f"{kind}?patient={ADA}{query}")), kind


# ---------------------------------------------------------------- pages


def test_pages_hold_everything_once_and_in_order(ehr: FlaskClient) -> None:
    whole = search(ehr, "Observation?_sort=-date&_count=1000")
    assert link(whole, "next") == ""
    pages = all_pages(ehr, "Observation?_sort=-date&_count=7")
    assert [len(found(p)) for p in pages[:-1]] == [7] * (len(pages) - 1)
    assert [i for p in pages for i in ids(p)] == ids(whole)
    assert {p["total"] for p in pages} == {whole["total"]} == {len(ids(whole))}


def test_a_next_link_says_nothing_of_the_search(ehr: FlaskClient) -> None:
    following = link(search(ehr, f"Observation?patient={ADA}&_count=1"), "next")
    assert ADA not in following and "Observation" not in following


def test_a_page_that_was_deleted_from_is_shorter_and_no_error(ehr: FlaskClient) -> None:
    first = search(ehr, "Observation?_sort=_id&_count=2")
    second = ehr.get(link(first, "next")).json
    ehr.delete(f"/fhir/Observation/{ids(second)[0]}")
    again = ehr.get(link(first, "next")).json
    assert ids(again) == ids(second)[1:]


@pytest.mark.parametrize("page", ["x", "x.5", ".", "x.-1", "x.99999999999999999999", "", "x.٣"])
def test_a_page_nobody_gave_is_gone(ehr: FlaskClient, page: str) -> None:
    response = ehr.get("/fhir", query_string={"_page": page})
    assert response.status_code == 410
    assert "anew" in text_of(response.json)


def test_pages_are_forgotten_the_oldest_first(ehr: FlaskClient) -> None:
    first = link(search(ehr, "Observation?_count=1"), "next")
    for _ in range(500):
        search(ehr, "Organization?_count=1")
    assert ehr.get(first).status_code == 410
    assert len(inside(ehr.application).pages._kept) <= 500


@pytest.mark.parametrize("count", ["-1", "x", "1.5", "99999999999999", "٣"])
def test_a_count_that_is_no_number_is_400(ehr: FlaskClient, count: str) -> None:
    assert ehr.get(f"/fhir/Patient?_count={count}").status_code == 400


@pytest.mark.parametrize("query", ["_summary=count", "_count=0"])
def test_how_many_without_which(ehr: FlaskClient, query: str) -> None:
    bundle = search(ehr, f"Observation?patient={ADA}&{query}")
    assert "entry" not in bundle
    assert bundle["total"] == len(ids(search(ehr, f"Observation?patient={ADA}"))) > 0


def test_a_summary_may_be_the_whole_resource(ehr: FlaskClient) -> None:
    """The SMART launcher asks for it on its sign-in pages."""
    (entry,) = search(ehr, f"Patient?_id={ADA}&_count=10&_summary=true&_sort=given")["entry"]
    assert entry["resource"] == search(ehr, f"Patient?_id={ADA}")["entry"][0]["resource"]


def test_nothing_found_is_a_bundle_without_entries(ehr: FlaskClient) -> None:
    bundle = search(ehr, "Observation?patient=nobody")
    assert bundle["total"] == 0 and "entry" not in bundle


# ---------------------------------------------------------------- links and unknown parameters


def test_the_self_link_says_what_was_searched(ehr: FlaskClient) -> None:
    bundle = search(ehr, f"Observation?patient={ADA}&foo=1&_sort=-date,bar&status=final")
    assert link(bundle, "self") == f"{FHIR}/Observation?patient={ADA}&_sort=-date&status=final"


def test_strict_handling_refuses_what_is_not_known(ehr: FlaskClient) -> None:
    for query in ("foo=1", "_sort=foo", "patient.name=x", "_revinclude=Provenance:target"):
        response = ehr.get(f"/fhir/Observation?{query}", headers={"Prefer": "handling=strict"})
        assert (response.status_code, response.json["issue"][0]["code"]) == (400, "not-supported")
        assert ehr.get(f"/fhir/Observation?{query}").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "date=soon",
        "code:in=x",
        "_summary=much",
        "_include=Foo:bar",
        "_include=Observation:code",
        "_count=many",
    ],
)
def test_what_is_known_but_cannot_be_read_is_400(ehr: FlaskClient, query: str) -> None:
    response = ehr.get(f"/fhir/Observation?{query}")
    assert response.status_code == 400
    assert text_of(response.json)


# ---------------------------------------------------------------- included, shaped


def with_a_drug(ehr: FlaskClient) -> str:
    drug = ehr.post("/fhir/Medication", json={"resourceType": "Medication", "code": {"text": "x"}})
    order = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"Patient/{ADA}"},
        "medicationReference": {"reference": f"Medication/{drug.json['id']}"},
    }
    for _ in range(2):
        ehr.post("/fhir/MedicationRequest", json=order)
    return drug.json["id"]


def test_the_drugs_of_orders_are_included_once(ehr: FlaskClient) -> None:
    drug = with_a_drug(ehr)
    query = f"MedicationRequest?medication={drug}&_include=MedicationRequest:medication"
    bundle = search(ehr, query)
    assert len(found(bundle)) == 2 == bundle["total"]
    assert [r["id"] for r in found(bundle, "include")] == [drug]


def test_an_include_can_name_its_target(ehr: FlaskClient) -> None:
    drug = with_a_drug(ehr)
    query = f"MedicationRequest?medication={drug}&_include=MedicationRequest:medication"
    assert found(search(ehr, query + ":Medication"), "include")
    assert not found(search(ehr, query + ":Substance"), "include")


def test_every_page_includes_what_its_matches_refer_to(ehr: FlaskClient) -> None:
    drug = with_a_drug(ehr)
    query = f"MedicationRequest?medication={drug}&_count=1&_include=MedicationRequest:medication"
    for page in all_pages(ehr, query):
        assert [r["id"] for r in found(page, "include")] == [drug]


def test_elements_are_left_out_and_the_rest_is_marked(ehr: FlaskClient) -> None:
    bundle = search(ehr, f"Observation?patient={ADA}&_elements=valueQuantity")
    for resource in found(bundle):
        get_fhir_model_class("Observation").model_validate(resource)
        assert "performer" not in resource and "effectiveDateTime" in resource
        assert resource["meta"]["tag"][-1]["code"] == "SUBSETTED"


def test_what_is_shaped_for_an_answer_is_kept_whole(ehr: FlaskClient) -> None:
    search(ehr, f"Patient?_id={ADA}&_elements=id")
    assert "birthDate" in ehr.get(f"/fhir/Patient/{ADA}").json


def test_full_urls_are_addresses_of_the_resources(ehr: FlaskClient) -> None:
    for entry in search(ehr, f"Observation?patient={ADA}")["entry"]:
        assert ehr.get(entry["fullUrl"]).json == entry["resource"]
