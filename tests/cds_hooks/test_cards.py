"""Cards: conformance A7 over every fixture, and the words a nurse and a biller read."""

from __future__ import annotations

import itertools
import json
import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient
from msgspec import structs

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.fhir import reading
from billing_rules.model.chart import Chart
from billing_rules.model.entities import Evidence, Source
from billing_rules.model.findings import Finding, NotChecked, Outcome, Severity, Topic
from billing_rules.review import OrderReview, review
from cds_hooks import Settings, exact_json
from cds_hooks.cards import plan as card_plan
from cds_hooks.cards import writing
from cds_hooks.cards.writing import SHARED_SYSTEM, CodeSystemUris
from cds_hooks.settings import CardLink
from tests.cds_hooks import invariants
from tests.cds_hooks.conftest import BASE, SERVICE, TODAY, Body, Client, cards_of, draft, with_draft

REQUESTS = fixtures.names("hook_requests")
STORY = "story-j2356-on-omalizumab"
SETTINGS = Settings(public_url=BASE, today=lambda: TODAY)


@pytest.mark.parametrize("plan", [False, True])
@pytest.mark.parametrize("name", REQUESTS)
def test_a7_every_answer_to_every_fixture_holds_the_invariants(
    client_with: Client, name: str, plan: bool
) -> None:
    sent = fixtures.path(f"hook_requests/{name}").read_bytes()
    response = client_with(billing_plan=plan).post(SERVICE, data=sent)
    assert response.status_code == 200
    invariants.check(json.loads(response.data), json.loads(sent))


@pytest.mark.parametrize("name", REQUESTS)
def test_an_order_gives_at_most_two_cards_most_urgent_first(client: FlaskClient, name: str) -> None:
    shown = cards_of(client, fixtures.hook_request(name))
    urgency = [("warning", "info").index(card["indicator"]) for card in shown]
    assert urgency == sorted(urgency)
    orders = [json.dumps(card.get("extension", card["uuid"])) for card in shown]
    assert all(orders.count(order) <= 2 for order in orders)


@pytest.mark.parametrize("name", REQUESTS)
def test_f2_3_every_detail_shows_order_limits_and_basis(client: FlaskClient, name: str) -> None:
    for card in cards_of(client, fixtures.hook_request(name)):
        assert card["detail"].startswith("**Order:** "), "A7.21: which order is meant"
        assert "**Found**" in card["detail"]
        assert "**Billing plan:** " in card["detail"]
        assert f"not legal or clinical advice. Checked {TODAY}" in card["detail"], "A10.3"


@pytest.mark.parametrize("name", [n for n in REQUESTS if n.startswith("clean")])
def test_a7_1_a_clean_order_gives_an_empty_list(client: FlaskClient, name: str) -> None:
    assert cards_of(client, fixtures.hook_request(name)) == []


def test_a_clean_order_shows_its_plan_where_the_site_wants_it(client_with: Client) -> None:
    client = client_with(billing_plan=True)
    (card,) = cards_of(client, fixtures.hook_request("clean-asthma"))
    assert card["indicator"] == "info"
    assert card["summary"] == "Omalizumab: plan to bill J2357-JZ x 60"
    assert "suggestions" not in card and "overrideReasons" not in card


def test_a_plan_that_cannot_be_made_is_not_shown_as_one(client_with: Client) -> None:
    client = client_with(billing_plan=True)
    cards = cards_of(client, fixtures.hook_request("order-select-before-the-dose"))
    assert {card["indicator"] for card in cards} == {"info"}, "order-select speaks softly"
    (card,) = (c for c in cards if c["source"]["topic"]["code"] == "claim")
    assert card["summary"] == "Omalizumab: billing cannot be planned yet"
    assert "the order states no dose" in card["detail"]


# ---------------------------------------------------------------- words


@pytest.fixture
def clean(catalogue: Catalogue) -> OrderReview:
    """The review of a clean order, to put findings on."""
    drafts = fixtures.hook_request("fhir-authorization-null")["context"]["draftOrders"]
    lines = reading.draft_orders(reading.entries(drafts), catalogue.systems, lambda _: None)
    (reviewed,) = review(lines, Chart(), catalogue, TODAY)
    return reviewed


def written(reviewed: OrderReview, outcomes: Sequence[Outcome], **settings: Any) -> list[Any]:
    numbers = itertools.count()
    with_outcomes = replace(reviewed, outcomes=tuple(outcomes))
    changed = SETTINGS.model_copy(update=settings)
    plan = card_plan.cards([with_outcomes], changed.billing_plan)
    uris = CodeSystemUris({}, {})
    return writing.written(
        plan, {}, uris, changed, str(TODAY), new_uuid=lambda: f"u{next(numbers)}"
    )


def finding(summary: str = "Do it", **more: Any) -> Finding:
    return Finding("kind", summary, ("Seen.",), **{"rule": "rule", **more})


def test_a7_3_a_summary_is_at_most_139_code_points_whatever_a_rule_says(clean: OrderReview) -> None:
    for length in (1, 139, 140, 500):
        (card,) = written(clean, [finding("é" * length)])
        assert len(card["summary"]) <= 139


def test_the_summary_counts_the_others_only_where_that_fits(clean: OrderReview) -> None:
    others = [finding("b"), finding("c")]
    (card,) = written(clean, [finding("a"), *others])
    assert card["summary"] == "a (+2 more)"
    (card,) = written(clean, [finding("a" * 130), *others])
    assert card["summary"] == "a" * 130


def test_a_finding_said_twice_is_counted_and_shown_once(clean: OrderReview) -> None:
    (card,) = written(clean, [finding("Same"), finding("Same"), finding("Other")])
    assert card["summary"] == "Same (+1 more)"
    assert card["detail"].count("Same") == 1


def test_the_most_severe_finding_is_the_headline(clean: OrderReview) -> None:
    (card,) = written(clean, [finding("Quiet"), finding("Loud", severity=Severity.WARNING)])
    assert card["summary"].startswith("Loud") and card["indicator"] == "warning"


def test_two_topics_are_two_cards_with_their_own_topic(clean: OrderReview) -> None:
    documentation = finding("D", topic=Topic.DOCUMENTATION, severity=Severity.WARNING)
    shown = written(clean, [finding("B"), documentation])
    assert [card["summary"] for card in shown] == ["D", "B"]
    assert [card["source"]["topic"]["code"] for card in shown] == ["guideline", "claim"]


def test_uuids_can_be_given_so_that_answers_are_the_same(clean: OrderReview) -> None:
    (card,) = written(clean, [finding()])
    assert card["uuid"] == "u0"


def test_what_could_not_be_checked_is_said_once_with_its_reason(clean: OrderReview) -> None:
    gaps = [NotChecked("no dose", rule="billed_units"), NotChecked("no dose", rule="dose_unit")]
    shown = written(clean, [finding(unchecked=("Stock.", "Stock.")), *gaps])
    assert "- Billed units and dose unit: no dose." in shown[0]["detail"]
    assert shown[0]["detail"].count("Stock.") == 1


def test_a7_6_chart_text_stays_text_everywhere(client: FlaskClient, wrong_code: Body) -> None:
    evil = "<img src=x> [click](https://evil.example) | `x` www.evil.example"
    concept = draft(wrong_code)["medicationCodeableConcept"]
    concept["text"] = f"omalizumab {evil}"
    concept["coding"][0].pop("display", None)
    draft(wrong_code)["dosageInstruction"][0]["doseAndRate"] = [
        {"doseQuantity": {"value": 2, "unit": evil}}
    ]
    shown = cards_of(client, wrong_code)
    assert shown
    for text in _strings([{k: v for k, v in c.items() if k != "suggestions"} for c in shown]):
        assert "<img" not in text and "](https://evil" not in text and "www.evil" not in text


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for member in value for text in _strings(member)]
    return [value] if isinstance(value, str) else []


def test_sources_are_one_item_a_document_without_its_quotes(clean: OrderReview) -> None:
    one = Source("CMS", "https://cms.example", TODAY, "A", "first words")
    two = structs.replace(one, quote="other words")
    doubtful = Source("A blog", "https://blog.example", TODAY, "C", "")
    (card,) = written(clean, [finding(sources=(one, two, doubtful, one))])
    assert card["detail"].count("https://cms.example") == 1
    assert "first words" not in card["detail"]
    assert f"- [A blog](https://blog.example), {TODAY} (one secondary source)" in card["detail"]


def test_evidence_shows_value_place_and_date(clean: OrderReview) -> None:
    own = clean.order.references[0]
    basis = (Evidence(own, "dose", "300 mg"), Evidence("Coverage/1", "coverage", "Medicare", TODAY))
    (card,) = written(clean, [finding(basis=basis)])
    assert "- dose: 300 mg (this order)" in card["detail"]
    assert f"- coverage: Medicare (Coverage/1, {TODAY})" in card["detail"]


def test_a_drug_known_by_its_words_only_is_said_to_be(clean: OrderReview) -> None:
    identity = structs.replace(clean.order.identity, by="text")
    by_words = structs.replace(clean.order, identity=identity)
    (card,) = written(replace(clean, order=by_words), [finding()])
    assert "recognised from the order's words only" in card["detail"]


def test_a7_16_links_only_when_configured(clean: OrderReview) -> None:
    (card,) = written(clean, [finding()])
    assert "links" not in card
    (card,) = written(
        clean, [finding()], links=(CardLink(label="Billing guide", url="https://a.example"),)
    )
    assert card["links"] == [
        {"label": "Billing guide", "url": "https://a.example", "type": "absolute"}
    ]


def test_a7_5_the_source_is_the_sites_to_name(clean: OrderReview) -> None:
    (card,) = written(clean, [finding()], source_label="Clinic", source_url="https://c.example")
    assert (card["source"]["label"], card["source"]["url"]) == ("Clinic", "https://c.example")


def test_a7_15_override_reasons_have_code_system_and_display(clean: OrderReview) -> None:
    (card,) = written(clean, [finding()])
    systems = Counter(reason["system"] for reason in card["overrideReasons"])
    assert systems == {f"{BASE}/code-systems/override-reason": 5, SHARED_SYSTEM: 3}
    assert all(reason["code"] and reason["display"] for reason in card["overrideReasons"])


def test_a10_4_links_to_hosts_off_the_list_are_left_out(clean: OrderReview) -> None:
    found = structs.replace(finding(), rule="wrong_code")
    elsewhere = (
        CardLink(label="Guide", url="https://a.example"),
        CardLink(label="Other", url="https://b.example"),
    )
    hosts = frozenset({"a.example"})
    (card,) = written(clean, [found], links=elsewhere, link_hosts=hosts)
    assert [link["url"] for link in card["links"]] == ["https://a.example"]
    assert not {"url", "icon"} & set(card["source"])
    assert set(re.findall(r"https?://([a-z0-9.-]+)", json.dumps(card))) <= {
        "a.example",
        "cds.example",
        "terminology.hl7.org",
    }
    assert "](" not in card["detail"] and "**How this was decided:**" in card["detail"]
    (card,) = written(clean, [found], links=elsewhere, link_hosts=hosts | {"cds.example"})
    assert card["source"]["url"].startswith(BASE) and f"]({BASE}/rules/" in card["detail"]
    (card,) = written(clean, [found], links=elsewhere, link_hosts=frozenset({"c.example"}))
    assert "links" not in card


def test_a10_3_the_detail_says_when_the_data_was_looked_at(client_with: Client) -> None:
    zone = ZoneInfo("America/New_York")
    clock = datetime(2026, 11, 23, 14, 2, tzinfo=zone)
    cards = cards_of(client_with(clock=lambda: clock), fixtures.hook_request(STORY))
    assert cards
    for card in cards:
        assert "Checked 2026-11-23 at 14:02 EST against what the EHR shared" in card["detail"]


def test_a7_5_the_icon_is_a_png_of_100_by_100_without_transparency(client: FlaskClient) -> None:
    (card, *_) = cards_of(client, fixtures.hook_request(STORY))
    answer = client.get(card["source"]["icon"].removeprefix(BASE))
    assert answer.status_code == 200 and answer.content_type == "image/png"
    start, width, height, depth, colours = struct.unpack(">8s8xIIBB", answer.data[:26])
    assert start == b"\x89PNG\r\n\x1a\n" and (width, height, depth) == (100, 100, 8)
    assert colours == 2 and b"tRNS" not in answer.data  # RGB: no alpha


def test_a7_20_no_card_speaks_as_if_cards_were_kept(client: FlaskClient) -> None:
    """Cards are transient (3.0.0-ballot, "Cards and Transience")."""
    kept = re.compile(r"(?i)\b(earlier|previous|last|above|other|next) card|saved|come back to")
    for name in REQUESTS:
        for card in cards_of(client, fixtures.hook_request(name)):
            said = " ".join([card["summary"], card["detail"], json.dumps(card.get("suggestions"))])
            assert not kept.search(said), (name, said)


# ---------------------------------------------------------------- suggestions, end to end


def actions_of(shown: list[Any]) -> list[dict[str, Any]]:
    return [a for card in shown for s in card.get("suggestions", []) for a in s["actions"]]


def test_a7_11_an_update_is_the_whole_resource_with_one_element_changed(
    client: FlaskClient, wrong_code: Body
) -> None:
    draft(wrong_code)["com.example.own"] = {"kept": [1, 2.50, None], "also": True}
    text = json.dumps(wrong_code).replace("2.5,", "2.50,")
    before = exact_json.decode(text.encode(), 64)
    response = client.post(SERVICE, data=text)
    (action,) = actions_of(exact_json.decode(response.data, 64)["cards"])
    original = draft(before)
    changed = list(differences(original, action["resource"]))
    assert changed and all("medicationCodeableConcept" in path for path in changed)
    assert str(action["resource"]["com.example.own"]["kept"][1]) == str(Decimal("2.50"))


def differences(one: Any, other: Any, path: str = "$") -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        pairs = ((one.get(key), other.get(key), f"{path}.{key}") for key in keys)
        return [d for pair in pairs for d in differences(*pair)]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            d
            for i, (a, b) in enumerate(zip(one, other, strict=True))
            for d in differences(a, b, f"{path}[{i}]")
        ]
    return [] if one == other else [path]


def test_all_changes_of_a_resource_are_in_one_suggestion(client: FlaskClient) -> None:
    """Two whole-resource updates would undo each other."""
    shown = cards_of(client, fixtures.hook_request("seed-case"))
    (suggestion,) = [s for card in shown for s in card.get("suggestions", [])]
    assert suggestion["label"] == "Change J2356 to J2357; Set 60 units; Remove modifier JN"
    changed = [f"{a['resource']['resourceType']}" for a in suggestion["actions"]]
    assert sorted(changed) == ["Claim", "MedicationRequest"]


def test_after_accepting_the_suggestion_its_findings_are_gone(client: FlaskClient) -> None:
    body = fixtures.hook_request("seed-case")
    for action in actions_of(cards_of(client, body)):
        for entry in body["context"]["draftOrders"]["entry"]:
            if entry["resource"]["id"] == action["resource"]["id"]:
                entry["resource"] = action["resource"]
    left = [card["summary"] for card in cards_of(client, body)]
    assert not any(word in text for text in left for word in ("J2356", "300", "JN")), left


def test_a7_11_a_repeated_draft_is_deleted_by_reference(client: FlaskClient) -> None:
    body = fixtures.hook_request("duplicate-orders")
    (action,) = actions_of(cards_of(client, body))
    second = f"MedicationRequest/{draft(body, 1)['id']}"
    assert (action["type"], action["resourceId"]) == ("delete", second)
    assert "resource" not in action


def test_a7_12_a_draft_without_an_id_of_its_own_is_never_touched(
    client: FlaskClient, wrong_code: Body
) -> None:
    twin = with_draft(wrong_code, dict(draft(wrong_code)))
    assert not actions_of(cards_of(client, twin)), "one reference, two resources"
    del draft(wrong_code)["id"]
    shown = cards_of(client, wrong_code)
    assert shown and not actions_of(shown) and "extension" not in shown[0]
