"""The packet as PDF: every block in it, any name, page numbers, nothing from outside."""

from __future__ import annotations

import re
import zlib
from datetime import date

import pytest

from smart_app.packet import Bullets, Heading, Packet, Paragraph, Table
from smart_app.packet_pdf import pdf
from smart_app.pdf_fonts import markup, unwritable

PATIENT = {"name": "Ada Winterbourne", "born": "1958-03-14", "sex": "female", "number": "FX-1"}


def made(*blocks: object, name: str = PATIENT["name"]) -> bytes:
    patient = {**PATIENT, "name": name}
    return pdf(Packet("Audit packet", patient, date(2026, 11, 24), "Dr. H", blocks))  # type: ignore[arg-type]


def pages(document: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", document))


def test_a_long_packet_has_several_numbered_pages() -> None:
    blocks = [Paragraph(f"sentence {n}") for n in range(200)]
    document = made(Heading("Order"), *blocks)
    assert document.startswith(b"%PDF-") and pages(document) >= 4


def test_it_asks_nothing_of_any_network() -> None:
    document = made(Paragraph('<img src="https://evil.example/x.png"/> <a href="x">y</a>'))
    assert b"evil.example" not in _unpacked(document) or b"/URI" not in document
    assert b"/XObject" not in document.replace(b"/XObject <<\n>>", b"")


@pytest.mark.parametrize(
    "name", ["Žofia Łukasiewicz", "Ωμέγα", "Мария", "Nguyễn", "Ḥāfiẓ", "Աննա", "გიორგი"]
)
def test_names_are_embedded_as_they_are(name: str) -> None:
    assert not unwritable(name) and "<font" not in markup(name)
    assert b"/FontFile2" in made(name=name)


@pytest.mark.parametrize("name", ["王小明", "田中さくら", "김철수"])
def test_east_asian_names_use_the_readers_own_fonts(name: str) -> None:
    assert not unwritable(name) and "<font name=" in markup(name)
    assert pages(made(name=name)) == 1


def test_what_no_font_has_is_written_as_its_number_and_said() -> None:
    assert markup("ไ") == "[U+0E44]" and unwritable("ไ")
    assert len(made(name="ไทย")) > len(made(name="Tai"))


def test_markup_in_the_chart_stays_text() -> None:
    assert markup("<b>&") == "&lt;b&gt;&amp;"
    made(Paragraph("</para><b>", "<i>"), Bullets(("<font size=99>",)), Table(("<",), (("&",),)))


@pytest.mark.parametrize("text", ["A" * 10_000, "word " * 3000, "\u202e" * 50, "\x00\x07"])
def test_long_and_odd_text_breaks_no_page(text: str) -> None:
    assert pages(made(Paragraph(text), Bullets((text,)))) >= 1


def _unpacked(document: bytes) -> bytes:
    streams = re.findall(rb"stream\r?\n(.*?)endstream", document, re.DOTALL)
    found = []
    for stream in streams:
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"".join(found)
