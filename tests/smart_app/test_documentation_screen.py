"""Screen "Complete the documentation": entered, saved, read again; nothing typed is ever lost."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from billing_rules.catalogue import Catalogue
from sandbox_ehr.moods import Answer, Raw, Reply, Request
from smart_app.forms.saved_forms import SENDING_TAKES, SavedForms
from smart_app.launch.store import FORMS_KEPT
from tests.smart_app.form_site import (
    EDMUND,
    WINDOW,
    FormSite,
    fields_of,
    follow,
    form_site,
    text_of,
)

IGE = {
    "total-ige.0.value": "350",
    "total-ige.0.value.unit": "kU/L",
    "total-ige.0.date": "2026-01-10",
    "action": "save",
}


@pytest.fixture
def site(catalogue: Catalogue, tmp_path: Path) -> Iterator[FormSite]:
    with form_site(catalogue, tmp_path, *EDMUND) as made:
        yield made


def address(site: FormSite, path: str = "documentation", window: str = WINDOW) -> str:
    return f"/w/{window}/{path}?order={site.order}"


def opened(site: FormSite, client: Any) -> dict[str, str]:
    shown = client.get(address(site))
    assert shown.status_code == 200
    return fields_of(shown.text)


def send(site: FormSite, client: Any, **changes: str) -> Any:
    return client.post(address(site), data={**opened(site, client), **IGE, **changes})


def test_an_ige_that_was_entered_makes_the_worksheet_green(site: FormSite) -> None:
    client = site.client()
    before = text_of(client.get(address(site)).text)
    assert "No total IgE result is on file" in before
    told = text_of(follow(client, send(site, client)))
    assert "The documentation is saved" in told and "Total IgE Missing On file new" in told
    after = text_of(client.get(address(site)).text)
    assert "Nothing is missing." in after and "350 kU/L of 2026-01-10" in after


def test_everything_that_is_written_is_valid_and_says_what_it_is(site: FormSite) -> None:
    client = site.client()
    follow(client, send(site, client, **{"total-ige.0.laboratory": "Hilltop Laboratory"}))
    kinds = [r["resourceType"] for r in site.ehr.created]
    assert kinds == ["QuestionnaireResponse", "Observation", "DocumentReference"]
    for resource in site.ehr.created:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        assert resource["subject"] == {"reference": "Patient/pat-edmund-larkwhistle"}
    (ige,) = site.ehr.of("Observation")
    assert ige["valueQuantity"]["code"] == "kU/L" and ige["performer"][0]["display"]
    (note,) = site.ehr.of("DocumentReference")
    text = base64.b64decode(note["content"][0]["attachment"]["data"]).decode()
    assert "350 kU/L" in text and "Hilltop Laboratory" in text
    (answers,) = site.ehr.of("QuestionnaireResponse")
    origins = {
        item["linkId"]: item["answer"][0]["extension"][0]["extension"][0]["valueCode"]
        for group in answers["item"]
        for item in group["item"]
    }
    assert origins["total-ige.value"] == "manual" and origins["weight.value"] == "auto"


def test_faults_stand_at_the_top_and_at_their_fields_and_nothing_is_lost(site: FormSite) -> None:
    client = site.client()
    wrong = {
        "total-ige.0.value": "1,5",
        "total-ige.0.value.unit": "",
        "total-ige.0.date": "2027-01-01",
        "total-ige.0.laboratory": "<b>Hilltop</b>",
        "note.0.words": "x" * 10_000,
        "weight.0.value": "-3",
    }
    answer = send(site, client, **wrong)
    assert answer.status_code == 422 and not site.ehr.created
    words = text_of(answer.text)
    for part in (
        "5 answers need another look",
        "write decimals with a point",
        "is in the future",
        "holds markup",
        "10,000 characters; 4,000 fit",
        "more than 0",
    ):
        assert part in words, part
    again = fields_of(answer.text)
    assert {name: again[name] for name in wrong} == wrong
    assert 'href="#total-ige-0-value"' in answer.text and 'aria-invalid="true"' in answer.text
    assert "<b>Hilltop" not in answer.text


def test_a_doubtful_weight_is_asked_about_and_taken_when_confirmed(site: FormSite) -> None:
    client = site.client()
    doubtful = {"weight.0.value": "141", "weight.0.value.unit": "kg", "weight.0.date": "2026-11-24"}
    answer = send(site, client, **doubtful)
    assert answer.status_code == 422 and "pounds and kilograms" in text_of(answer.text)
    assert 'name="weight.0.value.sure" value="141 kg"' in answer.text
    again = {**fields_of(answer.text), "weight.0.value.sure": "141 kg", "action": "save"}
    follow(client, client.post(address(site), data=again))
    assert any(r["valueQuantity"]["value"] == 141 for r in site.ehr.of("Observation"))


def test_nothing_entered_is_nothing_saved(site: FormSite) -> None:
    client = site.client()
    answer = client.post(address(site), data={**opened(site, client), "action": "save"})
    assert answer.status_code == 422 and "Nothing was entered or changed" in text_of(answer.text)
    assert not site.ehr.created


def test_another_row_is_added_without_losing_what_was_typed(site: FormSite) -> None:
    client = site.client()
    answer = send(site, client, action="add:past-dose")
    assert answer.status_code == 200 and "past-dose.1.date" in fields_of(answer.text)
    assert fields_of(answer.text)["total-ige.0.value"] == "350"
    assert not site.ehr.created


# ---------------------------------------------------------------- where the EHR refuses


def test_without_write_scopes_everything_is_a_note_to_paste(site: FormSite) -> None:
    site.open("pat-edmund-larkwhistle", "patient/*.rs", "00112233445566aa")
    client = site.client("00112233445566aa")
    place = address(site, window="00112233445566aa")
    data = {**fields_of(client.get(place).text), **IGE}
    shown = follow(client, client.post(place, data=data))
    words = text_of(shown)
    assert "Not saved Total IgE: this sign-in does not allow it." in words
    assert "print it, or copy it into the chart" in words
    assert 'id="note" readonly' in shown and "350 kU/L" in shown and "data-copy" in shown
    assert not site.ehr.created


def test_an_ehr_that_takes_no_answers_still_takes_results(site: FormSite) -> None:
    site.ehr.refuse["QuestionnaireResponse"] = Reply(
        {"resourceType": "OperationOutcome", "issue": [{"code": "not-supported"}]}, 422
    )
    client = site.client()
    words = text_of(follow(client, send(site, client)))
    assert "Not saved The answers to this form" in words and "not-supported" in words
    assert "Saved Total IgE" in words and "Total IgE Missing On file new" in words


def test_a_busy_ehr_keeps_the_draft_and_the_next_try_writes_only_the_rest(site: FormSite) -> None:
    site.ehr.refuse["Observation"] = Reply({}, 503, {"Retry-After": "0"})
    client = site.client()
    words = text_of(follow(client, send(site, client)))
    assert "the EHR is too busy" in words and "Try again" in words
    assert [r["resourceType"] for r in site.ehr.created] == [
        "QuestionnaireResponse",
        "DocumentReference",
    ]
    del site.ehr.refuse["Observation"]
    again = opened(site, client)
    assert again["total-ige.0.value"] == "350", "what was typed is back"
    words = text_of(follow(client, client.post(address(site), data={**again, "action": "save"})))
    assert "The documentation is saved" in words
    assert len(site.ehr.created) == 3 and len(site.ehr.of("Observation")) == 1


def test_after_a_cut_line_the_ehr_is_asked_before_anything_is_sent_again(site: FormSite) -> None:
    """It was written, and the answer got lost: the second try finds it."""

    def written_and_lost(request: Request, answer: Answer) -> Raw:
        site.ehr.kept(request, answer)
        return Raw()

    site.ehr.refuse["Observation"] = written_and_lost
    client = site.client()
    words = text_of(follow(client, send(site, client)))
    assert "Not known Total IgE: it may be saved or not" in words
    del site.ehr.refuse["Observation"]
    again = {**opened(site, client), "action": "save"}
    words = text_of(follow(client, client.post(address(site), data=again)))
    assert "The documentation is saved" in words and len(site.ehr.of("Observation")) == 1


def test_a_sign_in_that_runs_out_while_saving_keeps_everything(site: FormSite) -> None:
    for kind in ("QuestionnaireResponse", "Observation", "DocumentReference"):
        site.ehr.refuse[kind] = Reply({}, 401)
    client = site.client()
    words = text_of(follow(client, send(site, client)))
    assert "Open the app again from the patient's chart" in words
    assert opened(site, client)["total-ige.0.value"] == "350"


# ---------------------------------------------------------------- kept, sent once


def test_what_is_typed_is_kept_while_it_is_typed(site: FormSite) -> None:
    client = site.client()
    data = {**opened(site, client), **IGE, "total-ige.0.value": "35"}
    kept = client.post(address(site, "documentation/draft"), data=data)
    assert kept.status_code == 200 and "not saved in the EHR yet" in kept.text
    shown = client.get(address(site))
    assert "What you typed before is back" in text_of(shown.text)
    assert fields_of(shown.text)["total-ige.0.value"] == "35"
    thrown = client.post(address(site), data={**fields_of(shown.text), "action": "discard"})
    assert fields_of(follow(client, thrown))["total-ige.0.value"] == ""


def test_what_is_sent_into_an_ended_window_is_there_after_the_next_launch(site: FormSite) -> None:
    client = site.client()
    data = {**opened(site, client), **IGE}
    site.store.end(WINDOW)
    late = client.post(address(site), data=data)
    assert late.status_code == 401
    assert "What you typed is kept" in text_of(late.text) and not site.ehr.created
    site.open("pat-edmund-larkwhistle", id_="00112233445566bb")
    again = site.client("00112233445566bb")
    shown = again.get(address(site, window="00112233445566bb"))
    assert fields_of(shown.text)["total-ige.0.value"] == "350"


def test_a_draft_is_for_its_user_alone_and_for_a_while(site: FormSite) -> None:
    client = site.client()
    client.post(address(site, "documentation/draft"), data={**opened(site, client), **IGE})
    site.open("pat-edmund-larkwhistle", id_="00112233445566cc", owner="o" * 64)
    other = site.client("00112233445566cc").get(address(site, window="00112233445566cc"))
    assert fields_of(other.text)["total-ige.0.value"] == ""
    site.clock[0] = FORMS_KEPT + timedelta(minutes=1)
    site.open("pat-edmund-larkwhistle", id_="00112233445566dd")
    later = site.client("00112233445566dd").get(address(site, window="00112233445566dd"))
    assert fields_of(later.text)["total-ige.0.value"] == ""


def test_nothing_typed_stands_readable_in_the_database_or_the_log(
    site: FormSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = site.client()
    canary = {"total-ige.0.laboratory": "Canarybird Laboratory"}
    follow(client, send(site, client, **canary))
    client.post(address(site, "documentation/draft"), data={**opened(site, client), **canary})
    site.store.engine.dispose()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("app.sqlite*"))
    assert b"Canarybird" not in stored and b"edmund" not in stored
    ours = [r for r in caplog.records if r.name.startswith(("smart_app", "ehr_access", "urllib3"))]
    assert any("form sent" in r.getMessage() for r in ours)
    logged = " ".join(str(vars(record)) for record in ours)
    assert "Canarybird" not in logged and "edmund" not in logged


def test_a_second_click_writes_nothing_twice(site: FormSite) -> None:
    client = site.client()
    data = {**opened(site, client), **IGE}
    first = client.post(address(site), data=data)
    second = client.post(address(site), data=data)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(site.ehr.created) == 3


def test_a_form_that_is_being_saved_is_not_sent_a_second_time(site: FormSite) -> None:
    client = site.client()
    data = {**opened(site, client), **IGE}
    kept = SavedForms.of(site.store)
    order = kept.order_key("practice", "pat-edmund-larkwhistle", site.order, "documentation")
    kept.claim(data["form_key"], order)
    answer = client.post(address(site), data=data)
    assert answer.status_code == 409 and "being saved at this moment" in text_of(answer.text)
    assert not site.ehr.created and fields_of(answer.text)["total-ige.0.value"] == "350"
    site.clock[0] = SENDING_TAKES
    follow(client, client.post(address(site), data={**fields_of(answer.text), "action": "save"}))
    assert len(site.ehr.created) == 3, "a send that was cut off is finished by the next"


def test_back_and_other_answers_are_not_taken_for_a_second_click(site: FormSite) -> None:
    client = site.client()
    data = {**opened(site, client), **IGE}
    follow(client, client.post(address(site), data=data))
    answer = client.post(address(site), data={**data, "total-ige.0.value": "360"})
    assert answer.status_code == 422 and "saved meanwhile" in text_of(answer.text)
    again = {**fields_of(answer.text), "action": "save"}
    follow(client, client.post(address(site), data=again))
    assert [o["valueQuantity"]["value"] for o in site.ehr.of("Observation")] == [350, 360]


def test_two_windows_with_the_same_form_the_second_is_told(site: FormSite) -> None:
    site.open("pat-edmund-larkwhistle", id_="00112233445566ee", owner="p" * 64)
    one, two = site.client(), site.client("00112233445566ee")
    place = address(site, window="00112233445566ee")
    data, other = opened(site, one), fields_of(two.get(place).text)
    follow(one, one.post(address(site), data={**data, **IGE}))
    answer = two.post(place, data={**other, **IGE, "total-ige.0.value": "360"})
    assert answer.status_code == 422 and "saved meanwhile" in text_of(answer.text)
    assert len(site.ehr.created) == 3
    again = {**fields_of(answer.text), "action": "save"}
    assert again["total-ige.0.value"] == "360", "and is still here"
    follow(two, two.post(place, data=again))
    assert len(site.ehr.of("Observation")) == 2, "what is wanted all the same is saved"


def test_a_form_without_the_windows_token_is_refused(site: FormSite) -> None:
    client = site.client()
    data = {k: v for k, v in opened(site, client).items() if k != "csrf_token"}
    assert client.post(address(site), data={**data, **IGE}).status_code == 400
    assert not site.ehr.created


def test_saving_does_not_outlast_a_slow_ehr(site: FormSite) -> None:
    def hang(request: Request, answer: Answer) -> Raw:
        time.sleep(8)
        return Raw()

    site.ehr.refuse["Observation"] = hang
    client = site.client()
    began = time.monotonic()
    words = text_of(follow(client, send(site, client)))
    assert "Not known Total IgE" in words and time.monotonic() - began < 8


@pytest.mark.parametrize("key", ["", "x", "../../etc", "0" * 33, "A" * 32])
def test_a_form_key_that_is_not_ours_is_replaced(site: FormSite, key: str) -> None:
    client = site.client()
    answer = send(site, client, form_key=key)
    assert answer.status_code == 303 and len(site.ehr.created) == 3
    assert client.get(f"/w/{WINDOW}/documentation/saved/{'0' * 32}?order={site.order}").status_code
