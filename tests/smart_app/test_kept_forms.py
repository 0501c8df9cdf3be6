"""Drafts and sent forms in both databases: whose, how long, and each form sent once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from service_parts.database import StoreFailed
from smart_app.forms.saved_forms import SENDING_TAKES, SavedForms, Sent, new_form_key
from smart_app.launch.schema import metadata
from smart_app.launch.store import FORMS_KEPT, Seal
from tests.databases import database_url, engine_at, postgresql  # noqa: F401 - fixtures
from vialwise import database

SEAL = Seal((b"a key for tests of 32 bytes or more!",))
START = datetime(2026, 11, 24, 10, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def kept(database_url: str) -> Iterator[SavedForms]:
    with engine_at(database_url) as engine:
        database.upgrade(engine)
        yield SavedForms(engine, SEAL, Clock(), FORMS_KEPT)


def later(kept: SavedForms, by: timedelta) -> None:
    clock: Any = kept.now
    clock.at += by


def test_the_migrations_make_these_tables(kept: SavedForms) -> None:
    with kept.engine.connect() as connection:
        options = {
            "include_object": lambda item, name, kind, *_: (
                name.startswith("app_") or kind != "table"
            )
        }
        context = MigrationContext.configure(connection, opts=options)
        changes = [c for c in compare_metadata(context, metadata) if "app_" in str(c)]
    assert changes == []


def test_a_draft_is_what_was_typed_last(kept: SavedForms) -> None:
    assert kept.draft("me", "documentation", "MedicationRequest/1") is None
    kept.keep("me", "documentation", "MedicationRequest/1", {"a.0.b": "1"}, "k" * 32)
    kept.keep("me", "documentation", "MedicationRequest/1", {"a.0.b": "2"}, "k" * 32)
    found = kept.draft("me", "documentation", "MedicationRequest/1")
    assert found is not None and found.typed == {"a.0.b": "2"} and found.form_key == "k" * 32
    for other in (
        ("you", "documentation", "MedicationRequest/1"),
        ("me", "close-out", "MedicationRequest/1"),
        ("me", "documentation", "MedicationRequest/2"),
    ):
        assert kept.draft(*other) is None
    kept.drop("me", "documentation", "MedicationRequest/1")
    assert kept.draft("me", "documentation", "MedicationRequest/1") is None


def test_drafts_and_sent_forms_are_forgotten(kept: SavedForms) -> None:
    kept.keep("me", "documentation", "o", {"a.0.b": "1"}, "k" * 32)
    assert kept.claim("k" * 32, "order") == "yours"
    kept.finished("k" * 32, {"results": []}, True)
    later(kept, FORMS_KEPT)
    assert kept.draft("me", "documentation", "o") is None, "even before anything was swept"
    kept.sweep()
    assert kept.outcome("k" * 32, "order") is None
    assert kept.claim("k" * 32, "order") == "yours"


def test_of_many_clicks_one_sends(kept: SavedForms) -> None:
    key, claims = new_form_key(), []
    threads = [
        threading.Thread(target=lambda: claims.append(kept.claim(key, "order"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(map(str, claims)) == ["under way"] * 7 + ["yours"]


def test_a_send_that_was_cut_off_is_the_next_ones(kept: SavedForms) -> None:
    key = new_form_key()
    assert kept.claim(key, "order") == "yours"
    assert kept.claim(key, "order") == "under way"
    later(kept, SENDING_TAKES)
    assert kept.claim(key, "order") == "yours"
    kept.finished(key, {"n": 1}, False)
    found = kept.outcome(key, "order")
    assert found is not None and not found.complete
    assert kept.claim(key, "order") == "yours", "what is not finished can be sent again"
    kept.finished(key, {"n": 2}, True)
    again = kept.claim(key, "order")
    assert isinstance(again, Sent) and again.outcome == {"n": 2}


def test_what_was_sent_last_for_an_order_is_told_to_all(kept: SavedForms) -> None:
    for n, key in enumerate(("a" * 32, "b" * 32)):
        later(kept, timedelta(minutes=1))
        kept.claim(key, "order")
        kept.finished(key, {"n": n}, True)
    kept.claim("c" * 32, "order")
    last = kept.last("order")
    assert last is not None and last.form_key == "b" * 32
    assert kept.last("another order") is None
    assert kept.outcome("b" * 32, "another order") is None, "nobody reads it by its key alone"


def test_a_database_that_is_gone_is_told(kept: SavedForms) -> None:
    with kept.engine.begin() as connection:
        metadata.tables["app_sent_form"].drop(connection)
        metadata.tables["app_draft"].drop(connection)
    with pytest.raises(StoreFailed):
        kept.claim(new_form_key(), "order")
    with pytest.raises(StoreFailed):
        kept.keep("me", "documentation", "o", {}, "k" * 32)
    with kept.engine.begin() as connection:
        metadata.tables["app_sent_form"].create(connection)
        metadata.tables["app_draft"].create(connection)


def test_a_forms_key_opens_nothing_of_another_order(kept: SavedForms) -> None:
    """The key stands in a page, so somebody else could send it."""
    key = new_form_key()
    assert kept.claim(key, "order") == "yours"
    kept.finished(key, {"results": ["of this order"]}, True)
    with pytest.raises(StoreFailed):
        kept.claim(key, "another order")
    assert kept.outcome(key, "another order") is None
    found = kept.claim(key, "order")
    assert isinstance(found, Sent) and found.outcome == {"results": ["of this order"]}


def test_a_form_that_was_claimed_while_the_clock_ran_ahead_can_be_sent(kept: SavedForms) -> None:
    key = new_form_key()
    later(kept, timedelta(days=365))
    assert kept.claim(key, "order") == "yours"
    later(kept, timedelta(days=-365))
    assert kept.claim(key, "order") == "yours"
    later(kept, timedelta(minutes=-1))  # the other machine's clock
    assert kept.claim(key, "order") == "under way"
