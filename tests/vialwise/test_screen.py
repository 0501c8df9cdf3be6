"""Text on the terminal: wrapped, coloured only where wanted, cards as their readers see them."""

from __future__ import annotations

import pytest

import fixtures
from tests.vialwise.conftest import Run
from vialwise import terminal
from vialwise.commands.demo import show_card, words


def test_long_words_are_broken_at_80_columns() -> None:
    lines = terminal.wrapped("x" * 200, "    label: ").splitlines()
    assert max(len(line) for line in lines) == 80


def test_colours_only_where_they_are_wanted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fixtures.path("story-225-mg-two-vials")
    assert "\x1b" not in run("check", path).stdout
    assert "\x1b" in run("check", path, color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("check", path, color=True).stdout


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        (r"a\_b \*c\* 1\. &lt;b&gt;", "a_b *c* 1. <b>"),
        ("[CMS list](https://cms.example/a_%28b%29), 2026-01-01", "CMS list, 2026-01-01"),
        (r"[a \[b\]](https://cms.example/)", "a [b]"),
        ("**Order:** x", "Order: x"),
        (r"\[not a link\](https://cms.example/)", "[not a link](https://cms.example/)"),
    ],
)
def test_a_card_shows_the_words_of_its_markdown(markdown: str, shown: str) -> None:
    assert words(markdown) == shown


def test_a_card_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    show_card(
        {
            "summary": "Do this",
            "indicator": "warning",
            "detail": "**Found**\n\n- one\n- two",
            "source": {"label": "Vialwise"},
            "suggestions": [{"label": "Change it"}],
            "links": [{"label": "Read", "url": "https://x.example"}],
        }
    )
    printed = capsys.readouterr().out
    for text in ("WARNING  Do this", "    Found", "    - one", "[ Change it ]", "link: Read https"):
        assert text in printed


def test_version_and_help(run: Run) -> None:
    assert run("--version").stdout.startswith("vialwise ")
    for command in ((), ("check",), ("demo",), ("serve",), ("catalogue",)):
        result = run(*command, "--help")
        assert result.exit_code == 0 and "..." not in result.stdout.replace("[ARGS]...", "")
