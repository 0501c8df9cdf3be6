"""What is too old is deleted once a day, by one worker, and no answer waits for it."""

from __future__ import annotations

import multiprocessing
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cds_hooks.record.entries import AuditedCall
from cds_hooks.record.store import (
    EVERY,
    STEP,
    WAIT_FOR_CARDS,
    Retention,
    call_audit,
    card_feedback,
    card_finding,
    card_shown,
    first_of_the_day,
)
from service_parts.database import StoreFailed
from tests.databases import NOON, database_url, overridden, rows, shown_card, store_at  # noqa: F401
from vialwise.serving import server

CALL = AuditedCall("c", "", "s", "h", "", "r", "k" * 64, "i" * 64, 200, "answered", (), (), 1)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def quick(_: float) -> None:
    """Without the pauses."""


def test_old_cards_and_audits_go_and_young_ones_stay(database_url: str) -> None:
    from cds_hooks.record.entries import CodeSets

    clock = Clock()
    with store_at(database_url, clock) as store:
        for days in (0, 20, 40):
            clock.now = NOON + timedelta(days=days)
            card = shown_card()
            store.record([card, shown_card(held_back="shadow")])
            store.feedback([overridden(card, clock.now), overridden(f"{days:036}", clock.now)])
            store.audit.record(CALL, CodeSets())
        assert Retention(card_days=30, audit_days=35).apply(store, quick)
        kept = [(r["shown_at"] - NOON).days for r in rows(database_url, card_shown)]
        assert sorted(kept) == [20, 20, 40, 40]
        assert len(rows(database_url, card_finding)) == 4
        assert len(rows(database_url, card_feedback)) == 4
        assert len(rows(database_url, call_audit)) == 2


def test_without_days_nothing_is_deleted_and_nothing_asked(tmp_path: Path) -> None:
    with store_at(f"sqlite:///{tmp_path}/s.sqlite", Clock()) as store:
        store.record([shown_card()])
        assert not Retention().apply(store, quick)
        assert len(rows(f"sqlite:///{tmp_path}/s.sqlite", card_shown)) == 1


def test_it_is_done_once_a_day(database_url: str) -> None:
    clock, keep = Clock(), Retention(card_days=30)
    with store_at(database_url, clock) as store:
        done = []
        for hours in (0, 1, 23, 24, 25, 49):
            clock.now = NOON + timedelta(hours=hours)
            done.append(keep.apply(store, quick))
    assert done == [True, False, False, True, False, True]


def _claims(url: str) -> bool:
    with store_at(url) as store:
        return first_of_the_day(store.engine, NOON)


def test_of_several_workers_one_does_it(database_url: str) -> None:
    with store_at(database_url):
        pass
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert sorted(pool.map(_claims, [database_url] * 3)) == [False, False, True]


def test_a_worker_that_died_is_followed_the_day_after(tmp_path: Path) -> None:
    clock = Clock()
    with store_at(f"sqlite:///{tmp_path}/s.sqlite", clock) as store:
        assert first_of_the_day(store.engine, clock.now)  # and then it dies
        store.record([shown_card()])
        clock.now = NOON + EVERY + timedelta(days=30)
        assert Retention(card_days=30).apply(store, quick)
        assert rows(f"sqlite:///{tmp_path}/s.sqlite", card_shown) == []


def test_many_go_in_small_steps_with_pauses(tmp_path: Path) -> None:
    clock, pauses = Clock(), []
    with store_at(f"sqlite:///{tmp_path}/s.sqlite", clock) as store:
        store.record([shown_card() for _ in range(2 * STEP + 5)])
        clock.now = NOON + timedelta(days=31)
        assert Retention(card_days=30).apply(store, pauses.append)
        assert rows(f"sqlite:///{tmp_path}/s.sqlite", card_shown) == []
    assert len(pauses) == 3


def test_cards_are_recorded_while_it_deletes(tmp_path: Path) -> None:
    """Each record takes less than the time that an answer waits for the database."""
    clock = Clock()
    with store_at(f"sqlite:///{tmp_path}/s.sqlite", clock) as store:
        for _ in range(10):
            store.record([shown_card() for _ in range(300)])
        clock.now = NOON + timedelta(days=31)
        deleting = threading.Thread(target=Retention(card_days=30).apply, args=(store,))
        deleting.start()
        slowest, recorded = 0.0, 0
        while deleting.is_alive():
            began = time.perf_counter()
            store.record([shown_card()])
            slowest, recorded = max(slowest, time.perf_counter() - began), recorded + 1
            time.sleep(0.002)
        deleting.join()
        assert len(rows(f"sqlite:///{tmp_path}/s.sqlite", card_shown)) == recorded > 1
    assert slowest < WAIT_FOR_CARDS / 1000


def test_a_database_that_fails_costs_nothing_but_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with store_at(f"sqlite:///{tmp_path}/s.sqlite", Clock()) as store:
        (tmp_path / "s.sqlite").unlink()
        assert not Retention(card_days=1).apply(store, quick)
        with pytest.raises(StoreFailed):
            first_of_the_day(store.engine, NOON)
    assert "was not deleted: OperationalError" in caplog.text


def test_each_worker_asks_again_and_again_until_it_ends() -> None:
    done, ended = [], threading.Event()

    def breaks() -> None:
        done.append("breaks")
        raise RuntimeError("whatever happens, the thread goes on to its next task and turn")

    def ends() -> None:
        done.append("ends")
        ended.set()

    server._run((breaks, ends), ended, wait=0.01)
    assert done == ["breaks", "ends"]
    before = threading.active_count()
    server.start_retention()()
    assert threading.active_count() == before


def test_a_deletion_while_the_clock_ran_ahead_does_not_end_deletions(tmp_path: Path) -> None:
    with store_at(f"sqlite:///{tmp_path}/s.sqlite", Clock()) as store:
        assert first_of_the_day(store.engine, NOON + timedelta(days=365))
        assert first_of_the_day(store.engine, NOON)
        assert not first_of_the_day(store.engine, NOON)
