"""Databases to test with: SQLite always; PostgreSQL where there is one.

VIALWISE_TEST_POSTGRES names a PostgreSQL by its URL. Without it one is started from the
distribution's programs (postgres.py), and ended again.
"""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cds_hooks.record.entries import Feedback, KeyedHashes, ShownCard
from cds_hooks.record.store import Store, utc_now
from tests import postgres
from vialwise import database

KEYS = KeyedHashes(b"a secret for tests, 32 bytes long")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server's database."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("no psycopg: pip install 'vialwise[postgres]'")
    named = os.environ.get("VIALWISE_TEST_POSTGRES")
    if named:
        yield named
        return
    binaries = postgres.programs()
    if binaries is None:
        pytest.skip("no PostgreSQL: name one in VIALWISE_TEST_POSTGRES, or install its server")
    with postgres.started(binaries) as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.sqlite"
        return
    with _schema(request.getfixturevalue("postgresql")) as url:
        yield url


@contextmanager
def store_at(
    url: str,
    now: Callable[[], datetime] = utc_now,
    prepare: Callable[[sa.Engine], None] = lambda _: None,
) -> Iterator[Store]:
    """A store in the database at `url`, brought up to date. `prepare` may spoil it."""
    with engine_at(url) as engine:
        database.upgrade(engine)
        prepare(engine)
        yield Store(engine, KEYS, now)


@contextmanager
def engine_at(url: str) -> Iterator[sa.Engine]:
    """An engine for `url`, with an empty file where it is SQLite."""
    address = database.address(url)
    file = database.sqlite_file(address)
    if file:
        database.make_private(file)
    engine = database.engine(address)
    try:
        yield engine
    finally:
        engine.dispose()


def rows(url: str, table: sa.Table) -> list[dict[str, Any]]:
    """What is in `table`."""
    with engine_at(url) as engine, engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(table))]


def shown_card(**changes: Any) -> ShownCard:
    """A card of the rule wrong_code."""
    said: dict[str, Any] = {
        "card": str(uuid.uuid4()),
        "suggestions": (str(uuid.uuid4()),),
        "service": "vialwise-orders",
        "hook": "order-sign",
        "findings": (("wrong_code", "other drug"),),
        "rule_set": "1+a",
        "payer_id": "medicare-part-b",
        "drug_id": "omalizumab",
        "topic": "billing",
        "indicator": "warning",
        "patient_key": KEYS.patient("1"),
        "order_key": "o" * 64,
    }
    return ShownCard(**{**said, **changes})


def overridden(card: ShownCard | str, at: datetime = NOON, **changes: Any) -> Feedback:
    """A card set aside."""
    id_ = card if isinstance(card, str) else card.card
    return Feedback(id_, changes.pop("outcome", "overridden"), at, **changes)


# ---------------------------------------------------------------- PostgreSQL


@contextmanager
def _schema(server: str) -> Iterator[str]:
    """An address where every table is in a schema of its own, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    engine = database.engine(database.address(server))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    url = database.address(server).update_query_dict({"options": f"-csearch_path={name}"})
    yield url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    engine.dispose()
