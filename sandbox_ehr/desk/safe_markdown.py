"""A card's detail as HTML. It comes from outside, so no HTML and no odd address gets through."""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from sandbox_ehr.cds_answers import is_web_address

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
    return self.renderToken(tokens, index, options, env)


def _bold_instead(self: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """A card's headings are none of the page's: its outline stays whole."""
    return "<p><strong>" if tokens[index].nesting == 1 else "</strong></p>"


_READER = _reader()
