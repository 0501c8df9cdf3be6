"""How the EHR differs when it is like another one, and that each difference has its source."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from sandbox_ehr import charts
from sandbox_ehr import charts as quirks
from sandbox_ehr.app import create_app
from sandbox_ehr.charts import PLAIN
from sandbox_ehr.fhir import searching
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.settings import EhrSettings
from tests.sandbox_ehr.conftest import BASE, TODAY, found, text_of


def like(name: str) -> FlaskClient:
    ways = quirks.quirks_of(name)
    records = Records.of(
        charts.shaped_like(charts.invented(TODAY), ways), new_id=charts.new_ids(ways.ids)
    )
    app = create_app(records, EhrSettings(BASE, TODAY, quirks=ways, open=True))
    app.testing = False
    return app.test_client()


def ada(ehr: FlaskClient) -> str:
    return found(ehr.get("/fhir/Patient?family=Winterbourne").json)[0]["id"]


@pytest.mark.parametrize("name", quirks.quirk_names())
def test_every_difference_has_a_source(name: str) -> None:
    ways = quirks.quirks_of(name)
    differs = {
        fact
        for fact in quirks.Quirks.__struct_fields__
        if fact not in ("name", "title", "sources") and getattr(ways, fact) != getattr(PLAIN, fact)
    }
    # What was looked up and found to be as FHIR says, or as this server is anyway, may be noted.
    assert differs <= set(ways.sources), f"{name}.yaml: say where these are from"
    assert all(len(source) > 8 for source in ways.sources.values())


@pytest.mark.parametrize("name", quirks.quirk_names())
def test_types_and_parameters_are_those_of_the_table(name: str) -> None:
    ways = quirks.quirks_of(name)
    named = {*ways.absent, *ways.only_search, *ways.need_one_of, *ways.timed_dates, *ways.statuses}
    assert named <= set(searching.TYPES)
    for kind, only in ways.only_search.items():
        assert set(only) <= set(searching.parameters_of(kind)), kind
    assert ways.ids in charts.SHAPES


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(KeyError, match="epic, hapi, meditech, oracle"):
        quirks.quirks_of("../epic")


def test_epic_wants_a_code_or_a_category() -> None:
    ehr = like("epic")
    patient = ada(ehr)
    refused = ehr.get(f"/fhir/Observation?patient={patient}")
    assert refused.status_code == 400 and "59108" in text_of(refused.json)
    assert ehr.get(f"/fhir/Observation?patient={patient}&code=29463-7").status_code == 200
    assert ehr.get("/fhir/ChargeItem?patient=1").status_code == 404


def test_epic_says_in_the_bundle_that_nothing_was_found() -> None:
    bundle = like("epic").get("/fhir/Condition?patient=nobody").json
    assert bundle["total"] == 0 and found(bundle) == []
    (said,) = found(bundle, "outcome")
    assert said["issue"][0]["details"]["coding"][0]["code"] == "4101"
    assert said["issue"][0]["severity"] == "warning"


def test_epics_ids_are_letters_that_stay_the_same() -> None:
    one, other = ada(like("epic")), ada(like("epic"))
    assert one == other and one[0] == "e" and "winterbourne" not in one
    assert len(one) == 24


def test_oracle_wants_a_prefix_and_a_time_and_knows_three_statuses() -> None:
    ehr = like("oracle")
    at = f"/fhir/MedicationAdministration?patient={ada(ehr)}"
    for query in (
        "effective-time=2026-11-23",
        "effective-time=ge2026-11-23",
        "effective-time=2026-11-23T00:00:00Z",
        "status=in-progress",
    ):
        assert ehr.get(f"{at}&{query}").status_code == 400, query
    good = ehr.get(f"{at}&effective-time=ge2020-01-01T00:00:00Z&status=completed")
    assert len(found(good.json)) == 3
    assert ehr.get("/fhir/MedicationAdministration?status=completed").status_code == 400


def test_oracle_has_no_drugs_of_their_own_and_puts_them_inside() -> None:
    ehr = like("oracle")
    assert ehr.get("/fhir/Medication/1").status_code == 404
    orders = found(ehr.get("/fhir/MedicationRequest?_count=1000").json)
    references = {
        o["medicationReference"]["reference"] for o in orders if "medicationReference" in o
    }
    assert references and all(r.startswith("#") for r in references)


def test_oracles_pages_hold_fifty_unless_asked_otherwise() -> None:
    bundle = like("oracle").get("/fhir/Condition").json
    assert len(bundle["entry"]) == 50 < bundle["total"]


def test_meditech_has_no_administrations() -> None:
    assert like("meditech").get("/fhir/MedicationAdministration?patient=1").status_code == 404


def test_ecw_does_not_search_administrations_by_date() -> None:
    ehr = like("ecw")
    query = "/fhir/MedicationAdministration?patient=pat-ada-winterbourne&effective-time=lt1990"
    assert len(found(ehr.get(query).json)) == 3
    assert ehr.get(query, headers={"Prefer": "handling=strict"}).status_code == 400


def test_hapi_refuses_parameters_it_does_not_know_unless_told_to_be_lenient() -> None:
    ehr = like("hapi")
    assert ehr.get("/fhir/Patient?foo=1").status_code == 400
    assert ehr.get("/fhir/Patient?foo=1", headers={"Prefer": "handling=lenient"}).status_code == 200
    bundle = ehr.get("/fhir/Observation?_count=500").json
    assert len(bundle["entry"]) == min(200, bundle["total"])
    assert len(ehr.get("/fhir/Observation").json["entry"]) == 20


@pytest.mark.parametrize("name", quirks.quirk_names())
def test_references_still_lead_somewhere_under_other_ids(name: str) -> None:
    ehr = like(name)
    coverage = found(ehr.get(f"/fhir/Coverage?patient={ada(ehr)}").json)[0]
    assert ehr.get(f"/fhir/{coverage['beneficiary']['reference']}").status_code == 200
    assert ehr.get(f"/fhir/{coverage['payor'][0]['reference']}").status_code == 200


@pytest.mark.parametrize("shape", charts.SHAPES)
def test_new_ids_have_the_shape_too_and_never_meet(shape: str) -> None:
    new = charts.new_ids(shape)
    made = {new() for _ in range(500)}
    assert len(made) == 500
    assert all(len(id_) <= 64 for id_ in made)
    if shape == charts.DIGITS:
        assert all(id_.isdigit() for id_ in made)
