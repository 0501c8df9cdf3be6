"""From the card through the form to the next card: what was entered is asked for no more.

Practice EHR, CDS service and app meet over HTTP, as in a clinic. The patient's payer wants two
therapies tried, an authorization and a test for a perennial allergen, and nothing is on file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

import fixtures
from billing_rules.catalogue import Catalogue
from sandbox_ehr.settings import ClientKind as Kind
from sandbox_ehr.settings import RegisteredApp
from smart_app.app import create_app
from smart_app.launch.services import Installation
from smart_app.launch.store import Seal, WindowStore
from smart_app.screens import SCREENS
from smart_app.settings import AppSettings, RegisteredEhr
from tests.practice import Pair, running_pair
from tests.sandbox_ehr.conftest import inside
from tests.smart_app.conftest import PUBLIC, SEAL_KEYS, Browser, Clock, Site
from tests.smart_app.form_site import fields_of, follow, text_of
from tests.smart_app.strict_ehr import REDIRECT

DOROTHEA, ORDER = "pat-dorothea-pennyfarthing", "omalizumab-300-mg-undocumented"
NURSE = "Practitioner/prac-nell-birdsong"
WRITES = frozenset({"Observation", "QuestionnaireResponse", "DocumentReference"})
TODAY = date.today()


def ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


ENTERED = {
    "total-ige.0.value": "150",
    "total-ige.0.value.unit": "kU/L",
    "total-ige.0.date": ago(300),
    "inhaled-corticosteroid.0.drug": "Budesonide 400 mcg, twice a day",
    "inhaled-corticosteroid.0.start": ago(400),
    "inhaled-corticosteroid.0.outcome": "not-controlled",
    "second-controller.0.drug": "Montelukast 10 mg",
    "second-controller.0.start": ago(400),
    "second-controller.0.end": ago(20),
    "second-controller.0.outcome": "not-controlled",
    "sensitisation.0.test": "skin-test",
    "sensitisation.0.allergen": "allergen-cat",
    "sensitisation.0.result": "positive",
    "sensitisation.0.date": ago(200),
    "authorization.0.number": "UHC-2026-0042",
    "authorization.0.answer": "granted",
    "authorization.0.start": ago(30),
    "authorization.0.end": ago(-330),
    "action": "save",
}
ASKED = ("inhaled corticosteroid", "second controller", "perennial allergen", "authorization")


@dataclass
class Clinic:
    """`window` is the app's, opened by the nurse from the order."""

    pair: Pair
    browser: Browser
    draft: dict[str, Any]
    window: str = ""
    ehr: dict[str, Any] = field(default_factory=dict)

    def address(self, screen: str) -> str:
        return f"{self.window}/{screen}?order=MedicationRequest/{ORDER}"

    def page(self, screen: str) -> str:
        answer = self.browser.get(self.address(screen))
        assert answer.status_code == 200, text_of(answer.text)
        return str(answer.text)

    def save(self, **typed: str) -> str:
        data = {**fields_of(self.page("documentation")), **typed}
        return text_of(follow(self.browser, self.browser.post(self.address("documentation"), data)))

    def cards(self) -> list[dict[str, Any]]:
        """What the service answers when the order is signed, as the practice EHR calls it."""
        context = {
            "userId": NURSE,
            "patientId": DOROTHEA,
            "draftOrders": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": self.draft}],
            },
        }
        (call,) = self.pair.desk.services[0].fire("order-sign", context)
        assert call.status == 200, call.response
        self.ehr = dict(call.request)
        found: list[dict[str, Any]] = json.loads(call.response)["cards"]
        return found

    def documentation(self) -> str:
        return " ".join(
            f"{card['summary']} {card['detail']}"
            for card in self.cards()
            if card["source"]["topic"]["code"] != "claim"
        )


def opened(catalogue: Catalogue, engine: Any, pair: Pair, writes: frozenset[str]) -> Clinic:
    draft = with_payer_of_its_own(pair)
    registered = RegisteredEhr(
        id="practice", name="Practice", fhir_base=f"{pair.ehr}/fhir", client_id="app", writes=writes
    )
    settings = AppSettings(app_url=PUBLIC, ehrs=(registered,), window_secrets=SEAL_KEYS)
    store = WindowStore(
        engine, Seal(SEAL_KEYS), settings.session, settings.idle, lambda: datetime.now(UTC)
    )
    app = create_app(Installation(catalogue, lambda: TODAY), settings, store, SCREENS)
    clinic = Clinic(pair, Browser(Site(app, store, pair.app, Clock()), app.test_client()), draft)
    token = inside(pair.app).launches.new(DOROTHEA, user=NURSE)
    query = urlencode({"iss": f"{pair.ehr}/fhir", "launch": token})
    begun = clinic.browser.get(f"/launch?{query}")
    answer = requests.get(begun.headers["Location"], allow_redirects=False, timeout=10)
    back = clinic.browser.get(f"/callback?{answer.headers['Location'].partition('?')[2]}")
    assert back.status_code == 303, back.text
    clinic.window = str(back.headers["Location"]).rstrip("/")
    return clinic


def with_payer_of_its_own(pair: Pair) -> dict[str, Any]:
    """The draft in the chart, and a plan that wants more than the one of the fixtures."""
    records = pair.desk.records
    (coverage,) = records.search("Coverage", [("patient", DOROTHEA)])
    plan = {"text": "Commercial"}
    records.update(
        {
            **{k: v for k, v in coverage.items() if k != "class"},
            "type": plan,
            "payor": [{"display": "UnitedHealthcare"}],
        }
    )
    story = fixtures.hook_request("story-missing-ige-and-therapy")
    draft = dict(story["context"]["draftOrders"]["entry"][0]["resource"])
    draft.pop("encounter", None)
    draft["authoredOn"] = TODAY.isoformat()
    records.create(draft, ORDER)
    return draft


@pytest.fixture
def pair(catalogue: Catalogue, tmp_path: Path) -> Iterator[Pair]:
    app = RegisteredApp("app", "Vialwise", Kind.PUBLIC, redirect_uris=(REDIRECT,))
    with running_pair(catalogue, tmp_path, (app,)) as running:
        yield running


def test_what_a_nurse_entered_is_missing_nowhere(
    catalogue: Catalogue, engine: Any, pair: Pair
) -> None:
    clinic = opened(catalogue, engine, pair, WRITES)
    before = clinic.documentation()
    assert all(words in before for words in ASKED), before
    assert "missing" in text_of(clinic.page("")).lower()

    told = clinic.save(**ENTERED)
    for before_it in (
        "Total IgE Missing",
        "Test for a perennial allergen To confirm",
        "Prior authorization Missing",
        "Prior therapy: inhaled corticosteroid Missing",
        "Prior therapy: second controller Missing",
    ):
        assert f"{before_it} On file new" in told, told

    worksheet = text_of(clinic.page(""))
    origin = f"entered in Vialwise's form on {TODAY}"
    assert worksheet.count(origin) >= 4, worksheet
    assert "missing or to do" not in worksheet
    assert "UHC-2026-0042 granted" in worksheet
    assert origin in text_of(clinic.page("packet"))

    after = clinic.documentation()
    assert not any(f"Chart prior {words}" in after for words in ASKED)
    assert "Request prior authorization" not in after
    assert "No positive test" not in after
    (saved,) = pair.desk.records.search("QuestionnaireResponse", [("patient", DOROTHEA)])
    sent = clinic.ehr["prefetch"]["answers"]["entry"]
    assert [entry["resource"]["id"] for entry in sent] == [saved["id"]]


def test_what_was_entered_is_shown_again_and_can_be_taken_back(
    catalogue: Catalogue, engine: Any, pair: Pair
) -> None:
    clinic = opened(catalogue, engine, pair, WRITES)
    clinic.save(**ENTERED)
    again = clinic.page("documentation")
    assert fields_of(again)["inhaled-corticosteroid.0.drug"] == "Budesonide 400 mcg, twice a day"
    assert "inhaled-corticosteroid.0.end" in fields_of(again)
    assert fields_of(again)["inhaled-corticosteroid.0.end"] == "", "nobody entered an end"
    assert "Entered in this form before." in text_of(again)
    emptied = {n: "" for n in fields_of(again) if n.startswith("inhaled-corticosteroid.0.")}
    told = clinic.save(**emptied, action="save")
    assert "Prior therapy: inhaled corticosteroid On file Missing" in told, told
    assert "Chart prior inhaled corticosteroid" in clinic.documentation()
    assert "UHC-2026-0042" in text_of(clinic.page("")), "what was left alone is still there"


def test_what_was_withdrawn_in_the_ehr_counts_no_more(
    catalogue: Catalogue, engine: Any, pair: Pair
) -> None:
    clinic = opened(catalogue, engine, pair, WRITES)
    clinic.save(**ENTERED)
    records = pair.desk.records
    (saved,) = records.search("QuestionnaireResponse", [("patient", DOROTHEA)])
    records.update({**saved, "status": "entered-in-error"})
    assert all(words in clinic.documentation() for words in ASKED)


def test_where_the_ehr_takes_no_answers_the_page_says_what_that_means(
    catalogue: Catalogue, engine: Any, pair: Pair
) -> None:
    clinic = opened(catalogue, engine, pair, frozenset({"Observation"}))
    told = clinic.save(**ENTERED)
    assert "the worksheet and the card will not see this entry" in told, told
    assert "Not saved The answers to this form: this sign-in does not allow it." in told
    assert "Total IgE Missing On file new" in told
    assert all(words in clinic.documentation() for words in ASKED)
