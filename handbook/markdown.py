"""Markdown for the site: data goes in as text, never as markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|!])")


def text(value: object) -> str:
    """`value` as one line that Markdown takes for words."""
    return _MARKS.sub(r"\\\1", " ".join(str(value).split()))


def heading(level: int, words: str) -> tuple[str, str]:
    return f"{'#' * level} {text(words)}", ""


def link(words: str, url: str) -> str:
    return f"[{text(words)}]({url.replace('(', '%28').replace(')', '%29').replace(' ', '%20')})"


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; the cells are Markdown already."""
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def quoted(markdown: str) -> Iterator[str]:
    """`markdown` as the body of an admonition."""
    yield from (f"    {line}".rstrip() for line in markdown.splitlines())
    yield ""
