"""`vialwise forget`: nothing is kept longer than a site wants it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cds_hooks.record.store import call_audit, card_shown
from smart_app.forms.saved_forms import SavedForms
from smart_app.launch.schema import app_draft, app_launch, app_sent_form, app_window
from smart_app.launch.store import Attempt, LaunchGrant, Seal, Tokens, WindowStore
from tests.cds_hooks.test_audit import BY, a_call
from tests.databases import NOON, engine_at, rows, shown_card, store_at
from tests.vialwise.conftest import Run
from tests.vialwise.test_demo import started, url_in
from vialwise.serving.server import FIRST


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
        ((), "nothing to forget: give --cards-before, --calls-before or"),
        (("--calls-before", "yesterday"), "'yesterday' is not a date"),
        (("--calls-before", "2026-W01-1"), "'2026-W01-1' is not a date"),
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


def test_the_settings_say_where_the_database_is(run: Run, url: str, tmp_path: Path) -> None:
    config = tmp_path / "vialwise.toml"
    config.write_text('database = "kept.sqlite"\n')  # beside the settings, wherever one stands
    result = run("forget", "--cards-before", "2026-11-23", "--config", config)
    assert (result.exit_code, result.stdout) == (0, "Cards deleted, with their feedback: 1.\n")
    result = run("feedback", "--config", config)
    assert result.exit_code == 0 and "1 shown" in result.stdout
    config.write_text("databas = 1\n")
    for command in (("feedback",), ("forget", "--cards-before", "2026-11-23")):
        result = run(*command, "--config", config)
        assert result.exit_code == 2 and "databas" in result.stderr


def test_serve_forgets_by_itself_what_is_too_old(tmp_path: Path) -> None:
    """Both workers ask; the log has one line of it, and cards of today stay."""
    file, clock = tmp_path / "kept.sqlite", [datetime.now(UTC) - timedelta(days=50)]
    url = f"sqlite:///{file}"
    with store_at(url, lambda: clock[0]) as store:
        store.record([shown_card()])
        clock[0] += timedelta(days=50)
        store.record([shown_card()])
    config = tmp_path / "vialwise.toml"
    config.write_text("keep_days = 40\n")
    named = ("--config", str(config), "--database", str(file))
    with started("serve", "--open", "--port", "0", *named) as process:
        url_in(process)
        until = time.monotonic() + 30
        while len(rows(url, card_shown)) > 1 and time.monotonic() < until:
            time.sleep(0.2)
        time.sleep(FIRST)  # the other worker asks as well
        process.terminate()
        said = process.communicate(timeout=20)[0]
    assert len(rows(url, card_shown)) == 1
    assert said.count("deleted what is too old: cards=1 audited calls=0") == 1


def test_what_the_app_keeps_is_forgotten_by_day(run: Run, url: str) -> None:
    """Windows with their tokens, launches, and what was typed; nothing of the day itself."""
    at = [NOON - timedelta(days=2)]
    with engine_at(url) as engine:
        store = WindowStore(engine, Seal((b"k" * 32,)), timedelta(9), timedelta(9), lambda: at[0])
        forms = SavedForms.of(store)
        for nth, days in enumerate((2, 0)):
            at[0] = NOON - timedelta(days=days)
            store.begin(f"state {nth}", "a browser", Attempt("main", "", "", ""))
            opened = LaunchGrant("p", "", "", "", "staff", "", "", (), True, "")
            store.open(str(nth) * 16, "a key", "main", "o" * 64, opened, Tokens("a", 2e9, ""))
            forms.keep("me", "documentation", f"order {nth}", {}, str(nth) * 32)
            forms.claim(str(nth) * 32, "o" * 64)
    result = run("forget", "--app-before", f"{NOON:%Y-%m-%d}", "--database", url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "Windows of the app deleted: 1; forms: 2.\n"
    assert [row["id"] for row in rows(url, app_window)] == ["1" * 16]
    assert [len(rows(url, t)) for t in (app_launch, app_draft, app_sent_form)] == [1, 1, 1]
    assert len(rows(url, card_shown)) == 2
