"""What a person set aside is not said again; what nobody set aside is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.fhir import reading
from billing_rules.model.chart import Chart
from billing_rules.model.entities import Amount, Code, Dose, DrugOrder
from billing_rules.model.findings import Silent
from billing_rules.model.states import Present
from billing_rules.review import OrderReview, review
from cds_hooks.cards.plan import BECAUSE, unrepeated, without_repeats
from cds_hooks.record.entries import KeyedHashes
from tests.cds_hooks.conftest import TODAY, Body, draft
from tests.databases import KEYS

Reviewed = Callable[[Body], OrderReview]


@pytest.fixture
def reviewed(catalogue: Catalogue) -> Reviewed:
    """The review of a request's first order."""

    def first(body: Body, today: date = TODAY) -> OrderReview:
        drafts = body["context"]["draftOrders"]
        lines = reading.draft_orders(
            tuple(reading.entries(drafts)), catalogue.systems, reading.resolver(drafts)
        )
        return review(lines, Chart(), catalogue, today)[0]

    return first


@pytest.fixture
def order(reviewed: Reviewed, wrong_code: Body) -> DrugOrder:
    return reviewed(wrong_code).order


# ---------------------------------------------------------------- the filter


def test_nothing_overridden_changes_nothing(reviewed: Reviewed, wrong_code: Body) -> None:
    found = reviewed(wrong_code)
    assert unrepeated(found, frozenset()) is found
    assert without_repeats([found], {}, KEYS.order) == (found,)


def test_an_overridden_finding_is_silent_and_says_why(reviewed: Reviewed, wrong_code: Body) -> None:
    found = reviewed(wrong_code)
    first, *others = found.findings
    left = unrepeated(found, frozenset({(first.rule, first.kind)}))
    assert left.findings == tuple(others)
    assert Silent(BECAUSE, rule=first.rule) in left.outcomes
    assert len(left.outcomes) == len(found.outcomes)
    assert left.not_checked == found.not_checked


def test_another_kind_of_the_same_rule_speaks(reviewed: Reviewed, wrong_code: Body) -> None:
    found = reviewed(wrong_code)
    first = found.findings[0]
    for other in ((first.rule, "another kind"), ("another_rule", first.kind)):
        assert unrepeated(found, frozenset({other})).findings == found.findings


def test_another_order_speaks(reviewed: Reviewed, wrong_code: Body) -> None:
    found = reviewed(wrong_code)
    said = frozenset((f.rule, f.kind) for f in found.findings)
    assert without_repeats([found], {"another": said}, KEYS.order) == (found,)
    (left,) = without_repeats([found], {KEYS.order(found.order): said}, KEYS.order)
    assert left.findings == ()


# ---------------------------------------------------------------- which orders are the same


def test_ids_spellings_and_sequence_do_not_make_another_order(
    reviewed: Reviewed, wrong_code: Body
) -> None:
    key = KEYS.order(reviewed(wrong_code).order)
    same = copy.deepcopy(wrong_code)
    resource = draft(same)
    resource["id"] = "resaved"
    resource["encounter"] = {"reference": "Encounter/another"}
    resource["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] = Decimal("300.0")
    for coding in resource["medicationCodeableConcept"]["coding"]:
        coding["display"] = "as another screen writes it"
    assert KEYS.order(reviewed(same).order) == key


def test_the_sequence_of_drafts_does_not_make_another_order(reviewed: Reviewed) -> None:
    body = fixtures.hook_request("story-225-mg-two-syringes")
    key = KEYS.order(reviewed(body).order)
    assert len(reviewed(body).order.lines) > 1
    body["context"]["draftOrders"]["entry"].reverse()
    assert KEYS.order(reviewed(body).order) == key


def test_a_draft_without_a_date_is_the_same_order_tomorrow(
    catalogue: Catalogue, reviewed: Any, wrong_code: Body
) -> None:
    del draft(wrong_code)["authoredOn"]
    today, later = reviewed(wrong_code).order, reviewed(wrong_code, date(2026, 11, 30)).order
    assert today.date_of_service != later.date_of_service
    assert KEYS.order(today) == KEYS.order(later)


CHANGES: dict[str, dict[str, Any]] = {
    "dose": {"dose": Present(Dose(Amount(Decimal(150), "mg")))},
    "code": {"codes": (Code("hcpcs", "J2357"),)},
    "units": {"billed": Present(60)},
    "containers": {"containers": Present(7)},
    "modifiers": {"modifiers": ("JW",)},
    "date": {"date_of_service": date(2027, 1, 1)},
    "interval": {"interval": Present(Amount(Decimal(2), "wk"))},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_content_is_another_order(order: DrugOrder, change: dict[str, Any]) -> None:
    prescription = replace(order.prescriptions[0], **change)
    changed = structs.replace(order, prescriptions=(prescription,), billing=())
    alone = structs.replace(order, prescriptions=order.prescriptions[:1], billing=())
    assert KEYS.order(changed) != KEYS.order(alone)


def test_another_drug_is_another_order(order: DrugOrder) -> None:
    assert KEYS.order(structs.replace(order, drug_id="dupilumab")) != KEYS.order(order)


# ---------------------------------------------------------------- hashes


def test_a_patient_is_one_of_one_ehr_and_tenant() -> None:
    keys = {
        KEYS.patient("1"),
        KEYS.patient("2"),
        KEYS.patient("1", "https://a.example"),
        KEYS.patient("1", "https://b.example"),
        KEYS.patient("1", "https://a.example", "t"),
        KEYS.patient("1t", "https://a.example"),
    }
    assert len(keys) == 6
    assert KEYS.patient("1", "https://a.example/") == KEYS.patient("1", "https://a.example")


def test_another_installation_makes_other_hashes(order: DrugOrder) -> None:
    other = KeyedHashes(b"another secret, of 32 bytes also")
    assert other.patient("1") != KEYS.patient("1")
    assert other.order(order) != KEYS.order(order)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KeyedHashes(b"short")
