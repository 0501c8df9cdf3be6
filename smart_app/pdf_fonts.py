"""Fonts that can write any name into a PDF, and which one a character needs.

DejaVu Sans is embedded: Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic and more.
Chinese, Japanese and Korean use the Adobe fonts that PDF readers bring themselves. What neither
has is written as its code, U+0E01, and the packet says so.
"""

from __future__ import annotations

import threading
import unicodedata
from functools import cache
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

_FOLDER = Path(__file__).parent / "fonts"
TEXT, BOLD = "DejaVuSans", "DejaVuSans-Bold"
_KOREAN, _JAPANESE, _CHINESE = "HYSMyeongJo-Medium", "HeiseiMin-W3", "STSong-Light"
_LOCK = threading.Lock()


@cache
def _registered() -> frozenset[int]:
    """Register the fonts once; the characters that the embedded one has."""
    with _LOCK:
        text = TTFont(TEXT, str(_FOLDER / "DejaVuSans.ttf"))
        pdfmetrics.registerFont(text)
        pdfmetrics.registerFont(TTFont(BOLD, str(_FOLDER / "DejaVuSans-Bold.ttf")))
        pdfmetrics.registerFontFamily(TEXT, normal=TEXT, bold=BOLD, italic=TEXT, boldItalic=BOLD)
        for name in (_KOREAN, _JAPANESE, _CHINESE):
            pdfmetrics.registerFont(UnicodeCIDFont(name))
    return frozenset(text.face.charToGlyph)


def register() -> None:
    _registered()


def markup(text: str) -> str:
    """`text` as a paragraph's markup, each run of characters in a font that has them."""
    normal = unicodedata.normalize("NFC", text)
    runs = ((font, "".join(part)) for font, part in groupby(normal, key=_font))
    return "".join(_run(font, run) for font, run in runs)


def unwritable(text: str) -> bool:
    """Whether some character of `text` is in no font and would be written as its code."""
    return any(_font(c) == "" for c in unicodedata.normalize("NFC", text))


def _run(font: str, run: str) -> str:
    if font == TEXT:
        return escape(run)
    if font:
        return f'<font name="{font}">{escape(run)}</font>'
    return "".join(f"[U+{ord(c):04X}]" for c in run)


def _font(character: str) -> str:
    """The font for one character; "" when none has it."""
    if ord(character) in _registered():
        return TEXT
    name = unicodedata.name(character, "")
    if name.startswith("HANGUL"):
        return _KOREAN
    if name.startswith(("HIRAGANA", "KATAKANA")):
        return _JAPANESE
    wide = ord(character) < 0x10000 and name.startswith(("CJK", "IDEOGRAPHIC", "FULLWIDTH"))
    return _CHINESE if wide else ""
