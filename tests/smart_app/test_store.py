"""Launches and windows in SQLite and in PostgreSQL, sealed, by several workers at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service_parts.database import StoreFailed
from smart_app.launch.schema import app_launch, app_window, metadata
from smart_app.launch.store import Attempt, LaunchGrant, Seal, Tokens, WindowStore
from tests.databases import engine_at, rows
from tests.smart_app.conftest import SEAL_KEYS, Clock
from vialwise import database

ATTEMPT = Attempt("strict", "a verifier", "a nonce", "launch openid")
OPENED = LaunchGrant(
    "p-1",
    "e-1",
    "Practitioner/7",
    "Dr. Fenwick",
    "clinician",
    "patient/*.rs",
    "MedicationRequest/1",
    ("total_ige",),
    True,
    "",
)
TOKENS = Tokens("an access token", 2e9, "a refresh token")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[WindowStore]:
    with engine_at(database_url) as engine:
        database.upgrade(engine)
        yield WindowStore(engine, Seal(SEAL_KEYS), timedelta(hours=8), timedelta(minutes=30), clock)


def opened(store: WindowStore, id_: str = "w" * 16) -> str:
    store.open(id_, "a key", "strict", "o" * 64, OPENED, TOKENS)
    return id_


def test_the_migrations_make_the_tables(store: WindowStore) -> None:
    found = sa.inspect(store.engine)
    for table in metadata.sorted_tables:
        columns = {c["name"]: c["nullable"] for c in found.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}
        indexes = {index["name"] for index in found.get_indexes(table.name)}
        assert indexes == {index.name for index in table.indexes}


def test_a_launch_is_taken_once_by_the_browser_that_began_it(store: WindowStore) -> None:
    store.begin("a state", "a browser", ATTEMPT)
    assert store.take("another state", "a browser") is None
    assert store.take("a state", "a browser") == ATTEMPT
    assert store.take("a state", "a browser") is None


def test_a_launch_is_taken_once_by_many_at_once(store: WindowStore) -> None:
    store.begin("a state", "a browser", ATTEMPT)
    taken: list[Attempt | None] = []
    threads = [
        threading.Thread(target=lambda: taken.append(store.take("a state", "a browser")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(taken) == 6 and [t for t in taken if t] == [ATTEMPT]


def test_a_window_comes_back_as_it_was_kept(store: WindowStore) -> None:
    kept = store.find(opened(store), "a key")
    assert kept is not None
    assert (kept.opened, kept.tokens, kept.version) == (OPENED, TOKENS, 0)
    assert store.find(kept.id, "another key") is None
    assert store.find("x" * 16, "a key") is None


def test_of_many_that_want_to_renew_one_may(store: WindowStore) -> None:
    id_ = opened(store)
    kept = store.find(id_, "a key")
    assert kept is not None
    claimed: list[bool] = []
    threads = [
        threading.Thread(target=lambda: claimed.append(store.claim_renewal(kept))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(claimed) == [False] * 5 + [True]
    store.renewed(kept, OPENED, replace(TOKENS, access="the next"))
    after = store.current(id_)
    assert after is not None and after.tokens is not None
    assert (after.tokens.access, after.version) == ("the next", 1)
    assert not store.claim_renewal(kept), "it is of the version before"


def test_a_renewal_does_not_open_an_ended_window_again(store: WindowStore) -> None:
    kept = store.find(opened(store), "a key")
    assert kept is not None
    store.end(kept.id)
    store.renewed(kept, OPENED, TOKENS)
    after = store.current(kept.id)
    assert after is not None and after.tokens is None


def test_sweeping_forgets_what_is_over_and_nothing_else(store: WindowStore, clock: Clock) -> None:
    old = opened(store, "a" * 16)
    store.begin("old", "b", ATTEMPT)
    clock.moved = timedelta(minutes=29)
    new = opened(store, "b" * 16)
    clock.moved = timedelta(minutes=31)
    store.begin("new", "b", ATTEMPT)
    store.sweep()
    assert store.take("old", "b") is None and store.take("new", "b") == ATTEMPT
    with store.engine.connect() as connection:
        sealed = dict(connection.execute(sa.select(app_window.c.id, app_window.c.sealed)).all())  # type: ignore[arg-type]
    assert sealed[old] == "" and sealed[new] != ""


def test_nothing_stands_there_in_the_clear(store: WindowStore, database_url: str) -> None:
    opened(store)
    store.begin("a state", "a browser", ATTEMPT)
    text = str(rows(database_url, app_window)) + str(rows(database_url, app_launch))
    for secret in (
        "a key",
        "an access",
        "a refresh",
        "p-1",
        "Fenwick",
        "a state",
        "a browser",
        "a verifier",
        "a nonce",
        "Practitioner",
    ):
        assert secret not in text


def test_what_was_sealed_for_one_window_opens_no_other(store: WindowStore) -> None:
    one, two = opened(store, "a" * 16), opened(store, "b" * 16)
    with store.engine.begin() as connection:
        stolen = sa.select(app_window.c.sealed).where(app_window.c.id == one).scalar_subquery()
        connection.execute(app_window.update().where(app_window.c.id == two).values(sealed=stolen))
    kept = store.find(two, "a key")
    assert kept is not None and kept.tokens is None


def test_a_new_key_goes_in_front_and_old_windows_stay_open(store: WindowStore) -> None:
    id_ = opened(store)
    newest = b"a key that is newer than all of them"
    rotated = replace(store, seal=Seal((newest, *SEAL_KEYS)))
    kept = rotated.find(id_, "a key")
    assert kept is not None and kept.tokens == TOKENS
    assert rotated.seal.keyed_hash("x") == store.seal.keyed_hash("x")
    without = replace(store, seal=Seal((newest,)))
    ended = without.find(id_, "a key")
    assert ended is not None and ended.tokens is None, "a window that cannot be opened has ended"


def test_a_short_key_seals_nothing() -> None:
    for keys in ((), (b"short",), (SEAL_KEYS[0], b"")):
        with pytest.raises(ValueError):
            Seal(keys)


def test_a_database_that_is_away_says_so_without_repeating_anything(store: WindowStore) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE app_window")
    with pytest.raises(StoreFailed) as failed:
        store.open("w" * 16, "a key", "strict", "o" * 64, OPENED, TOKENS)
    assert "Fenwick" not in str(failed.value)


# ---------------------------------------------------------------- clocks that jump


def test_what_was_begun_while_the_clock_ran_ahead_is_over_when_it_is_right(
    store: WindowStore, clock: Clock
) -> None:
    """Otherwise a window of that time could be used for as long as the clock was wrong."""
    clock.moved = timedelta(days=365)
    id_ = opened(store)
    store.begin("a state", "a browser", ATTEMPT)
    clock.moved = timedelta(0)
    kept = store.find(id_, "a key")
    assert kept is not None and kept.opened is None and kept.tokens is None
    assert store.take("a state", "a browser") is None
    store.begin("another", "a browser", ATTEMPT)
    clock.moved = timedelta(days=-1)
    store.sweep()
    assert rows_of(store, app_launch) == [] and rows_of(store, app_window)[0].sealed == ""


def test_a_clock_that_goes_back_ends_nothing_that_is_used(store: WindowStore, clock: Clock) -> None:
    """Two machines, or one that is set right by a minute."""
    id_ = opened(store)
    store.begin("a state", "a browser", ATTEMPT)
    clock.moved = timedelta(minutes=-1)
    store.sweep()
    kept = store.find(id_, "a key")
    assert kept is not None and kept.opened == OPENED
    assert store.take("a state", "a browser") == ATTEMPT


def test_a_clock_that_jumps_ahead_ends_a_window_and_does_not_open_it_again(
    store: WindowStore, clock: Clock
) -> None:
    id_ = opened(store)
    clock.moved = timedelta(days=1)
    store.sweep()
    clock.moved = timedelta(0)
    kept = store.find(id_, "a key")
    assert kept is not None and kept.opened is None


def test_a_renewal_that_was_claimed_while_the_clock_ran_ahead_blocks_nobody(
    store: WindowStore, clock: Clock
) -> None:
    kept = store.find(opened(store), "a key")
    assert kept is not None
    clock.moved = timedelta(days=365)
    assert store.claim_renewal(kept)
    clock.moved = timedelta(0)
    assert store.claim_renewal(kept) and not store.claim_renewal(kept)


def rows_of(store: WindowStore, table: sa.Table) -> list[sa.Row]:
    with store.engine.connect() as connection:
        return list(connection.execute(sa.select(table)))
