"""The store on every database: whole or not at all, once however often, and two at a time."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from cds_hooks.record import store as store_module
from cds_hooks.record.card_feedback import Asked, outcomes, report
from cds_hooks.record.store import (
    DatabaseBackoff,
    card_feedback,
    card_finding,
    card_shown,
    metadata,
)
from service_parts.database import StoreFailed
from smart_app.launch import schema as app_schema
from tests.databases import KEYS, NOON, engine_at, overridden, rows, shown_card, store_at
from vialwise import database
from vialwise.terminal import CommandProblem

AGO = NOON - timedelta(days=30)
PATIENT = KEYS.patient("1")


def at_noon() -> datetime:
    return NOON


# ---------------------------------------------------------------- the schema


def test_the_migrations_make_the_tables(database_url: str) -> None:
    with engine_at(database_url) as engine:
        database.upgrade(engine)
        database.upgrade(engine)  # nothing is due
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, [metadata, app_schema.metadata]) == []


def test_no_column_is_for_anything_of_a_patient() -> None:
    names = {column.name for table in metadata.tables.values() for column in table.c}
    assert not names & {"patient", "patient_id", "user", "encounter", "resource", "summary"}


def test_processes_that_upgrade_at_once_wait_for_each_other(database_url: str) -> None:
    with engine_at(database_url):
        pass
    assert in_processes(_upgrades, *[(database_url,)] * 3) == [0, 0, 0]


def test_a_database_of_a_newer_program_is_told_so(database_url: str) -> None:
    with engine_at(database_url) as engine:
        database.upgrade(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(CommandProblem, match="newer"):
            database.upgrade(engine)


def test_a_sqlite_file_is_its_users_alone_and_in_wal_mode(tmp_path: Path) -> None:
    with store_at(f"sqlite:///{tmp_path}/new/store.sqlite") as store:
        store.record([shown_card()])
        for file in (tmp_path / "new").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
        with sqlite3.connect(tmp_path / "new/store.sqlite") as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# ---------------------------------------------------------------- once, however often


def test_a_card_is_kept_with_its_findings(database_url: str) -> None:
    card = shown_card(findings=(("wrong_code", "a"), ("weight", "stale"), ("weight", "stale")))
    with store_at(database_url, at_noon) as store:
        store.record([card])
    (kept,) = rows(database_url, card_shown)
    assert kept["card"] == card.card and kept["shown_at"] == NOON
    assert kept["suggestions"] == list(card.suggestions)
    findings = {(row["rule"], row["kind"]) for row in rows(database_url, card_finding)}
    assert findings == {("wrong_code", "a"), ("weight", "stale")}


def test_a8_2_feedback_sent_again_is_kept_once_as_it_was_last(database_url: str) -> None:
    card = shown_card()
    with store_at(database_url) as store:
        store.record([card])
        first = overridden(card, reason_code="will-correct-later")
        again = overridden(card, outcome="accepted", accepted=card.suggestions)
        for batch in ([first], [first, first], [first, again], [again]):
            assert store.feedback(batch) == 0
        (kept,) = rows(database_url, card_feedback)
        assert (kept["outcome"], kept["accepted"]) == ("accepted", list(card.suggestions))
        assert kept["reason_code"] == ""
        store.feedback([overridden(card, NOON + timedelta(seconds=1))])
        assert len(rows(database_url, card_feedback)) == 2


def test_a8_2_one_moment_is_one_feedback_in_every_time_zone(database_url: str) -> None:
    with store_at(database_url) as store:
        for text in ("2026-11-23T12:00:00+00:00", "2026-11-23T06:00:00-06:00"):
            store.feedback([overridden("c" * 36, datetime.fromisoformat(text))])
    (kept,) = rows(database_url, card_feedback)
    assert kept["outcome_at"] == NOON


def test_a8_5_feedback_on_unknown_cards_is_counted(database_url: str) -> None:
    known = shown_card()
    with store_at(database_url) as store:
        store.record([known])
        assert store.feedback([overridden(known), overridden("u" * 36), overridden("v" * 36)]) == 2
        assert store.feedback([]) == 0
    with engine_at(database_url) as engine:
        assert report(engine).unknown == 2
        assert report(engine, Asked(datetime.now(UTC) + timedelta(days=1))).unknown == 0


@pytest.mark.parametrize("when", [datetime.min, datetime.max])
def test_the_ends_of_time_can_be_kept(database_url: str, when: datetime) -> None:
    with store_at(database_url) as store:
        store.feedback([overridden("c" * 36, when.replace(tzinfo=UTC))])
    assert rows(database_url, card_feedback)[0]["outcome_at"] == when.replace(tzinfo=UTC)


# ---------------------------------------------------------------- what was overridden


def test_an_overridden_card_covers_all_its_findings(database_url: str) -> None:
    card = shown_card(findings=(("wrong_code", "a"), ("waste_modifier", "jw")))
    with store_at(database_url, at_noon) as store:
        store.record([card, shown_card(findings=(("weight", "stale"),))])
        assert store.overridden(PATIENT, AGO) == {}
        store.feedback([overridden(card)])
        found = {card.order_key: frozenset({("wrong_code", "a"), ("waste_modifier", "jw")})}
        assert store.overridden(PATIENT, AGO) == found
        assert store.overridden(KEYS.patient("2"), AGO) == {}


@pytest.mark.parametrize("first, last", [("overridden", "accepted"), ("accepted", "overridden")])
def test_what_was_said_of_a_card_last_counts(database_url: str, first: str, last: str) -> None:
    card = shown_card()
    later = overridden(card, NOON + timedelta(minutes=1), outcome=last)
    with store_at(database_url, at_noon) as store:
        store.record([card])
        store.feedback([later])
        store.feedback([overridden(card, outcome=first)])  # arrives late
        assert bool(store.overridden(PATIENT, AGO)) is (last == "overridden")


def test_an_override_ends_with_the_quiet_days_by_either_clock(database_url: str) -> None:
    clock = [NOON]
    card, promised = shown_card(), shown_card(order_key="p" * 64)
    with store_at(database_url, lambda: clock[0]) as store:
        store.record([card, promised])
        in_time_to_come = NOON + timedelta(days=3650)
        store.feedback([overridden(card), overridden(promised, in_time_to_come)])
        assert set(store.overridden(PATIENT, AGO)) == {card.order_key, promised.order_key}
        assert store.overridden(PATIENT, NOON + timedelta(seconds=1)) == {}


def test_forget_deletes_cards_findings_and_feedback_of_before(database_url: str) -> None:
    clock = [NOON - timedelta(days=400)]
    old, new = shown_card(), shown_card()
    with store_at(database_url, lambda: clock[0]) as store:
        store.record([old])
        store.feedback([overridden(old), overridden("u" * 36)])
        clock[0] = NOON
        store.record([new])
        store.feedback([overridden(new), overridden("v" * 36)])
        assert store.forget(AGO) == 1
        assert store.forget(AGO) == 0
    assert [row["card"] for row in rows(database_url, card_shown)] == [new.card]
    assert [row["card"] for row in rows(database_url, card_finding)] == [new.card]
    assert {row["card"] for row in rows(database_url, card_feedback)} == {new.card, "v" * 36}


# ---------------------------------------------------------------- reports


def test_outcomes_are_counted_by_what_was_said_last(database_url: str) -> None:
    cards = [shown_card(payer_id=payer) for payer in ("a", "a", "b")]
    with store_at(database_url, at_noon) as store:
        store.record(cards)
        later = NOON + timedelta(minutes=1)
        store.feedback([overridden(cards[0]), overridden(cards[0], later, outcome="accepted")])
        store.feedback([overridden(cards[1], reason_code="x")])
    with engine_at(database_url) as engine:
        assert len(outcomes(engine, Asked(AGO))) == 4
        assert outcomes(engine, Asked(NOON + timedelta(days=1))) == []
        assert report(engine, Asked(NOON + timedelta(days=1))).first is None
        found = report(engine, Asked(AGO))
    counted = found.by_payer
    assert found.first == found.last == NOON.date()
    assert found.reasons == {"x": 1}
    assert (counted["a"].shown, counted["a"].accepted, counted["a"].overridden) == (2, 1, 1)
    assert (counted["b"].shown, counted["b"].ignored) == (1, 1)


# ---------------------------------------------------------------- faults


def test_a_batch_is_kept_whole_or_not_at_all(database_url: str) -> None:
    with store_at(database_url) as store:
        batch = [overridden(f"{n:036}") for n in range(50)]
        bad = overridden("x" * 36, reason_code="\0")  # PostgreSQL keeps no NUL
        if database_url.startswith("sqlite"):
            forbid(store._engine, "x" * 36)
        with pytest.raises(StoreFailed) as failed:
            store.feedback([*batch, bad])
        assert "x" * 36 not in str(failed.value)
    assert rows(database_url, card_feedback) == []


def test_cards_are_recorded_whole_or_not_at_all(database_url: str) -> None:
    twice = shown_card()
    with store_at(database_url) as store:
        store.record([twice])
        with pytest.raises(StoreFailed):
            store.record([shown_card(), twice])
    assert len(rows(database_url, card_shown)) == 1


def forbid(engine: sa.Engine, card: str) -> None:
    """No feedback on `card` can be written."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE INSERT ON card_feedback WHEN NEW.card = "
            f"'{card}' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )


def test_a_lock_is_waited_for_and_then_given_up(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "WAIT_FOR_FEEDBACK", 150)
    with store_at(database_url) as store, locked(store._engine) as lock:
        started = time.monotonic()
        with pytest.raises(StoreFailed):
            store.feedback([overridden("c" * 36)])
        assert 0.1 < time.monotonic() - started < 5
        release = threading.Timer(0.02, lock.rollback)
        release.start()
        monkeypatch.setattr(store_module, "WAIT_FOR_FEEDBACK", 5000)
        assert store.feedback([overridden("c" * 36)]) == 1
        release.join()


def locked(engine: sa.Engine) -> sa.Connection:
    """Another's transaction that keeps everybody else from writing feedback."""
    connection = engine.connect().execution_options(vialwise_begin="IMMEDIATE")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE card_feedback IN ACCESS EXCLUSIVE MODE")
    else:
        connection.exec_driver_sql("SELECT 1")
    return connection


def test_a_sqlite_file_that_is_gone_is_a_fault_and_not_an_empty_one(tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    with store_at(f"sqlite:///{file}") as store:
        store.record([shown_card()])
        file.rename(tmp_path / "moved.sqlite")
        for _ in range(2):
            with pytest.raises(StoreFailed):
                store.feedback([overridden("c" * 36)])
        assert not file.exists()
        (tmp_path / "moved.sqlite").rename(file)
        assert store.feedback([overridden("c" * 36)]) == 1
    assert len(rows(f"sqlite:///{file}", card_feedback)) == 1


def test_a_postgresql_that_is_down_is_a_fault_within_a_moment(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    address = database.address(f"postgresql://nobody@/none?host={tmp_path}")
    store = store_module.Store(database.engine(address), KEYS)
    started = time.monotonic()
    with pytest.raises(StoreFailed):
        store.feedback([overridden("c" * 36)])
    assert time.monotonic() - started < 3


def test_a_slow_failure_is_followed_by_a_rest_ten_times_as_long() -> None:
    clock = [100.0]
    backoff = DatabaseBackoff(lambda: clock[0])
    assert backoff.over
    with pytest.raises(ValueError), backoff.after_failure():
        clock[0] += 2
        raise ValueError
    assert not backoff.over
    clock[0] += 19.9
    assert not backoff.over
    clock[0] += 0.2
    assert backoff.over
    with backoff.after_failure():
        clock[0] += 5
    assert backoff.over


# ---------------------------------------------------------------- two processes at once

EACH = 40


def test_two_processes_write_at_once_and_nothing_is_lost(database_url: str) -> None:
    with store_at(database_url):
        pass
    assert in_processes(_writes, (database_url, "a"), (database_url, "b")) == [0, 0]
    assert len(rows(database_url, card_shown)) == 2 * EACH
    assert len(rows(database_url, card_feedback)) == 3 * EACH, "half of them are the same for both"


def in_processes(do: Any, *arguments: tuple[Any, ...]) -> list[int | None]:
    """The exit codes of processes that `do` at the same time."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=do, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def _upgrades(url: str) -> None:
    with engine_at(url) as engine:
        database.upgrade(engine)


def _writes(url: str, name: str) -> None:
    """Every batch names the same cards as the other process's, from the other end."""
    with engine_at(url) as engine:
        store = store_module.Store(engine, KEYS)
        store_module.WAIT_FOR_CARDS = 10_000
        store_module.WAIT_FOR_FEEDBACK = 10_000
        for number in range(EACH):
            store.record([shown_card()])
            shared, own = f"s{number:035}", f"{name}{number:035}"
            batch = [overridden(shared), overridden(own)]
            store.feedback(batch if name == "a" else batch[::-1])
