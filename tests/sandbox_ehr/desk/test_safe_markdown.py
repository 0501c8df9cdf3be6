"""A card's Markdown comes from outside: no script, no HTML, no odd address gets through."""

from __future__ import annotations

import pytest

from sandbox_ehr.desk.display import rendered


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](https://a.example/track.png)",
        '<https://a.example/" onmouseover="alert(1)>',
        '[x](https://a.example/ "t\\" onclick=\\"alert(1)")',
        "```<script>\nalert(1)\n```",
    ],
)
def test_nothing_active_comes_of_hostile_text(text: str) -> None:
    html = str(rendered(text)).lower()
    for active in ("<script", "<img", "<iframe", 'href="data', 'href="java'):
        assert active not in html
    assert " onerror" not in html.replace("&lt;img src=x onerror", "")
    assert '" onclick' not in html and '" onmouseover' not in html


def test_bold_lists_tables_and_links_are_shown() -> None:
    html = str(rendered("**b**\n\n- one\n\n| a |\n|---|\n| 1 |\n\n[x](https://a.example/)"))
    assert "<strong>b</strong>" in html and "<li>one</li>" in html and "<td>1</td>" in html
    assert 'rel="noopener noreferrer"' in html and 'target="_blank"' in html


def test_headings_do_not_break_the_outline_of_the_page() -> None:
    assert "<h1" not in rendered("# Big") and "<strong>Big</strong>" in rendered("# Big")


def test_endless_text_is_cut() -> None:
    assert len(rendered("a " * 1_000_000)) < 50_000
