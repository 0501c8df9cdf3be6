"""The fixtures keep what their index promises."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

import fixtures
from billing_rules.data_needed import DATA_NEEDED

INDEX = fixtures.index()
ON_DISK = sorted(f.relative_to(fixtures.HERE).as_posix() for f in fixtures.HERE.rglob("*.json"))
CLEAN = [file for file in ON_DISK if file in INDEX and not INDEX[file].quirk]
RESOURCES = [file for file in CLEAN if not file.startswith("hook_requests/")]
HOOKS = [file for file in CLEAN if file.startswith("hook_requests/")]
PREFETCH_KEYS = {need.key for need in DATA_NEEDED}


def load(file: str) -> Any:
    return json.loads((fixtures.HERE / file).read_text(encoding="utf-8"), parse_float=Decimal)


def known() -> dict[str, Any]:
    return {f"{r['resourceType']}/{r['id']}": r for r in map(load, RESOURCES)}


KNOWN = known()


def embedded(node: Any) -> list[dict[str, Any]]:
    """The outermost resources inside a hook request, Bundles opened."""
    if isinstance(node, list):
        return [r for value in node for r in embedded(value)]
    if not isinstance(node, dict):
        return []
    if "resourceType" in node and node["resourceType"] != "Bundle":
        return [node]
    return [r for value in node.values() for r in embedded(value)]


# ---------------------------------------------------------------- the index


def test_every_file_is_in_the_index():
    assert set(ON_DISK) - set(INDEX) == set(), "add a line with its reason to fixtures/index.yaml"


def test_every_line_of_the_index_is_a_file():
    assert set(INDEX) - set(ON_DISK) == set(), "take these lines out of fixtures/index.yaml"


def test_no_file_is_indexed_twice():
    lines = (fixtures.HERE / "index.yaml").read_text(encoding="utf-8").splitlines()
    files = Counter(line.strip() for line in lines if line.endswith(".json:"))
    assert [file for file, times in files.items() if times > 1] == []


def test_every_file_lies_in_a_known_folder():
    assert {file.partition("/")[0] for file in ON_DISK} <= set(fixtures.FOLDERS)


def test_every_reason_is_a_sentence_of_its_own():
    reasons = Counter(fixture.why.strip() for fixture in INDEX.values())
    assert [reason for reason, times in reasons.items() if times > 1] == []
    assert [reason for reason in reasons if len(reason) < 20 or reason[-1] not in '.:"'] == []


def test_there_are_enough_patients_orders_and_requests():
    folders = Counter(file.partition("/")[0] for file in ON_DISK)
    assert folders["patients"] >= 36
    assert folders["orders"] >= 66
    assert folders["hook_requests"] >= 14


def test_orders_of_one_dose_name_each_other():
    for fixture in INDEX.values():
        for other in fixture.with_:
            assert fixture.file in INDEX[other].with_
            assert fixture.bills == INDEX[other].bills


def test_a_billing_draft_goes_with_a_prescription_of_its_patient():
    for fixture in INDEX.values():
        if fixture.beside:
            assert load(fixture.beside)["resourceType"] == "MedicationRequest"
            patients = {fixtures.patient_of(load(f)) for f in (fixture.file, fixture.beside)}
            assert len(patients) == 1, fixture.file


def test_the_worked_examples_are_the_published_ones():
    """The 25 rows of jw_jz_worked_examples.csv: dose in mg, and the lines it bills."""
    doses: dict[frozenset[str], str] = {}
    for fixture in INDEX.values():
        if fixture.bills:
            doses[frozenset({fixture.file, *fixture.with_})] = fixture.bills
    assert sorted(doses.values()) == sorted(
        """15; 15 JW|30 JZ|45; 15 JW|60 JZ|75; 15 JW|90 JZ|105; 15 JW|120 JZ|15 JZ|45 JZ|60 JZ|75 JZ
        |90 JZ|105 JZ|120 JZ|210; 90 JW|214; 86 JW|300 JZ|303; 97 JW|40; 60 JW|100 JZ|300 JZ|210 JZ
        |30 JZ|10 JZ""".replace("\n        ", "").split("|")
    )


# ---------------------------------------------------------------- the resources


@pytest.mark.parametrize("file", RESOURCES)
def test_resource_is_valid_r4(file: str):
    resource = load(file)
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def test_files_are_named_by_their_ids():
    assert [file for file in RESOURCES if load(file)["id"] != Path(file).stem] == []


def test_every_reference_resolves():
    missing = []
    for place, resource in KNOWN.items():
        contained = {"#" + inner["id"] for inner in resource.get("contained", [])}
        for reference in fixtures.references(resource):
            if reference not in KNOWN and reference not in contained:
                missing.append((place, reference))
    assert missing == []


def test_ids_are_unique_within_a_type():
    ids = Counter((r["resourceType"], r["id"]) for r in map(load, RESOURCES))
    assert [key for key, times in ids.items() if times > 1] == []


def test_no_two_patients_share_a_name_or_an_identifier():
    patients = [load(file) for file in RESOURCES if file.startswith("patients/")]
    names = Counter((n["family"], *n["given"]) for p in patients for n in p["name"])
    families = Counter(n["family"] for p in patients for n in p["name"])
    identifiers = Counter(i["value"] for p in patients for i in p["identifier"])
    for counted in (names, families, identifiers):
        assert [value for value, times in counted.items() if times > 1] == []


def test_orders_are_of_the_kinds_that_are_drafted():
    kinds = {load(file)["resourceType"] for file in ON_DISK if file.startswith("orders/")}
    assert kinds == {"MedicationRequest", "ServiceRequest", "ChargeItem", "Claim"}


def test_resources_refer_to_one_patient_only():
    """Coverage, encounter and prescription of a resource are its own patient's."""
    strangers = []
    for place, resource in KNOWN.items():
        patient = fixtures.patient_of(resource)
        for reference in fixtures.references(resource):
            owner = fixtures.patient_of(KNOWN.get(reference, {}))
            if patient and owner not in (None, patient):
                strangers.append((place, reference))
    assert strangers == []


def test_identifiers_are_under_made_up_addresses():
    for reference, resource in KNOWN.items():
        for identifier in resource.get("identifier", []):
            assert ".example/" in identifier["system"], reference


# ---------------------------------------------------------------- the hook requests


@pytest.mark.parametrize("file", HOOKS)
def test_hook_request_is_whole(file: str):
    body = load(file)
    assert body["hook"] in ("order-sign", "order-select")
    context = body["context"]
    assert f"Patient/{context['patientId']}" in KNOWN
    assert context["userId"] in KNOWN
    if "encounterId" in context:
        assert f"Encounter/{context['encounterId']}" in KNOWN
    drafted = {f"{r['resourceType']}/{r['id']}" for r in embedded(context["draftOrders"])}
    if body["hook"] == "order-select":
        assert context["selections"] and set(context["selections"]) <= drafted
    assert set(body.get("prefetch", {})) <= PREFETCH_KEYS


@pytest.mark.parametrize("file", HOOKS)
def test_hook_request_holds_the_fixtures_themselves(file: str):
    """What a request embeds is the file of that name, so that the two cannot drift apart."""
    for resource in embedded(load(file)):
        if resource["resourceType"] != "OperationOutcome":
            assert resource == KNOWN[f"{resource['resourceType']}/{resource['id']}"]


@pytest.mark.parametrize("file", HOOKS)
def test_hook_request_is_about_one_patient(file: str):
    body = load(file)
    for resource in embedded(body):
        assert fixtures.patient_of(resource) in (None, f"Patient/{body['context']['patientId']}")


@pytest.mark.parametrize("file", HOOKS)
def test_bundles_of_a_hook_request_are_valid_r4(file: str):
    body = load(file)
    bundles = [body["context"]["draftOrders"], *body.get("prefetch", {}).values()]
    for bundle in filter(None, bundles):  # null: asked, and nothing was there
        get_fhir_model_class(bundle["resourceType"]).model_validate(bundle)


def test_hook_instances_are_unique():
    bodies = [load(file) for file in ON_DISK if file.startswith("hook_requests/")]
    instances = Counter(body["hookInstance"] for body in bodies)
    assert [value for value, times in instances.items() if times > 1] == []


# ---------------------------------------------------------------- reading them


def test_reader_finds_by_name_kind_and_id():
    assert fixtures.path("clean-asthma").parent.name == "hook_requests"
    assert fixtures.path("orders/seed-claim-j2356-jn.json").is_file()
    assert fixtures.order("seed-claim-j2356-jn")["resourceType"] == "Claim"
    assert fixtures.resource("Patient", "pat-ada-winterbourne")["name"][0]["given"] == ["Ada"]
    assert fixtures.hook_request("clean-asthma")["hook"] == "order-sign"
    assert "clean-asthma" in fixtures.names("hook_requests")


def test_reader_says_what_is_not_there():
    with pytest.raises(KeyError, match="0 fixtures"):
        fixtures.path("no-such-order")
    with pytest.raises(KeyError, match="Patient/nobody"):
        fixtures.patient_everything("nobody")


def test_everything_of_a_patient_is_closed_under_references():
    everything = fixtures.patient_everything("pat-prudence-inkwell", drafts=True)
    keys = [f"{r['resourceType']}/{r['id']}" for r in everything]
    assert len(keys) == len(set(keys))
    assert keys[0] == "Patient/pat-prudence-inkwell"
    assert "MedicationAdministration/adm-prudence-inkwell-waste-charted" in keys
    assert "ChargeItem/charge-for-waste-charted" in keys
    assert "Organization/org-payer-medicare" in keys
    assert {r for x in everything for r in fixtures.references(x) if r[0] != "#"} <= set(keys)


def test_chart_leaves_drafts_out_unless_asked():
    kinds = {r["resourceType"] for r in fixtures.patient_everything("pat-ada-winterbourne")}
    assert "Claim" not in kinds and "ServiceRequest" not in kinds


# ---------------------------------------------------------------- moving them to another day


def dates(node: Any, element: str = "") -> list[str]:
    """Every text of a JSON tree that is as long as a date and starts like one."""
    if isinstance(node, dict):
        return [d for key, value in node.items() for d in dates(value, key)]
    if isinstance(node, list):
        return [d for value in node for d in dates(value, element)]
    is_date = isinstance(node, str) and node[:2] == "20" and node[4:5] == "-" and node[7:8] == "-"
    return [node] if is_date and element not in ("birthDate", "code") else []


@pytest.mark.parametrize("file", RESOURCES)
def test_every_date_of_a_resource_moves_by_the_days_asked(file: str):
    before = load(file)
    after = fixtures.moved(before, 40)
    assert before == load(file)
    for old, new in zip(dates(before), dates(after), strict=True):
        assert date.fromisoformat(new[:10]) - date.fromisoformat(old[:10]) == timedelta(40)
        assert new[10:] == old[10:]
    assert fixtures.moved(after, -40) == before


def test_birth_dates_codes_and_texts_do_not_move():
    resource = {
        "birthDate": "2001-01-01",
        "code": {"coding": [{"code": "2026-11-23"}], "text": "2026-11-23"},
        "identifier": [{"value": "2026-11-23"}],
        "note": [{"text": "seen on 2026-11-23"}],
    }
    assert fixtures.moved(resource, 9) == {**resource}


def test_a_month_moves_with_its_middle_and_a_year_alone_stays():
    assert fixtures.moved({"onsetDateTime": "2024-02"}, 20) == {"onsetDateTime": "2024-03"}
    assert fixtures.moved({"onsetDateTime": "2024"}, 400) == {"onsetDateTime": "2024"}


def test_what_is_no_day_of_the_calendar_stays():
    for text in ("2026-02-30", "9999-12-31", "tomorrow", ""):
        assert fixtures.moved({"date": text}, 1) == {"date": text}


def test_the_charts_were_written_around_the_day_they_say():
    drafted = [
        load(f)["authoredOn"][:10]
        for f in RESOURCES
        if f.startswith("orders/") and "authoredOn" in load(f)
    ]
    newest = max(date.fromisoformat(day) for day in drafted)
    assert abs(newest - fixtures.WRITTEN_ON) <= timedelta(7)


def test_fixtures_stay_small():
    total = sum((fixtures.HERE / file).stat().st_size for file in ON_DISK)
    assert total < 2_500_000
