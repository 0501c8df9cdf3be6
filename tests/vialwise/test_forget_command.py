"""`vialwise forget`: nothing is kept longer than a site wants it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cds_hooks.tables import call_audit, card_shown
from tests.cds_hooks.test_audit import BY, a_call
from tests.databases import NOON, rows, shown_card, store_at
from tests.vialwise.conftest import Run


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with a card and a call of thirty days ago, and of today."""
    clock = [NOON - timedelta(days=30)]

    def now() -> datetime:
        return clock[0]

    url = f"sqlite:///{tmp_path}/kept.sqlite"
    with store_at(url, now) as store:
        for then in (clock[0], NOON):
            clock[0] = then
            store.record([shown_card()])
            store.audit.record(a_call(), BY)
    return url


def test_cards_and_calls_are_forgotten_apart(run: Run, url: str) -> None:
    result = run("forget", "--calls-before", "2026-11-23", "--database", url)
    assert (result.exit_code, result.stdout) == (0, "Audited calls deleted: 1.\n")
    assert (len(rows(url, call_audit)), len(rows(url, card_shown))) == (1, 2)
    result = run("forget", "--cards-before", "2026-11-23", "--database", url)
    assert (result.exit_code, result.stdout) == (0, "Cards deleted, with their feedback: 1.\n")
    assert (len(rows(url, call_audit)), len(rows(url, card_shown))) == (1, 1)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "nothing to forget: give --cards-before or --calls-before with a date"),
        (("--calls-before", "yesterday"), "'yesterday' is no date"),
    ],
)
def test_without_a_day_nothing_is_deleted(
    run: Run, url: str, args: tuple[str, ...], says: str
) -> None:
    result = run("forget", *args, "--database", url)
    assert result.exit_code == 2 and says in result.stderr
    assert len(rows(url, call_audit)) == 2


def test_a_database_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    result = run("forget", "--calls-before", "2026-11-23", "--database", tmp_path / "none.sqlite")
    assert result.exit_code == 2 and "there is no database" in result.stderr
    assert not (tmp_path / "none.sqlite").exists()
