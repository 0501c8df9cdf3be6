"""Screen "Close-out": the answer while one types, contradictions, and the records written."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

import fixtures
from billing_rules.catalogue import Catalogue
from sandbox_ehr.moods import Reply
from tests.smart_app.form_site import (
    TWO_VIALS,
    WINDOW,
    FormSite,
    fields_of,
    follow,
    form_site,
    text_of,
)

GIVEN = {
    "given.0.date": "2026-11-24",
    "given.0.dose": "225",
    "given.0.route": "subcutaneous",
    "opened.0.container": "50242004062",
    "opened.0.count": "2",
    "opened.0.lot": "FX362P",
    "opened.0.expires": "2028-04-30",
    "discarded.0.amount": "75",
    "discarded.0.reason": "rest",
    "discarded.0.witness": "Ada Quill, RN",
    "injection.0.sites": "left upper arm, right upper arm",
    "injection.0.from": "10:05",
    "injection.0.to": "12:05",
    "action": "save",
}


@pytest.fixture
def site(catalogue: Catalogue, tmp_path: Path) -> Iterator[FormSite]:
    with form_site(catalogue, tmp_path, *TWO_VIALS, without=("MedicationAdministration",)) as made:
        yield made


def address(site: FormSite, path: str = "close-out") -> str:
    return f"/w/{WINDOW}/{path}?order={site.order}"


def opened(site: FormSite, client: Any) -> dict[str, str]:
    shown = client.get(address(site))
    assert shown.status_code == 200, text_of(shown.text)
    return fields_of(shown.text)


def send(site: FormSite, client: Any, **changes: str) -> Any:
    return client.post(address(site), data={**opened(site, client), **GIVEN, **changes})


def test_a_dose_is_closed_out_with_jw_and_the_ehr_says_the_same(site: FormSite) -> None:
    client = site.client()
    words = text_of(follow(client, send(site, client)))
    assert "The dose is closed out" in words
    assert "J2357 x 45 J2357-JW x 15" in words
    assert "the EHR's own records give the same claim lines" in words
    dose, waste = site.ehr.of("MedicationAdministration")
    for resource in site.ehr.created:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    assert dose["contained"][0]["batch"] == {"lotNumber": "FX362P", "expirationDate": "2028-04-30"}
    assert dose["note"][0]["text"] == "Observed 10:05 to 12:05."
    assert dose["request"]["reference"] == site.order
    assert waste["status"] == "not-done" and "Ada Quill" in waste["note"][0]["text"]


def test_the_answer_comes_while_one_types_without_asking_the_ehr(site: FormSite) -> None:
    client = site.client()
    data = {**opened(site, client), **GIVEN}
    asked = len(site.ehr.server.asked)
    shown = client.post(address(site, "close-out/answer"), data=data)
    assert "JW : 300 mg opened for 225 mg discards 75 mg" in text_of(shown.text)
    none = client.post(address(site, "close-out/answer"), data={**data, "discarded.0.amount": "0"})
    assert "Neither JW nor JZ can be said yet" in text_of(none.text)
    half = client.post(address(site, "close-out/answer"), data={**data, "given.0.dose": "2"})
    assert "The dose is reached without it" in text_of(half.text)
    part = client.post(address(site, "close-out/answer"), data={**data, "given.0.dose": "two"})
    assert "Enter day, dose and containers" in text_of(part.text)
    assert len(site.ehr.server.asked) == asked and not site.ehr.created


def test_the_answer_comes_by_a_button_without_javascript(site: FormSite) -> None:
    client = site.client()
    shown = send(site, client, action="check")
    assert shown.status_code == 200 and "JW : 300 mg opened" in text_of(shown.text)
    assert not site.ehr.created


def test_what_does_not_fit_together_is_saved_only_when_confirmed(site: FormSite) -> None:
    client = site.client()
    answer = send(site, client, **{"opened.0.expires": "2026-11-01"})
    assert answer.status_code == 422 and not site.ehr.created
    assert "expired on 2026-11-01" in text_of(answer.text)
    start = answer.text.index('name="confirmed" value="') + len('name="confirmed" value="')
    confirmed = answer.text[start : answer.text.index('"', start)]
    again = {**fields_of(answer.text), "action": "save", "confirmed": confirmed}
    other = client.post(address(site), data={**again, "discarded.0.amount": "70"})
    assert other.status_code == 422, "of that contradiction only"
    follow(client, client.post(address(site), data=again))
    assert len(site.ehr.of("MedicationAdministration")) == 2


def test_a_rest_that_is_not_charted_never_becomes_jz(site: FormSite) -> None:
    client = site.client()
    answer = send(site, client, **{"discarded.0.amount": ""})
    assert answer.status_code == 422
    assert "no discarded amount is charted" in text_of(answer.text)
    assert "JZ" not in text_of(answer.text).replace("Neither JW nor JZ can be said yet", "")


def test_what_is_charted_as_it_happened_with_an_open_rest_has_no_lines(site: FormSite) -> None:
    client = site.client()
    answer = send(site, client, **{"discarded.0.amount": ""})
    start = answer.text.index('name="confirmed" value="') + len('name="confirmed" value="')
    confirmed = unescape(answer.text[start : answer.text.index('"', start)])
    again = {**fields_of(answer.text), "action": "save", "confirmed": confirmed}
    words = text_of(follow(client, client.post(address(site), data=again)))
    assert "None yet: JW or JZ is still open" in words and "J2357 x 45" not in words
    assert "none yet: 75 mg of 300 mg was not given" in words
    assert len(site.ehr.of("MedicationAdministration")) == 1


def test_what_no_record_could_say_cannot_be_confirmed(site: FormSite) -> None:
    client = site.client()
    for wrong in (
        {"opened.0.count": "3", "discarded.0.amount": "225"},
        {"opened.0.container": "other", "opened.0.other": "00173-0892-01"},
    ):
        answer = send(site, client, **wrong, confirmed="anything")
        assert answer.status_code == 422 and not site.ehr.created
        assert "settle what is said above first" in text_of(answer.text)


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("given.0.date", "2026-11-25", "is in the future"),
        ("given.0.dose", "225 mg", "choose the unit"),
        ("given.0.dose", "0", "more than 0"),
        ("opened.0.count", "0", "from 1 to 999"),
        ("opened.0.count", "two", "from 1 to 999"),
        ("opened.0.lot", "FX\u202e1", "Invisible characters"),
        ("injection.0.to", "09:00", "before the beginning"),
        ("injection.0.from", "ten", "is no time"),
        ("discarded.0.witness", "x" * 10_000, "10,000 characters"),
    ],
)
def test_each_fault_is_a_sentence_at_its_field(
    site: FormSite, field: str, text: str, words: str
) -> None:
    client = site.client()
    answer = send(site, client, **{field: text})
    assert answer.status_code == 422 and not site.ehr.created
    assert words in text_of(answer.text)
    assert fields_of(answer.text)["opened.0.expires"] == "2028-04-30"


def test_several_lots_are_several_records_of_one_dose(site: FormSite) -> None:
    client = site.client()
    more = send(site, client, action="add:opened", **{"opened.0.count": "1"})
    row = {"opened.1.container": "50242004062", "opened.1.count": "1", "opened.1.lot": "FX400"}
    data = {**fields_of(more.text), **row, "action": "save"}
    words = text_of(follow(client, client.post(address(site), data=data)))
    assert "Saved The record of the dose, lot FX362P" in words and "lot FX400" in words
    assert "the EHR's own records give the same claim lines" in words
    assert len(site.ehr.of("MedicationAdministration")) == 3


def test_where_the_ehr_takes_no_administrations_the_note_has_it_all(site: FormSite) -> None:
    site.ehr.refuse["MedicationAdministration"] = Reply({}, 403)
    client = site.client()
    shown = follow(client, send(site, client))
    words = text_of(shown)
    assert "Not saved The record of the dose, lot FX362P: the EHR did not permit it." in words
    assert "Saved The note on the dose" in words
    for part in (
        "Dose given: 225 mg",
        "2 x 150 mg vials, NDC 50242-040-62, lot FX362P",
        "Discarded: 75 mg (rest of a single-dose container), witnessed by Ada Quill, RN",
        "J2357-JW x 15",
    ):
        assert part in words, part


def test_a_second_click_charts_no_second_dose(site: FormSite) -> None:
    client = site.client()
    data = {**opened(site, client), **GIVEN}
    client.post(address(site), data=data)
    client.post(address(site), data=data)
    assert len(site.ehr.of("MedicationAdministration")) == 2


# ---------------------------------------------------------------- a dose that is charted already


@pytest.fixture
def charted(catalogue: Catalogue, tmp_path: Path) -> Iterator[FormSite]:
    """The EHR has the dose of today, as a nurse charts it: without containers and waste."""
    with form_site(catalogue, tmp_path, *TWO_VIALS, without=("MedicationAdministration",)) as made:
        record = fixtures.load("adm-prudence-inkwell-waste-charted")
        record = {k: v for k, v in record.items() if k != "supportingInformation"}
        record |= {
            "id": "given-today",
            "meta": {"versionId": "1"},
            "effectiveDateTime": "2026-11-24T10:05:00-06:00",
            "subject": {"reference": "Patient/pat-bartholomew-quince"},
        }
        made.ehr.server.records.update(record)
        yield made


def test_a_charted_dose_fills_the_form_and_is_not_charted_again(charted: FormSite) -> None:
    client = charted.client()
    filled = opened(charted, client)
    assert filled["given.0.dose"] == "225" and filled["given.0.date"] == "2026-11-24"
    assert filled["opened.0.lot"] == "FX362P" and filled["injection.0.sites"] == "left upper arm"
    rest = {k: GIVEN[k] for k in GIVEN if k.startswith(("opened", "discarded", "action"))}
    words = text_of(follow(client, client.post(address(charted), data={**filled, **rest})))
    assert "Saved The containers on the charted dose" in words
    assert "Saved The record of the discarded amount" in words
    assert "the EHR's own records give the same claim lines" in words
    (waste,) = charted.ehr.of("MedicationAdministration")
    assert waste["status"] == "not-done"
    record = next(r for r in charted.ehr.held if r["id"] == "given-today")
    assert record["dosage"]["dose"]["value"] == 225 and record["meta"]["versionId"] == "2"


def test_a_charted_dose_that_changed_meanwhile_is_not_overwritten(charted: FormSite) -> None:
    client = charted.client()
    filled = opened(charted, client)
    rest = {k: GIVEN[k] for k in GIVEN if k.startswith(("opened", "discarded", "action"))}
    path = "PUT /fhir/MedicationAdministration/given-today"
    charted.ehr.server.replies[path] = Reply({}, 412)
    words = text_of(follow(client, client.post(address(charted), data={**filled, **rest})))
    assert "Not saved The containers on the charted dose: somebody changed the record" in words
    assert "Saved The record of the discarded amount" in words


def test_another_dose_than_charted_is_asked_about(charted: FormSite) -> None:
    client = charted.client()
    filled = opened(charted, client)
    changes = {**GIVEN, "given.0.dose": "150", "opened.0.count": "1", "discarded.0.amount": "0"}
    answer = client.post(address(charted), data={**filled, **changes})
    assert answer.status_code == 422 and not charted.ehr.created
    assert "225 mg is charted in the EHR" in text_of(answer.text)
