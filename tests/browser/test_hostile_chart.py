"""A chart that an attacker wrote, on every screen in real Chromium: it stays text.

Also cards of it, in a page that renders Markdown with raw HTML and has no policy at all, as some
EHRs' do; and cards of a hostile service, at the order desk.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from markdown_it import MarkdownIt

import fixtures
from billing_rules.catalogue import Catalogue
from cds_hooks import Settings, create_app
from cds_hooks.record.store import temporary
from sandbox_ehr.cds_client import CdsClient, OfferedService
from sandbox_ehr.fhir.records import copied
from smart_app.launch import session
from tests.databases import KEYS, overridden, shown_card, store_at
from tests.hostile_text import PAYLOADS, Watched, spoilt
from tests.practice import running_pair
from tests.practice_ehr import practice_ehr
from tests.smart_app.charts import TODAY, chart_of, running_with, serve, window_on
from tests.smart_app.form_site import EDMUND, KEY, TWO_VIALS, WINDOW, form_site
from tests.smart_app.screens_app import screens_app, served

pytestmark = pytest.mark.browser
READ = ("", "dosing", "claim", "history", "packet", "orders")
CHARTS = (
    TWO_VIALS,
    ("pat-ada-winterbourne", "ada-omalizumab-300-mg"),
    ("pat-ulric-fennimore", "reslizumab-210-mg"),
)


@contextmanager
def watched(browser: Any, **context: Any) -> Iterator[Watched]:
    made = browser.new_context(**context)
    page = made.new_page()
    page.set_default_timeout(15_000)
    try:
        yield Watched(page)
    finally:
        made.close()


def looked_at(seen: Watched, where: str) -> None:
    """After everything that loads by itself has come, and everything was touched."""
    page = seen.page
    page.wait_for_load_state("networkidle")
    page.evaluate(
        "document.querySelectorAll('details').forEach(d => d.open = true);"
        "document.querySelectorAll('main *').forEach(e => {"
        "  e.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}));"
        "  if (e.focus) e.focus(); })"
    )
    assert [*seen.faults()] == [], where


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart[1])
def test_no_screen_takes_a_chart_for_more_than_text(
    browser: Any, catalogue: Catalogue, chart: tuple[str, str]
) -> None:
    with practice_ehr() as ehr, watched(browser) as seen:
        resources = spoilt(chart_of(*chart))
        serve(ehr, resources)
        window = window_on(ehr, chart[0], ehr_name=PAYLOADS[1], note=PAYLOADS[0])
        window = replace(window, user=replace(window.user, name=PAYLOADS[2]))
        app = screens_app(running_with(catalogue), lambda: window)
        with served(app) as url:
            order = f"order=MedicationRequest/{chart[1]}"
            for screen in READ:
                seen.page.goto(f"{url}/w/w1/{screen}?{order}")
                looked_at(seen, screen)
            for typed in PAYLOADS:
                said = {
                    "order": f"MedicationRequest/{chart[1]}",
                    "dose": typed,
                    "fill": typed,
                    "payer": typed,
                    "on": typed,
                }
                asked = requests.Request("GET", f"{url}/w/w1/claim", params=said).prepare()
                seen.page.goto(asked.url)
                assert [*seen.faults()] == [], typed
            for resource in islice(resources, 12):
                kind, id_ = resource["resourceType"], resource["id"]
                for address in (f"resource/{kind}/{id_}?{order}", f"resource/{kind}/{id_}/json"):
                    seen.page.goto(f"{url}/w/w1/{address}")
                    assert [*seen.faults()] == [], address
            seen.page.goto(f"{url}/w/w1/packet?{order}")
            printed = seen.page.pdf()
            assert printed.startswith(b"%PDF-")
            outside = re.sub(rb"stream.*?endstream", b"", printed, flags=re.DOTALL)
            assert not re.search(rb"/(JavaScript|JS|URI|Launch|OpenAction|AA|GoToR)\b", outside)


def test_what_is_typed_into_forms_comes_back_as_text(
    browser: Any, catalogue: Catalogue, tmp_path: Path
) -> None:
    """Wrong and sent again, kept and filled in again, saved into a note to paste."""
    for screen, patient in (("documentation", EDMUND), ("close-out", TWO_VIALS)):
        with ExitStack() as stack:
            folder = tmp_path / screen
            folder.mkdir()
            url = f"http://127.0.0.1:{_free_port()}"
            without = ("MedicationAdministration",)
            site = stack.enter_context(
                form_site(catalogue, folder, *patient, without=without, public_url=url)
            )
            site.ehr.server.hold(spoilt(site.ehr.held))
            stack.enter_context(served(site.app, int(url.rpartition(":")[2])))
            seen = stack.enter_context(watched(browser))
            name = session._name(session.KIND_WINDOW, WINDOW, False)
            seen.page.context.add_cookies([{"name": name, "value": KEY, "url": url}])
            address = f"{url}/w/{WINDOW}/{screen}?order={site.order}"
            seen.page.goto(address)
            looked_at(seen, screen)
            _type_everywhere(seen.page)
            seen.page.locator("form#form button[type=submit]:not([tabindex])").first.click()
            looked_at(seen, f"{screen}, sent")
            seen.page.goto(address)
            looked_at(seen, f"{screen}, again")


def _type_everywhere(page: Any) -> None:
    fields = page.locator("#form input[type=text], #form input:not([type]), #form textarea")
    for place in range(fields.count()):
        if fields.nth(place).is_visible() and fields.nth(place).is_editable():
            fields.nth(place).fill(PAYLOADS[place % len(PAYLOADS)].replace("\n", " "))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# ---------------------------------------------------------------- cards


def test_cards_are_text_also_where_an_ehr_renders_html(browser: Any, catalogue: Catalogue) -> None:
    """CDS Hooks 2.0.1 asks for Markdown; the sandbox of CDS Hooks lets HTML through in it. The
    worst reader: HTML in Markdown, and every other word of a card put into the page as it is."""
    settings = Settings(
        public_url="https://cds.example", today=lambda: TODAY, open=True, billing_plan=True
    )
    client = create_app(catalogue, settings, temporary(KEYS)).test_client()
    reader = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    told = 0
    with watched(browser) as seen:
        for name in (
            "story-225-mg-two-vials",
            "story-j2356-on-omalizumab",
            "story-missing-ige-and-therapy",
        ):
            cards = _cards_of(client, name)
            for card in cards:
                told += len(card["detail"])
                parts = [reader.render(card["detail"]), card["summary"], card["source"]["label"]]
                parts += [s["label"] for s in card.get("suggestions", ())]
                parts += [
                    a["description"]
                    for s in card.get("suggestions", ())
                    for a in s.get("actions", ())
                ]
                parts += [link["label"] for link in card.get("links", ())]
                seen.page.set_content("<br>".join(parts))
                assert [*seen.faults()] == [], card
    assert told > 1000


def _cards_of(client: Any, name: str) -> list[dict[str, Any]]:
    request = copied(fixtures.hook_request(name))
    for entry in request["context"]["draftOrders"]["entry"]:
        entry["resource"] = _only_text(entry["resource"])
    request["prefetch"] = {
        key: _bundle(value) for key, value in request.get("prefetch", {}).items() if value
    }
    answer = client.post("/cds-services/vialwise-orders", json=request)
    assert answer.status_code == 200, answer.text
    cards: list[dict[str, Any]] = answer.json["cards"]
    assert cards, name
    return cards


def _bundle(value: dict[str, Any]) -> dict[str, Any]:
    if value.get("resourceType") != "Bundle":
        return spoilt([value])[0]
    entries = [{**e, "resource": spoilt([e["resource"]])[0]} for e in value.get("entry", ())]
    return {**value, "entry": entries}


def _only_text(draft: dict[str, Any]) -> dict[str, Any]:
    return spoilt([draft])[0]


def test_feedback_in_clients_own_words_is_text(
    browser: Any, catalogue: Catalogue, tmp_path: Path
) -> None:
    secret = b"s" * 40
    with (
        store_at(f"sqlite:///{tmp_path}/s.sqlite") as store,
        watched(browser, extra_http_headers={"Authorization": f"Bearer {secret.decode()}"}) as seen,
    ):
        for payload in PAYLOADS:
            card = shown_card(client=payload[:200], payer_id=payload[:60], drug_id=payload[:60])
            store.record([card])
            why = {"reason_code": payload[:60], "reason_display": payload[:200]}
            store.feedback([overridden(card, **why)])
        settings = Settings(
            public_url="http://127.0.0.1", today=lambda: TODAY, open=True, operator_secret=secret
        )
        with served(create_app(catalogue, settings, store)) as url:
            for query in ({}, *({"client": p, "rule": p, "payer": p, "from": p} for p in PAYLOADS)):
                asked = requests.Request("GET", f"{url}/feedback", params=query).prepare()
                seen.page.goto(asked.url)
                assert [*seen.faults()] == [], query
            for path in ("/rules/", "/", *(f"/rules/{p}" for p in ("waste_modifier", "%3Cb%3E"))):
                seen.page.goto(f"{url}{path}")
                assert [*seen.faults()] == [], path


# ---------------------------------------------------------------- the order desk


def test_the_desk_takes_neither_charts_nor_cards_for_more_than_text(
    browser: Any, catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_pair(catalogue, tmp_path) as pair, watched(browser) as seen:
        desk, page = pair.desk, seen.page
        pair.app.extensions["sandbox-ehr-desk"] = replace(desk, start=tuple(spoilt(desk.start)))
        page.goto(pair.ehr)
        page.get_by_role("button", name="Reset demo data").click()
        for path in ("/patients", "/patients?q=%3Cscript%3E", "/patients/pat-ada-winterbourne"):
            page.goto(pair.ehr + path)
            looked_at(seen, path)
        page.goto(pair.ehr)
        page.locator("form[action^='/stories/'] button").first.click()
        looked_at(seen, "a story's order")
        ours = pair.desk.services[0]
        evil = CdsClient(
            ours.base,
            ours.fhir_server,
            ours.key,
            ours.look_up,
            ours.authorize,
            _known=[(1e12, (OfferedService("order-select", "x", "x", {}),))],
        )
        answer = json.dumps({"cards": [*_hostile_cards()]}).encode()
        monkeypatch.setattr(CdsClient, "_exchange", lambda *args: (200, answer, 1))
        pair.with_services(evil)
        page.goto(pair.ehr)
        page.locator("form[action^='/stories/'] button").first.click()
        assert page.locator("article.card").count() >= len(PAYLOADS)
        page.wait_for_load_state("networkidle")
        # A card may link to the web; the desk says so and opens it apart.
        faults = [f for f in seen.faults() if not f.startswith("address: https://pwn.example/")]
        assert faults == []
        for link in page.locator("article.card a[href*='pwn']").all():
            assert link.get_attribute("rel") == "noopener noreferrer"


def _hostile_cards() -> Iterator[dict[str, Any]]:
    for place, text in enumerate(PAYLOADS):
        yield {
            "uuid": f"card-{place}",
            "summary": text[:139],
            "detail": text,
            "indicator": "warning",
            "source": {"label": text, "url": "https://ok.example/"},
            "links": [
                {
                    "label": text,
                    "url": "https://ok.example/?" + text.split()[0][:1],
                    "type": "absolute",
                }
            ],
            "suggestions": [{"label": text, "uuid": text}],
            "selectionBehavior": "any",
            "overrideReasons": [{"code": text, "system": text, "display": text}],
        }
    for address in (
        "javascript:window.pwned=1//pwn",
        "data:text/html,pwn",
        " javascript:pwn",
        "https://a:b@pwn.example",
        "//pwn.example",
    ):
        yield {
            "summary": "x",
            "indicator": "info",
            "source": {"label": "x", "url": address},
            "links": [{"label": "x", "url": address, "type": "absolute"}],
        }


def test_this_test_would_notice(browser: Any) -> None:
    """Each text does something in a page that takes it seriously, and it is seen."""
    app = Flask("careless")
    page_of = "<!doctype html><title>x</title><main><p title={} >{}</p></main>".format

    @app.get("/<int:nth>")
    def careless(nth: int) -> str:
        return page_of(PAYLOADS[nth], MarkdownIt("commonmark").render(PAYLOADS[nth]))

    noticed = set()
    with served(app) as url:
        for nth in range(len(PAYLOADS)):
            with watched(browser) as seen:
                seen.page.goto(f"{url}/{nth}")
                if [*seen.faults()]:
                    noticed.add(nth)
    assert len(noticed) >= len(PAYLOADS) - 6, sorted(set(range(len(PAYLOADS))) - noticed)
