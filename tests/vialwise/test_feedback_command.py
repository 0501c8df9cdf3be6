"""`vialwise feedback`, and where `serve` and `demo` keep what it reads."""

from __future__ import annotations

import csv
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

import fixtures
from cds_hooks.record.store import Store
from tests.databases import database_url, overridden, postgresql, shown_card, store_at  # noqa: F401
from tests.vialwise.conftest import Run
from tests.vialwise.test_demo import ROOT, VIALWISE, started, url_in
from vialwise import database, secret_file
from vialwise.terminal import CommandProblem

MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
COMMENT = "Ada Winterbourne said so"


@contextmanager
def a_fortnight(url: str) -> Iterator[Store]:
    """Six cards in two weeks: one accepted, two overridden, three unanswered."""
    clock = [MONDAY]
    with store_at(url, lambda: clock[0]) as store:
        first = [shown_card(), shown_card(findings=(("wrong_code", "a"), ("weight", "stale")))]
        store.record(first)
        store.feedback([overridden(first[0], MONDAY, outcome="accepted")])
        why = {"reason_code": "payer-rule-differs", "reason_display": "Payer rule differs"}
        store.feedback([overridden(first[1], MONDAY, comment=COMMENT, comment_sent=True, **why)])
        clock[0] += timedelta(days=7)
        second = [shown_card(payer_id="maryland-medicaid", findings=()) for _ in range(4)]
        store.record(second)
        store.feedback([overridden(second[0], clock[0]), overridden("u" * 36)])
        yield store


def test_it_counts_by_rule_payer_and_week(run: Run, database_url: str) -> None:
    with a_fortnight(database_url):
        result = run("feedback", "--database", database_url)
    assert result.exit_code == 0, result.output
    words = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    (head,) = [line for line in result.stdout.splitlines() if line.startswith("By payer")]
    (row,) = [line for line in result.stdout.splitlines() if "Medicare Part B" in line]
    assert len(head) == len(row) and head.endswith("ignored")
    for line in (
        "Cards shown 2026-11-16 to 2026-11-23",
        "6 shown, 1 accepted, 2 overridden, 3 ignored (without an answer)",
        "Wrong code 2 1 1 0",
        "Weight 1 0 1 0",
        "Medicare Part B 2 1 1 0",
        "Maryland Medicaid plan (UHC Com… 4 0 1 3",
        "2026-W47 2 1 1 0",
        "2026-W48 4 0 1 3",
        "1 Payer rule differs",
        "1 no reason given",
        "Feedback on cards that are not on record: 1.",
    ):
        assert line in words, result.stdout
    assert "Winterbourne" not in result.output


def test_since_leaves_out_what_was_shown_before(run: Run, tmp_path: Path) -> None:
    with a_fortnight(str(tmp_path / "s.sqlite")):
        result = run("feedback", "--database", tmp_path / "s.sqlite", "--since", "2026-11-17")
        assert "4 shown, 0 accepted, 1 overridden" in result.stdout
        assert "W47" not in result.stdout
        later = run("feedback", "--database", tmp_path / "s.sqlite", "--since", "2026-12-24")
    assert later.stdout == "No card was shown since 2026-12-24.\n"


def test_the_csv_holds_what_an_ehr_must_export(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    with a_fortnight(str(tmp_path / "s.sqlite")):
        result = run("feedback", "--database", tmp_path / "s.sqlite", "--csv", file)
    assert "6 lines below the header" in " ".join(result.stdout.split())
    with file.open(encoding="utf-8", newline="") as opened:
        lines = list(csv.DictReader(opened))
    assert len(lines) == 6
    asked = {"intervention", "action", "feedback", "user", "date", "location"}
    assert asked <= set(lines[0]), "45 CFR 170.315(b)(11)(ii)(C)"
    assert [line["action"] for line in lines].count("none") == 3
    (line,) = [line for line in lines if "weight" in line["intervention"]]
    assert line["intervention"] == "weight wrong_code"
    assert line["findings"] == "weight/stale wrong_code/a"
    assert (line["action"], line["feedback"]) == ("overridden", "Payer rule differs")
    assert (line["date"], line["comment_sent"]) == ("2026-11-16T09:00:00Z", "yes")
    assert "Winterbourne" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("said", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_of_the_csv_is_computed_by_a_spreadsheet(
    run: Run, tmp_path: Path, said: str
) -> None:
    file, card = tmp_path / "out.csv", shown_card()
    with store_at(str(tmp_path / "s.sqlite")) as store:
        store.record([card])
        store.feedback([overridden(card, reason_display=said)])
        run("feedback", "--database", tmp_path / "s.sqlite", "--csv", file)
    assert f",'{said}," in file.read_text(encoding="utf-8")


def test_long_reasons_and_control_characters_keep_to_the_columns(run: Run, tmp_path: Path) -> None:
    card = shown_card(payer_id="p" * 90)
    with store_at(str(tmp_path / "s.sqlite")) as store:
        store.record([card])
        store.feedback([overridden(card, reason_display="word " * 39 + "\x1b[31m")])
        result = run("feedback", "--database", tmp_path / "s.sqlite")
    assert result.exit_code == 0 and "\x1b" not in result.stdout


# ---------------------------------------------------------------- what goes wrong


def one_line(run: Run, *args: object) -> str:
    result = run("feedback", *args)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert result.stderr.startswith("vialwise: ")
    return result.stderr


def test_no_database_yet_is_said_with_its_remedy(run: Run, tmp_path: Path) -> None:
    assert "no database" in one_line(run)
    assert "vialwise serve" in one_line(run, "--database", tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()


def test_a_file_that_is_no_database_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    (tmp_path / "empty.sqlite").touch()
    for name in ("notes.txt", "empty.sqlite"):
        assert "cannot be read" in one_line(run, "--database", tmp_path / name)


@pytest.mark.parametrize("url", ["mysql://x/y", "://", "sqlite://", "sqlite:///:memory:", "x://"])
def test_an_address_that_is_none_is_said(run: Run, url: str) -> None:
    assert "--database" in one_line(run, "--database", url)


def test_a_password_is_never_shown(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = f"postgresql://me:hunter2@/none?host={tmp_path}"
    assert "hunter2" not in one_line(run, "--database", url)


def test_a_wrong_date_or_csv_file_is_said(run: Run, tmp_path: Path) -> None:
    with a_fortnight(str(tmp_path / "s.sqlite")):
        at = ("--database", tmp_path / "s.sqlite")
        assert "YYYY-MM-DD" in one_line(run, *at, "--since", "yesterday")
        assert "cannot be written" in one_line(run, *at, "--csv", tmp_path / "no" / "out.csv")


# ---------------------------------------------------------------- where it is kept


def test_the_default_is_a_file_of_this_user(tmp_path: Path) -> None:
    opened = database.open_storage(None)
    assert opened.trouble == ""
    assert opened.where == str(tmp_path / "data" / "vialwise" / "vialwise.sqlite")
    for file in (tmp_path / "data" / "vialwise").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_the_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    keys = [
        database.open_storage(str(tmp_path / "s.sqlite")).store.keys.patient("1") for _ in range(2)
    ]
    assert keys[0] == keys[1]
    assert keys[0] != database.open_storage(str(tmp_path / "t.sqlite")).store.keys.patient("1")


def test_a_configured_secret_is_used_and_none_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(database.SECRET_VARIABLE, "s" * 32)
    keys = [
        database.open_storage(str(tmp_path / name)).store.keys.patient("1") for name in ("a", "b")
    ]
    assert keys[0] == keys[1]
    assert not list(tmp_path.glob("*.secret"))
    monkeypatch.setenv(database.SECRET_VARIABLE, "short")
    with pytest.raises(CommandProblem, match="too short"):
        database.open_storage(str(tmp_path / "a"))


def test_a_secret_that_others_can_read_or_that_is_cut_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert len(secret_file.secret(file)) >= 32
    file.chmod(0o644)
    with pytest.raises(CommandProblem, match="chmod 600"):
        secret_file.secret(file)
    file.chmod(0o600)
    file.write_text("cut")
    with pytest.raises(CommandProblem, match="no secret"):
        secret_file.secret(file)
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_postgresql_wants_a_secret_and_then_works(
    monkeypatch: pytest.MonkeyPatch,
    postgresql: str,
) -> None:
    with pytest.raises(CommandProblem, match=database.SECRET_VARIABLE):
        database.open_storage(postgresql)
    monkeypatch.setenv(database.SECRET_VARIABLE, "s" * 32)
    assert database.open_storage(postgresql).trouble == ""


def test_a_place_that_cannot_be_written_is_trouble_and_no_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    opened = database.open_storage(str(tmp_path / "file" / "s.sqlite"))
    assert opened.trouble


# ---------------------------------------------------------------- as real processes

BODY = fixtures.path("hook_requests/story-j2356-on-omalizumab").read_bytes()


def answered(url: str) -> dict[str, str]:
    service = f"{url}/cds-services/vialwise-orders"
    (card,) = requests.post(service, data=BODY, timeout=10).json()["cards"]
    said = {
        "card": card["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": datetime.now(UTC).isoformat(),
    }
    answer = requests.post(f"{service}/feedback", json={"feedback": [said]}, timeout=10)
    return {"status": str(answer.status_code), "card": card["uuid"]}


def test_what_serve_shows_is_counted_and_what_was_overridden_is_quiet(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "own.sqlite"
    with started("serve", "--open", "--port", "0", "--database", str(file)) as process:
        url = url_in(process)
        assert answered(url)["status"] == "200"
        service = f"{url}/cds-services/vialwise-orders"
        for _ in range(4):  # by whichever worker
            assert requests.post(service, data=BODY, timeout=10).json() == {"cards": []}
        result = run("feedback", "--database", file)
    assert "1 shown, 0 accepted, 1 overridden" in result.stdout


def test_serve_without_a_usable_database_says_so_and_answers(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    named = str(tmp_path / "file" / "s.sqlite")
    with started("serve", "--open", "--port", "0", "--database", named) as process:
        assert answered(url_in(process))["status"] == "503"
        process.terminate()
        assert process.wait(15) == 0
        assert process.stdout is not None and "cannot be used" in process.stdout.read()


def test_the_demo_keeps_a_sqlite_file_for_as_long_as_it_runs(tmp_path: Path) -> None:
    home = tmp_path / "temporary"
    home.mkdir()
    result = subprocess.run(
        [*VIALWISE, "demo", "--port", "0", "--no-stay"],
        cwd=ROOT,
        env={"PATH": "", "TMPDIR": str(home), "PYTHONPATH": ":".join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert "a SQLite file that it deletes" in " ".join(result.stdout.split())
    assert list(home.iterdir()) == []
