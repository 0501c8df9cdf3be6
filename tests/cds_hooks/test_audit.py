"""Checklist A10.6: what is kept of every call, for how long, and what it never costs."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from billing_rules.catalogue import Catalogue
from cds_hooks.record import entries as code_sets_module
from cds_hooks.record.entries import AuditedCall, CodeSets
from cds_hooks.record.store import Store, call_audit, code_sets
from service_parts.database import StoreFailed
from tests.cds_hooks.conftest import SERVICE, Body, Client, cards_of
from tests.databases import KEYS, NOON, rows, store_at

BY = CodeSets((("HCPCS", "2026-10-01"),), "k" * 64)
INSTANCE = "7f000000-0000-4000-8000-0000000000aa"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where the fixture `store` keeps it."""
    return f"sqlite:///{tmp_path}/store.sqlite"


@pytest.fixture
def audited(client_with: Client, store: Store) -> FlaskClient:
    return client_with(store, rule_set="1.0+rules")


def a_call(**changes: Any) -> AuditedCall:
    said = {
        "client": "https://ehr.example",
        "tenant": "",
        "service": "vialwise-orders",
        "hook": "order-sign",
        "hook_instance": INSTANCE,
        "rule_set": "1.0+rules",
        "code_sets": BY.key,
        "input_hash": "i" * 64,
        "status": 200,
        "outcome": "answered",
        "cards": ("c" * 36,),
        "findings": (("wrong_code", "code-of-another-drug"),),
        "milliseconds": 3,
    }
    return AuditedCall(**{**said, **changes})


# ---------------------------------------------------------------- what is kept


def test_a_call_is_kept_with_its_rules_code_sets_input_and_outcome(
    audited: FlaskClient, wrong_code: Body, url: str, catalogue: Catalogue
) -> None:
    sent = json.dumps({**wrong_code, "hookInstance": INSTANCE}).encode()
    cards = cards_of(audited, sent)
    (kept,) = rows(url, call_audit)
    assert kept["cards"] == [card["uuid"] for card in cards]
    assert ["wrong_code", "code-of-another-drug"] in kept["findings"]
    assert kept["input_hash"] == KEYS.request(sent) != KEYS.request(sent + b" ")
    assert (kept["client"], kept["service"], kept["hook"], kept["hook_instance"]) == (
        "open",
        "vialwise-orders",
        "order-sign",
        INSTANCE,
    )
    assert (kept["rule_set"], kept["status"], kept["outcome"]) == ("1.0+rules", 200, "answered")
    (listed,) = rows(url, code_sets)
    assert listed["key"] == kept["code_sets"] == code_sets_module.of(catalogue).key
    assert ["CMS HCPCS Level II, October 2025", "2025-10-01"] in listed["sources"]


def test_a_clean_order_is_kept_too(audited: FlaskClient, body: Body, url: str) -> None:
    assert cards_of(audited, body) == []
    (kept,) = rows(url, call_audit)
    assert (kept["cards"], kept["findings"], kept["outcome"]) == ([], [], "answered")


def test_what_was_refused_for_its_data_is_kept(audited: FlaskClient, url: str) -> None:
    body = fixtures.hook_request("seed-case")
    body["prefetch"]["patient"] = {"resourceType": "Patient", "id": "somebody"}
    assert cards_of(audited, body) == []
    (kept,) = rows(url, call_audit)
    assert (kept["status"], kept["outcome"], kept["cards"]) == (200, "another patient", [])


@pytest.mark.parametrize("name", ["amoxicillin", "order-select-not-ours", "no-drafts"])
def test_an_order_that_is_not_ours_touches_no_database(
    audited: FlaskClient, store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("the database was asked")

    monkeypatch.setattr("cds_hooks.record.store.transaction", never)
    assert cards_of(audited, fixtures.hook_request(name)) == []
    assert store.backoff.over


@pytest.mark.parametrize(
    ("body", "settings", "status"),
    [
        (b"{", {}, 400),
        (b"{}", {"open": False}, 401),
        pytest.param(b" " * 65_537, {"max_body_bytes": 65_536}, 413, id="too large"),
    ],
)
def test_callers_that_are_turned_away_fill_no_database(
    client_with: Client, store: Store, url: str, body: bytes, settings: Any, status: int
) -> None:
    assert client_with(store, **settings).post(SERVICE, data=body).status_code == status
    assert rows(url, call_audit) == []


# ---------------------------------------------------------------- on every database


def test_calls_and_their_code_sets_once(database_url: str) -> None:
    with store_at(database_url) as store:
        for _ in range(3):
            store.audit.record(a_call(), BY)
        store.audit.reach()
    with store_at(database_url) as another_process:
        another_process.audit.record(a_call(code_sets="other"), CodeSets((), "other"))
        another_process.audit.record(a_call(), BY)
    assert len(rows(database_url, call_audit)) == 5
    assert sorted(row["key"] for row in rows(database_url, code_sets)) == [BY.key, "other"]


def test_retention(database_url: str) -> None:
    now = NOON - timedelta(days=30)

    def clock() -> datetime:
        return now

    with store_at(database_url, clock) as store:
        store.audit.record(a_call(), BY)
        now = NOON
        store.audit.record(a_call(status=500), BY)
        assert store.audit.forget(NOON) == 1
        assert store.audit.forget(NOON) == 0
    (kept,) = rows(database_url, call_audit)
    assert (kept["status"], kept["at"]) == (500, NOON)


# ---------------------------------------------------------------- what it never costs


def test_an_answer_goes_out_while_the_database_is_away_and_after(
    audited: FlaskClient, wrong_code: Body, url: str, tmp_path: Path
) -> None:
    file, elsewhere = tmp_path / "store.sqlite", tmp_path / "elsewhere"
    file.rename(elsewhere)
    assert cards_of(audited, wrong_code)
    elsewhere.rename(file)
    time.sleep(0.3)  # the rest after a failure that took a moment
    assert cards_of(audited, wrong_code)
    assert len(rows(url, call_audit)) == 1


def test_a_locked_database_costs_a_bounded_time_once(
    audited: FlaskClient, wrong_code: Body, tmp_path: Path
) -> None:
    cards_of(audited, wrong_code)
    holder = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    started = time.monotonic()
    assert all(cards_of(audited, wrong_code) for _ in range(5))
    assert time.monotonic() - started < 2, "five calls waited a quarter of a second, together"
    holder.close()


def test_a_fault_of_the_audit_itself_costs_no_answer(
    audited: FlaskClient,
    wrong_code: Body,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError("patient words")

    monkeypatch.setattr(store.audit, "record", fails)
    assert cards_of(audited, wrong_code)
    assert "not accounted for: ZeroDivisionError" in caplog.text
    assert "patient words" not in caplog.text


def test_reach_says_when_the_table_is_not_there(store: Store, tmp_path: Path) -> None:
    store.audit.reach()
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute("DROP TABLE call_audit")
    with pytest.raises(StoreFailed):
        store.audit.reach()
