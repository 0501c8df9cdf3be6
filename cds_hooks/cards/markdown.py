"""Text of chart and order as safe GitHub-flavoured Markdown, and as plain lines.

CDS Hooks 2.0.1, "Card Attributes": `detail` is Markdown, and the sandbox renders HTML in it too.
So nothing that came from a chart may become a tag, a link, an image, a table or a heading.
"""

from __future__ import annotations

import re

LONGEST = 300  # characters of one piece of text
_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_AUTOLINK = re.compile(r"(?i)://|\bwww\.|\bmailto:|(?<=\w)@(?=\w)")
_BLOCK_START = re.compile(r"^([-+=]|\d{1,9}[.)](?=\s|$))")
# Wherever one of the patterns above could find something, this does.
_TO_ESCAPE = re.compile(r"[\\`*_\[\]|~#&<>@]|://|[oO]:|[wW]{3}\.|^[-+=\d]")


def plain_line(text: str, limit: int = LONGEST) -> str:
    """One line of at most `limit` characters: no control characters, no angle brackets.

    For strings that are not Markdown (summary, label, description) but that a careless client
    might still put into a page.
    """
    return _bounded(_one_line(text).replace("<", "(").replace(">", ")"), limit)


def escaped(text: str, limit: int = LONGEST) -> str:
    """`text` as Markdown that shows exactly its words: on one line, bounded, nothing active."""
    line = _bounded(_one_line(text), limit)
    if not _TO_ESCAPE.search(line):
        return line  # most sentences: one look instead of four
    line = _AUTOLINK.sub(_broken_link, line)
    line = _SPECIAL.sub(r"\\\1", line).translate(_ENTITIES)
    return _BLOCK_START.sub(_escaped_start, line)


def link(title: str, url: str) -> str:
    """A Markdown link to `url`, or the title alone when the URL is not an absolute web address."""
    if not re.fullmatch(r"https?://[^\s<>\"\\]+", url):
        return escaped(title)
    target = url.replace("(", "%28").replace(")", "%29")
    return f"[{escaped(title)}]({target})"


def _one_line(text: str) -> str:
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def _bounded(line: str, limit: int) -> str:
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _broken_link(match: re.Match[str]) -> str:
    """Spaces where a reader that links bare addresses would see one."""
    found = match[0]
    return {"://": ": //", "@": " @ "}.get(found, f"{found[:-1]} {found[-1]}")


def _escaped_start(match: re.Match[str]) -> str:
    found = match[0]
    return f"\\{found}" if len(found) == 1 else f"{found[:-1]}\\{found[-1]}"
