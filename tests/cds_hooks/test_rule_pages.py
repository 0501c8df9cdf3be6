"""Every rule's record, as a page and as JSON: conformance F1.1, F1.2, F2.3, and card links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlparse

import msgspec
import pytest
from flask.testing import FlaskClient

import fixtures
from billing_rules import catalogue as catalogue_module
from billing_rules.model.findings import NotChecked
from billing_rules.rule_records import rule_names, shipped
from billing_rules.rules import RULES
from billing_rules.rules.rule import UseOf
from cds_hooks import create_app
from cds_hooks.pages import rule_pages
from cds_hooks.pages.rule_pages import RuleDocument
from cds_hooks.record.store import temporary
from cds_hooks.settings import Settings
from tests.cds_hooks import invariants
from tests.cds_hooks.conftest import BASE, TODAY, Body, Client, cards_of
from tests.databases import KEYS

RULE_IDS = [rule.id for rule in RULES]
PAGES = ["/", "/rules/", "/rules/nothing-of-ours", *(f"/rules/{rule}" for rule in RULE_IDS)]
VOID = {"meta", "link", "br"}
ATTRIBUTES = [
    "Bibliographic citation",
    "Developer",
    "Funding of the implementation",
    "Release and revisions",
    *(f"Use of {label}" for label in rule_pages.USES.values()),
]


class Page(HTMLParser):
    """A page read strictly: every element closed in its order, every text with its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((tuple(self.open), data.strip()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, tag: str) -> list[str]:
        return [text for inside, text in self.texts if tag in inside]


def page(client: FlaskClient, path: str) -> Page:
    return Page(client.get(path).get_data(as_text=True))


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_sound_html(client: FlaskClient, path: str) -> None:
    read = page(client, path)
    assert read.all("html") == [{"lang": "en"}]
    assert len(read.all("h1")) == len(read.all("main")) == len(read.text("title")) == 1
    assert read.all("script") == [] and not any("style" in a for _, a in read.elements)
    ids = [a["id"] for _, a in read.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels == sorted(levels), "headings skip no level"
    for tag in ("a", "li", "td", "th", "dd", "summary", "h2"):
        assert len(read.text(tag)) >= len(read.all(tag)), f"an empty <{tag}>"


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(client: FlaskClient, path: str) -> None:
    read = page(client, path)
    for address in [a["href"] for tag, a in read.elements if tag in ("a", "link")]:
        assert address
        target = urlparse(urljoin(f"{BASE}{path}", address))
        assert target.scheme == "https", address
        if target.netloc == urlparse(BASE).netloc:
            found = client.get(target.path)
            assert found.status_code == 200, address
            assert not target.fragment or f'id="{target.fragment}"' in found.get_data(as_text=True)


@pytest.mark.parametrize("rule", RULE_IDS)
def test_f1_1_a_page_shows_all_thirteen_attributes_none_blank(
    client: FlaskClient, rule: str
) -> None:
    read = page(client, f"/rules/{rule}")
    assert read.text("th") == ATTRIBUTES and len(ATTRIBUTES) == 13
    record = shipped().records[rule]
    words = " ".join(text for _, text in read.texts)
    for text in (record.says, record.prevents, *record.denials.values(), *record.codes):
        assert text in words
    for text in (record.intended.use, record.intended.user, *record.intended.limits):
        assert text in words, "F2.3: intended use, user and limits"
    assert record.id in words and record.version in words, "F1.2"
    for source in record.citations:
        assert {"href": source.url} in read.all("a") and source.title in words


def test_the_words_a_value_was_taken_from_are_quoted(client: FlaskClient) -> None:
    quoted = page(client, "/rules/waste_modifier").text("q")
    assert any("JZ required no later than 2023-07-01" in text for text in quoted)


def test_the_index_has_every_rule_and_every_denial_reason(client: FlaskClient) -> None:
    read = page(client, "/rules/")
    linked = {a.get("href") for a in read.all("a")}
    assert set(RULE_IDS) <= linked
    words = read.text("li")
    assert all(any(reason in text for text in words) for reason in shipped().denials.values())


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize("rule", RULE_IDS)
def test_f1_1_a_record_as_json_has_its_shape_and_no_blank(client: FlaskClient, rule: str) -> None:
    response = client.get(f"/rules/{rule}.json")
    document = response.get_json()
    told = msgspec.convert(document, RuleDocument)
    assert told.id == rule and told.url == f"{BASE}/rules/{rule}"
    assert len(document["sourceAttributes"]) == 13
    invariants.nothing_empty(document, allowed=("$.denial.codes", "$.reads"))
    as_accepted = client.get(f"/rules/{rule}", headers={"Accept": "application/json"})
    assert as_accepted.data == response.data
    assert "Accept" in as_accepted.headers["Vary"]


def test_the_schema_of_a_record_is_served(client: FlaskClient) -> None:
    schema = client.get("/rules/schema.json").get_json()
    shape = schema["$defs"]["SourceAttributes"]
    assert len(shape["required"]) == 13 and shape["additionalProperties"] is False
    uses = [name for name in shape["required"] if name.startswith("useOf")]
    assert len(uses) == len(UseOf.__struct_fields__) == len(rule_pages.USES)


def test_the_index_as_json(client: FlaskClient) -> None:
    for path, accept in (("/rules/index.json", "*/*"), ("/rules/", "application/json")):
        listed = client.get(path, headers={"Accept": accept}).get_json()["rules"]
        assert [one["id"] for one in listed] == list(shipped().records)
        assert all(one["url"] == f"{BASE}/rules/{one['id']}" for one in listed)


# ---------------------------------------------------------------- HTTP


def test_an_unknown_rule_is_404_in_the_form_asked_for(client: FlaskClient) -> None:
    shown = client.get("/rules/<b>nothing")
    assert shown.status_code == 404 and shown.mimetype == "text/html"
    assert "<b>nothing" not in shown.get_data(as_text=True)
    for response in (
        client.get("/rules/nothing.json"),
        client.get("/rules/nothing", headers={"Accept": "application/json"}),
    ):
        assert response.status_code == 404
        assert response.get_json()["resourceType"] == "OperationOutcome"
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/rules/", "/rules/age", "/rules/age.json", "/style.css"])
def test_records_are_open_and_cacheable(client_with: Client, path: str) -> None:
    closed = client_with(open=False)
    first = closed.get(path)
    assert first.status_code == 200 and first.headers["Cache-Control"].startswith("public")
    again = closed.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and not again.data


def test_pages_may_use_their_style_sheet_and_nothing_else(client: FlaskClient) -> None:
    policy = client.get("/rules/age").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "style-src 'self'" in policy
    assert "script-src" not in policy and "unsafe" not in policy
    other = client.get("/rules/age.json").headers["Content-Security-Policy"]
    assert "style-src" not in other


def test_a_site_files_own_words_are_not_shown_to_anyone(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(SITE, encoding="utf-8")
    catalogue = catalogue_module.load(site)
    assert catalogue.payer("commercial", TODAY).sources["jw"].quote == "our contract: JW denies"
    client = create_app(
        catalogue, Settings(public_url=BASE, today=lambda: TODAY), temporary(KEYS)
    ).test_client()
    for path in ("/rules/waste_modifier", "/rules/waste_modifier.json"):
        response = client.get(path)
        assert response.status_code == 200
        assert "our contract" not in response.get_data(as_text=True)


SITE = """
name: Example clinic
sources:
  own: {title: Contract 7, url: https://clinic.example, published: 2026-01-01, certainty: S}
payers:
  commercial:
    jw:
      2026-01-01: {value: denies, source: own, quote: 'our contract: JW denies'}
"""


# ---------------------------------------------------------------- cards


def _shown() -> Iterator[tuple[str, Body]]:
    for name in fixtures.names("hook_requests"):
        yield name, fixtures.hook_request(name)


def _links(card: dict[str, Any]) -> set[str]:
    own = {link["url"] for link in card.get("links", ())}
    in_text = set(re.findall(r"(?<!\\)\]\((https?://[^)\s]+)\)", card["detail"]))
    return {card["source"]["url"], *own, *in_text}


def test_every_link_of_every_card_into_the_service_is_answered(client_with: Client) -> None:
    client = client_with(billing_plan=True)
    followed = set()
    for name, body in _shown():
        if "draftOrders" not in body.get("context", {}):
            continue
        for card in cards_of(client, body):
            for url in _links(card):
                if url.startswith(BASE) and url not in followed:
                    followed.add(url)
                    response = client.get(url.removeprefix(BASE) or "/")
                    assert response.status_code == 200, f"{name}: {url}"
    assert len(followed) > 10


def test_f1_1_the_source_is_the_record_of_the_most_urgent_finding(
    client: FlaskClient, wrong_code: Body
) -> None:
    (card,) = (c for c in cards_of(client, wrong_code) if c["indicator"] == "warning")
    assert card["source"]["url"] == f"{BASE}/rules/wrong_code"


def test_f1_2_the_detail_links_each_rule_that_spoke_with_its_version(
    client: FlaskClient, wrong_code: Body
) -> None:
    (card,) = (c for c in cards_of(client, wrong_code) if c["indicator"] == "warning")
    version = shipped().records["wrong_code"].version
    told = re.search(r"^\*\*How this was decided:\*\* (.*)$", card["detail"], re.MULTILINE)
    assert told and told[1].startswith(f"[Wrong code]({BASE}/rules/wrong_code)")
    assert told[1].endswith(f"(version {version})")


def test_a_gap_that_is_no_rules_has_a_name_too() -> None:
    gap = NotChecked("one could not be read", rule="other_orders")
    assert rule_names([gap.rule, "total_ige", "total_ige"]) == "Other orders and total IgE"
