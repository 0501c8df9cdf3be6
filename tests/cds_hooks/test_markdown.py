"""Chart text can say anything and become nothing: conformance A7.3, A7.6."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.cards.writing import (
    _AUTOLINK,
    _BLOCK_START,
    _ENTITIES,
    _SPECIAL,
    _TO_ESCAPE,
    LONGEST,
    _bounded,
    _one_line,
    escaped,
    link,
    plain_line,
)

ACTIVE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=y>",
    "[a](https://evil.example)",
    "![a](b)",
    "`code`",
    "a | b\n--|--",
    "# heading",
    "- item",
    "1. item",
    "https://evil.example",
    "www.evil.example",
    "WWW.evil.example",
    "nurse@evil.example",
    "mailto:a",
    "~~a~~",
    "**a**",
    "&lt;b&gt;",
    "\\",
    "_a_",
    "+ a",
    "= a",
]


@pytest.mark.parametrize("text", ACTIVE)
def test_a7_6_nothing_active_survives(text: str) -> None:
    shown = escaped(text)
    assert "<" not in shown and ">" not in shown and "\n" not in shown
    assert not re.search(r"(?<!\\)(\\\\)*[`*_\[\]|~#]", shown), shown
    assert not re.search(r"(?i)\w://|www\.|\w@\w|mailto:", shown), shown
    assert not re.match(r"([-+=#>]|\d+[.)](\s|$))", shown), shown


@given(st.text())
def test_a7_6_any_text_is_one_bounded_line(text: str) -> None:
    shown = escaped(text)
    assert shown.isprintable() or not shown
    assert "<" not in shown and ">" not in shown
    assert len(plain_line(text)) <= LONGEST


@pytest.mark.parametrize("text", ["225 mg", "300 mg/2 mL", "J2357-JW x 15", "Claim/a-b.c item 2"])
def test_what_orders_say_stays_readable(text: str) -> None:
    assert escaped(text) == text


def test_long_text_is_cut_with_an_ellipsis() -> None:
    assert len(plain_line("a" * 999)) == LONGEST and plain_line("a" * 999).endswith("…")


def test_a7_3_plain_lines_hold_no_control_characters_or_tags() -> None:
    assert plain_line("J2356\r\n\t<b>\u202e\x00x") == "J2356 (b) x"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/relative", "", "https://a b", "ftp://a"])
def test_only_web_addresses_become_links(url: str) -> None:
    assert link("Title", url) == "Title"


def test_a_link_keeps_its_parentheses_inside() -> None:
    assert link("A [b]", "https://a.example/x(1)") == r"[A \[b\]](https://a.example/x%281%29)"


@given(st.text(st.sampled_from("\\`*_[]|~#&<>@:/wWmailtoO -+=12.)(\u0661é"), max_size=12))
def test_what_is_passed_on_at_one_look_has_nothing_to_escape(text: str) -> None:
    line = _bounded(_one_line(text), LONGEST)
    if not _TO_ESCAPE.search(line):
        patterns = (_AUTOLINK, _SPECIAL, _BLOCK_START)
        assert not any(pattern.search(line) for pattern in patterns)
        assert line.translate(_ENTITIES) == line
