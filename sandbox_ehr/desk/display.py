"""How the desk shows what is not its own: a card's Markdown, FHIR as JSON, a trace of rules."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from sandbox_ehr.cds_answers import is_web_address
from sandbox_ehr.desk.draft_elements import Resource

# ---------------------------------------------------------------- a card

_LONGEST = 20_000  # characters; a card is read by a person


def rendered(text: str) -> Markup:
    """GitHub-flavoured Markdown: HTML is shown as text, pictures are not loaded."""
    return Markup(_READER.render(text[:_LONGEST]))


def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    reader.disable(["image", "html_block", "html_inline"])
    reader.validateLink = is_web_address  # type: ignore[method-assign]
    reader.add_render_rule("link_open", _link_open)
    reader.add_render_rule("heading_open", _bold_instead)
    reader.add_render_rule("heading_close", _bold_instead)
    return reader


def _link_open(self: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """Links open apart, and tell nobody where they were followed from."""
    tokens[index].attrSet("target", "_blank")
    tokens[index].attrSet("rel", "noopener noreferrer")
    return str(self.renderToken(tokens, index, options, env))


def _bold_instead(self: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """A card's headings are none of the page's: its outline stays whole."""
    return "<p><strong>" if tokens[index].nesting == 1 else "</strong></p>"


_READER = _reader()


# ---------------------------------------------------------------- a draft as FHIR JSON

_json = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Line:
    """`change` is "added", "removed" or ""."""

    text: str
    change: str = ""


def marked(resource: Resource, before: Resource | None) -> list[Line]:
    """The resource's lines, and those of `before` that are gone."""
    old, new = _lines(before), _lines(resource)
    if old == new:
        return [Line(text) for text in new]
    words = {"+ ": "added", "- ": "removed", "  ": ""}
    compared = difflib.ndiff(old, new)
    return [Line(line[2:], words[line[:2]]) for line in compared if line[:2] in words]


def _lines(resource: Resource | None) -> list[str]:
    if resource is None:
        return []
    return msgspec.json.format(_json.encode(resource), indent=2).decode().splitlines()


# ---------------------------------------------------------------- the rules of a service


@dataclass(frozen=True, slots=True)
class Row:
    """`state` is how the rule ended, `why` what it saw or why it kept silent."""

    rule: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Table:
    """The rules of one order."""

    title: str
    rows: tuple[Row, ...]


def trace_tables(trace: Any) -> list[Table]:
    """One table an order; none where the service told nothing."""
    reviews = trace.get("reviews") if isinstance(trace, dict) else None
    return [_table(review) for review in _objects(reviews)]


def _table(review: dict[str, Any]) -> Table:
    title = (review.get(k) for k in ("drug", "payer", "dateOfService", "order"))
    rows = (
        Row(*(str(row.get(k, "")) for k in ("rule", "state", "why")))
        for row in _objects(review.get("rules"))
    )
    return Table(", ".join(str(word) for word in title if word), tuple(rows))


def _objects(listed: Any) -> list[dict[str, Any]]:
    return [x for x in listed if isinstance(x, dict)] if isinstance(listed, list) else []
