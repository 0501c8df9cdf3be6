"""CDS Hooks cards as text for a terminal, the way an EHR's pane would show them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from vialwise import screen

_COLOURS = {"info": "cyan", "warning": "yellow", "critical": "red"}
_INDENT = " " * 4
_TITLE = re.compile(r"\*\*([^*]+)\*\*")
_LINK = re.compile(r"(?<!\\)\[((?:[^\]\\]|\\.)*)\]\(https?://[^\s()]*\)")
_ESCAPED = re.compile(r"\\(.)")


def show_card(card: Mapping[str, Any]) -> None:
    """Indicator and summary, the detail, the source, what can be accepted."""
    indicator = str(card.get("indicator", ""))
    label = f"  {indicator.upper().ljust(8)} "
    screen.say(str(card.get("summary", "")), label, fg=_COLOURS.get(indicator, "white"))
    for line in str(card.get("detail") or "").splitlines():
        _show_line(line.strip())
    for suggestion in card.get("suggestions") or ():
        screen.say(f"[ {suggestion.get('label', '')} ]", _INDENT, fg="green")
    for link in card.get("links") or ():
        screen.say(f"{link.get('label', '')} {link.get('url', '')}", _INDENT + "link: ", 10)


def _show_line(line: str) -> None:
    """A line of the little Markdown that cards hold: paragraph, title or list item."""
    title = _TITLE.fullmatch(line)
    if title:
        screen.heading(title[1], len(_INDENT))
    elif line.startswith("- "):
        screen.say(words(line[2:]), _INDENT + "- ")
    elif line:
        screen.say(words(line), _INDENT)


def words(markdown: str) -> str:
    """The words a reader of the rendered Markdown sees: a link shows its title only."""
    text = _LINK.sub(r"\1", markdown).replace("**", "")
    return html.unescape(_ESCAPED.sub(r"\1", text))
