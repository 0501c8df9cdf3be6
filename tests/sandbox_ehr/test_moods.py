"""The moods of the FHIR server's answers, each as a client meets it over HTTP."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

import fixtures
from sandbox_ehr import moods
from sandbox_ehr.moods import ACTS, Mood, Raw, Reply, cut, small_pages, waits
from tests.practice_ehr import Ehr, practice_ehr

ADA = "pat-ada-winterbourne"
SEARCH = f"Observation?patient={ADA}"


@pytest.fixture
def ehr() -> Any:
    with practice_ehr(fixtures.patient_everything(ADA)) as started:
        yield started


def get(ehr: Ehr, path: str = SEARCH, **how: Any) -> requests.Response:
    return requests.get(f"{ehr.url}/{path}", timeout=10, **how)


def post(ehr: Ehr, resource: dict[str, Any], **headers: str) -> requests.Response:
    headers["Content-Type"] = "application/fhir+json"
    kind = resource["resourceType"]
    return requests.post(f"{ehr.url}/{kind}", json.dumps(resource), headers=headers, timeout=10)


def test_well_it_answers_from_its_chart(ehr: Ehr) -> None:
    assert get(ehr).json()["total"] == len(ehr.held("Observation")) > 2
    assert ehr.asked == [f"/fhir/{SEARCH}"]


@pytest.mark.parametrize(
    ("mood", "status"),
    [
        (Mood.FAILING, 500),
        (Mood.UNAVAILABLE, 503),
        (Mood.BUSY, 429),
        (Mood.NOT_PERMITTED, 401),
        (Mood.REDIRECTS, 302),
    ],
)
def test_a_status_stands_in_place_of_every_answer(ehr: Ehr, mood: Mood, status: int) -> None:
    ehr.be(mood)
    for path in (SEARCH, f"Patient/{ADA}"):
        assert get(ehr, path, allow_redirects=False).status_code == status
    assert get(ehr, "metadata").status_code == 200, "what it declares is said in every mood"
    ehr.be()
    assert get(ehr).status_code == 200


@pytest.mark.parametrize("mood", [Mood.HALF_ANSWERS, Mood.CLOSED_CONNECTIONS])
def test_a_cut_line_is_an_error_of_the_connection(ehr: Ehr, mood: Mood) -> None:
    ehr.be(mood)
    with pytest.raises(requests.RequestException):
        get(ehr)


def test_a_dripping_answer_comes_but_is_never_whole(ehr: Ehr) -> None:
    ehr.be(Mood.DRIPPING)
    answer = get(ehr, stream=True)
    assert answer.status_code == 200 and next(answer.iter_content(1)) == b" "
    answer.close()


def test_busy_once_has_an_answer_the_second_time(ehr: Ehr) -> None:
    ehr.be(Mood.BUSY_ONCE)
    first = get(ehr)
    assert first.status_code == 429 and first.headers["Retry-After"] == "1"
    assert get(ehr).json()["resourceType"] == "Bundle"


def test_small_pages_lead_to_all_of_it(ehr: Ehr) -> None:
    ehr.be(Mood.SMALL_PAGES)
    found, url = 0, f"{ehr.url}/{SEARCH}"
    while url:
        page = requests.get(url, timeout=10).json()
        assert len(page["entry"]) <= 2
        found += len(page["entry"])
        url = next((x["url"] for x in page["link"] if x["relation"] == "next"), "")
    assert found == len(ehr.held("Observation"))


def test_endless_pages_name_a_next_one_each_time(ehr: Ehr) -> None:
    ehr.be(Mood.ENDLESS_PAGES)
    first = get(ehr).json()
    second = get(ehr, first["link"][0]["url"]).json()
    assert second["link"][0]["url"] != first["link"][0]["url"]


def test_bodies_that_are_not_what_they_are_called(ehr: Ehr) -> None:
    ehr.be(Mood.WRONG_CONTENT_TYPE)
    assert get(ehr).headers["Content-Type"] == "text/html" and get(ehr).json()
    ehr.be(Mood.LOGIN_PAGE)
    assert get(ehr).text.startswith("<html>") and "fhir" in get(ehr).headers["Content-Type"]
    ehr.be(Mood.OUTCOMES)
    assert get(ehr).json()["resourceType"] == "OperationOutcome"
    ehr.be(Mood.BIG_ANSWERS)
    assert len(get(ehr).content) > 8_000_000 and get(ehr).json()["resourceType"] == "Bundle"
    ehr.hold([{"resourceType": "Patient", "id": ADA, "name": [{"family": "Müller"}]}])
    ehr.be(Mood.LATIN_1)
    assert "Müller".encode("latin-1") in get(ehr, f"Patient/{ADA}").content


def test_search_parameters_that_change_nothing_or_too_much(ehr: Ehr) -> None:
    def order() -> list[str]:
        found = get(ehr, f"{SEARCH}&_sort=-date").json()["entry"]
        return [entry["resource"]["id"] for entry in found]

    newest_first = order()
    ehr.be(Mood.IGNORES_SORT)
    assert sorted(order()) == sorted(newest_first) and order() != newest_first
    ehr.be(Mood.IGNORES_TAG)
    assert get(ehr, "Patient?_tag=x|y").json()["total"] == 1
    ehr.be(Mood.STRICT_SEARCH)
    assert get(ehr, f"{SEARCH}&colour=red").status_code == 400
    ehr.be()
    assert get(ehr, f"{SEARCH}&colour=red").status_code == 200
    assert get(ehr, "Patient?_tag=x|y").json()["total"] == 0


NOTE = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "IgE"},
    "subject": {"reference": f"Patient/{ADA}"},
    "identifier": [{"system": "urn:x", "value": "1"}],
}


def test_writes_that_are_refused_or_kept_behind_an_error(ehr: Ehr) -> None:
    before = len(ehr.held("Observation"))
    ehr.be(Mood.READ_ONLY)
    assert post(ehr, NOTE).status_code == 405 and len(ehr.held("Observation")) == before
    assert get(ehr).status_code == 200
    ehr.be(Mood.STORED_THEN_503)
    assert post(ehr, NOTE).status_code == 503 and len(ehr.held("Observation")) == before + 1


def test_conditional_create_makes_a_copy_where_it_is_not_offered(ehr: Ehr) -> None:
    once = {"If-None-Exist": "identifier=urn:x|1"}
    assert post(ehr, NOTE, **once).status_code == 201
    assert post(ehr, NOTE, **once).status_code == 200
    ehr.be(Mood.NO_CONDITIONAL_CREATE)
    assert post(ehr, NOTE, **once).status_code == 201


def test_ids_of_the_client_are_refused_and_what_is_there_is_changed(ehr: Ehr) -> None:
    def put(id_: str) -> int:
        body = json.dumps({**NOTE, "id": id_})
        headers = {"Content-Type": "application/fhir+json"}
        url = f"{ehr.url}/Observation/{id_}"
        return requests.put(url, body, headers=headers, timeout=10).status_code

    there = ehr.held("Observation")[0]["id"]
    ehr.be(Mood.OWN_IDS)
    assert (put("mine"), put(there)) == (405, 200)
    ehr.be(Mood.NO_UPDATES)
    assert put(there) == 405


def test_moods_are_put_one_around_the_other(ehr: Ehr) -> None:
    ehr.be(waits(0.3), Mood.WRONG_CONTENT_TYPE, small_pages(1))
    began = time.monotonic()
    answer = get(ehr)
    assert time.monotonic() - began >= 0.3
    assert answer.headers["Content-Type"] == "text/html" and len(answer.json()["entry"]) == 1


def test_exactly_these_bytes_are_sent(ehr: Ehr) -> None:
    ehr.replies["/fhir/Patient/1"] = Raw((b"HTTP/1.1 299 Odd\r\nX: y\r\n\r\n", b"not FHIR"))
    odd = get(ehr, "Patient/1")
    assert (odd.status_code, odd.headers["X"], odd.content) == (299, "y", b"not FHIR")
    ehr.replies["/fhir/Patient/1"] = cut(Reply({"resourceType": "Patient"}), 5)
    with pytest.raises(requests.RequestException):
        get(ehr, "Patient/1")


def test_every_mood_of_the_answers_has_a_name_and_every_name_its_sentence() -> None:
    assert all(mood.value for mood in Mood)
    assert {mood for mood in Mood if mood.of_answers} == set(ACTS)
    assert moods.named("busy_once") is Mood.BUSY_ONCE
