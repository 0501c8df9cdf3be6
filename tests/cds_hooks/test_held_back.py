"""Shadow mode and quiet hours: evaluated, kept, not shown, and never counted as shown."""

from __future__ import annotations

import copy
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import fixtures
from cds_hooks.calls.metrics import Metrics
from cds_hooks.cards.plan import OVER_LIMIT, QUIET_HOURS, SHADOW, SILENT_TRACKING
from cds_hooks.record import card_feedback
from cds_hooks.record.store import Store, call_audit, card_finding, card_shown
from cds_hooks.settings import Client as Registered
from cds_hooks.settings import Quiet
from tests.cds_hooks.conftest import BASE, SERVICE, Body, Client, cards_of, draft
from tests.cds_hooks.tokens import EC, claims, jwks, signed
from tests.databases import rows, store_at

ISS = "https://ehr.example"
NEW_YORK = ZoneInfo("America/New_York")
NIGHT = Quiet(days=("fri",), start="22:00", end="06:30")  # from Friday night on


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time in New York in November 2026; the 20th is a Friday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=NEW_YORK)


# ---------------------------------------------------------------- hours


@pytest.mark.parametrize(
    "now, quiet",
    [
        (at(20, 21, 59), False),
        (at(20, 22), True),
        (at(20, 23, 59), True),
        (at(21, 0), True),
        (at(21, 6, 29), True),
        (at(21, 6, 30), False),
        (at(21, 22), False),  # Saturday night is not meant
        (at(20, 3), False),  # nor the night to Friday
    ],
)
def test_hours_over_midnight_belong_to_the_day_they_begin_on(now: datetime, quiet: bool) -> None:
    assert NIGHT.covers(now) is quiet


def test_hours_within_a_day_end_before_their_end() -> None:
    lunch = Quiet(start="12:00", end="13:00")
    assert [lunch.covers(at(18, *when)) for when in ((11, 59), (12, 0), (12, 59), (13, 0))] == [
        False,
        True,
        True,
        False,
    ]


def test_days_alone_are_whole_days_and_no_more() -> None:
    weekend = Quiet(days=("sat", "sun"))
    covered = [weekend.covers(at(day, hour)) for day in range(16, 23) for hour in (0, 12, 23)]
    assert covered == [False] * 15 + [True] * 6


def test_until_midnight_ends_at_midnight() -> None:
    evening = Quiet(days=("fri",), start="18:00", end="00:00")
    assert evening.covers(at(20, 23, 59)) and not evening.covers(at(21, 0))


def test_every_minute_of_a_week_is_quiet_or_not_as_its_own_sum_says() -> None:
    for start, end in itertools.permutations((0, 7, 22), 2):
        hours = Quiet(days=("wed",), start=f"{start:02}:00", end=f"{end:02}:00")
        week = [at(16, 0) + timedelta(hours=n) for n in range(168)]
        assert sum(map(hours.covers, week)) == (end - start) % 24


# ---------------------------------------------------------------- answers


@pytest.fixture
def two_rules() -> Body:
    """A request whose order has a billing card by wrong_code and documentation cards."""
    return fixtures.hook_request("story-j2356-on-omalizumab")


def kept(tmp_path: Path, table: Any = card_shown) -> list[dict[str, Any]]:
    return rows(f"sqlite:///{tmp_path}/store.sqlite", table)


def without_ids(cards: list[dict[str, Any]]) -> str:
    return json.dumps([{**card, "uuid": "", "suggestions": ""} for card in cards])


def test_shadow_mode_shows_nothing_and_keeps_everything(
    client_with: Client, store: Store, tmp_path: Path, two_rules: Body
) -> None:
    assert cards_of(client_with(store), two_rules)
    shown = kept(tmp_path)
    assert {row["held_back"] for row in shown} == {""}
    quiet = client_with(store, quiet=(Quiet(shadow=True),), billing_plan=True)
    assert cards_of(quiet, two_rules) == []
    held = [row for row in kept(tmp_path) if row["held_back"]]
    assert len(held) == len(shown) and {row["held_back"] for row in held} == {SHADOW}
    same = ("topic", "indicator", "payer_id", "drug_id", "order_key", "patient_key", "rule_set")
    assert [[row[k] for k in same] for row in held] == [[row[k] for k in same] for row in shown]
    findings = kept(tmp_path, card_finding)
    of = {row["card"]: {f["rule"] for f in findings if f["card"] == row["card"]} for row in held}
    assert all(of.values())
    report = card_feedback.report(store.engine)
    assert report.total.shown == len(shown) and report.held_cards == {SHADOW: len(held)}


def test_one_rule_is_held_back_and_the_others_speak(
    client_with: Client, store: Store, tmp_path: Path, two_rules: Body
) -> None:
    before = cards_of(client_with(), two_rules)
    quiet = client_with(store, quiet=(Quiet(rule="wrong_code", shadow=True),))
    after = cards_of(quiet, two_rules)
    assert "J2356" in json.dumps(before) and "J2356 " not in json.dumps(after)
    (held,) = [row for row in kept(tmp_path) if row["held_back"]]
    spoke = {f["rule"] for f in kept(tmp_path, card_finding) if f["card"] == held["card"]}
    assert spoke == {"wrong_code"}
    others = cards_of(client_with(quiet=(Quiet(rule="weight", shadow=True),)), two_rules)
    assert without_ids(others) == without_ids(before)


def test_quiet_hours_follow_the_clinics_clock(client_with: Client, two_rules: Body) -> None:
    for now, silent in ((at(20, 23), True), (at(20, 12), False)):
        service = client_with(quiet=(NIGHT,), clock=lambda now=now: now)
        assert (cards_of(service, two_rules) == []) is silent
    in_utc = at(20, 23).astimezone(UTC)  # Saturday 04:00 there
    assert cards_of(client_with(quiet=(NIGHT,), clock=lambda: in_utc), two_rules) == []


def test_the_reason_is_kept_and_shadow_comes_first(
    client_with: Client, store: Store, tmp_path: Path, two_rules: Body
) -> None:
    quiet = (NIGHT, Quiet(rule="wrong_code", shadow=True))
    cards_of(client_with(store, quiet=quiet, clock=lambda: at(20, 23)), two_rules)
    findings = kept(tmp_path, card_finding)
    reasons = {
        f["rule"]: row["held_back"]
        for row in kept(tmp_path)
        for f in findings
        if f["card"] == row["card"]
    }
    assert reasons.pop("wrong_code") == SHADOW
    assert set(reasons.values()) <= {QUIET_HOURS}


def test_the_log_the_audit_and_the_metrics_tell_shown_from_held_back(
    client_with: Client,
    store: Store,
    tmp_path: Path,
    two_rules: Body,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    with caplog.at_level("INFO", "cds_hooks"):
        cards_of(client_with(store, metrics, quiet=(Quiet(shadow=True),)), two_rules)
    (line,) = [r.msg.fields for r in caplog.records if getattr(r.msg, "name", "") == "call"]
    assert line["cards"] == 0 and line["held_back"][SHADOW] >= 1 and not line["rules"]
    text = metrics.text().decode()
    assert 'vialwise_cards_held_back_total{because="shadow"' in text
    assert "vialwise_cards_total{" not in text and "vialwise_findings_total{" not in text
    (call,) = kept(tmp_path, call_audit)
    assert call["cards"] == [] and "wrong_code" in {rule for rule, _ in call["findings"]}


# ---------------------------------------------------------------- by client and tenant


def registered(
    client_with: Client, store: Store, quiet: tuple[Quiet, ...] = (), **says: Any
) -> Any:
    clients = tuple(
        Registered(iss=ISS, jwks=jwks(EC), tenant=tenant, **says) for tenant in ("7", "8")
    )
    return client_with(store, open=False, clients=clients, quiet=quiet)


def asked(service: Any, body: Body, tenant: str) -> list[dict[str, Any]]:
    token = signed(claims(iss=ISS, aud=BASE + SERVICE, tenant=tenant), EC)
    answer = service.post(SERVICE, json=body, headers={"Authorization": token})
    assert answer.status_code == 200
    return answer.json["cards"]


def test_one_tenant_is_quiet_and_the_other_is_not(
    client_with: Client, store: Store, two_rules: Body
) -> None:
    service = registered(client_with, store, (Quiet(client=ISS, tenant="7", shadow=True),))
    assert asked(service, two_rules, "7") == [] and asked(service, two_rules, "8") != []
    service = registered(
        client_with, store, (Quiet(client="https://another.example", shadow=True),)
    )
    assert asked(service, two_rules, "7") != []


def test_e4_what_an_ehr_tracks_silently_is_not_counted_as_shown(
    client_with: Client, store: Store, tmp_path: Path, two_rules: Body
) -> None:
    service = registered(client_with, store, silent_tracking=True)
    cards = asked(service, two_rules, "7")
    assert cards
    assert {(row["card"], row["held_back"]) for row in kept(tmp_path)} == {
        (card["uuid"], SILENT_TRACKING) for card in cards
    }
    assert kept(tmp_path, call_audit)[0]["cards"] == [card["uuid"] for card in cards]
    assert card_feedback.report(store.engine).total.shown == 0


# ---------------------------------------------------------------- the most cards of an answer


def many_orders(body: Body, count: int) -> Body:
    many = copy.deepcopy(body)
    entries = many["context"]["draftOrders"]["entry"]
    for number in range(1, count):
        order = copy.deepcopy(draft(body))
        order["id"] = f"{order['id']}-{number}"
        order["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] = 150 + number
        entries.append({"resource": order})
    return many


def test_a3_9_the_most_cards_of_an_answer_can_be_set(
    client_with: Client, store: Store, tmp_path: Path, two_rules: Body
) -> None:
    body = many_orders(two_rules, 4)
    every = cards_of(client_with(most_cards=100), body)
    assert len(every) > 2
    few = cards_of(client_with(store, most_cards=2), body)
    assert [card["summary"] for card in few] == [card["summary"] for card in every[:2]]
    more = len(every) - 2
    assert f"**More was found:** {more} more card" in few[-1]["detail"]
    assert "More was found" not in few[0]["detail"] + every[-1]["detail"]
    held = [row for row in kept(tmp_path) if row["held_back"]]
    assert len(held) == more and {row["held_back"] for row in held} == {OVER_LIMIT}


def test_a_database_of_before_takes_its_cards_for_shown(tmp_path: Path) -> None:
    columns = [c.name for c in card_shown.c if c.name != "held_back"]
    said = {"suggestions": "[]", "shown_at": "2026-11-23 12:00:00.000000"}
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    with store_at(f"sqlite:///{tmp_path}/store.sqlite") as store:
        with store.engine.begin() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO card_shown ({names}) VALUES ({marks})",
                tuple(said.get(name, "x") for name in columns),
            )
        assert card_feedback.report(store.engine).total.shown == 1
