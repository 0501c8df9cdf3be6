"""The audit packet as a PDF. Nothing is fetched from outside; every page says whose it is."""

from __future__ import annotations

from io import BytesIO

from reportlab.lib import colors
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import inch
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, ListFlowable, SimpleDocTemplate, Spacer
from reportlab.platypus import Paragraph as Text
from reportlab.platypus import Table as Grid

from smart_app import pdf_fonts
from smart_app.packet import Block, Bullets, Heading, Packet, Paragraph, Table

_MARGIN = 0.8 * inch
_BODY = ParagraphStyle(
    "body",
    fontName=pdf_fonts.TEXT,
    fontSize=9,
    leading=12.5,
    spaceAfter=3,
    alignment=TA_LEFT,
    splitLongWords=True,
)
_GREY = colors.HexColor("#3d4551")
_QUIET = ParagraphStyle("quiet", _BODY, fontSize=7.5, leading=10, textColor=_GREY)
_HEADINGS = {
    1: ParagraphStyle("h1", _BODY, fontName=pdf_fonts.BOLD, fontSize=17, leading=21, spaceAfter=8),
    2: ParagraphStyle(
        "h2",
        _BODY,
        fontName=pdf_fonts.BOLD,
        fontSize=12.5,
        leading=16,
        spaceBefore=12,
        spaceAfter=5,
        keepWithNext=True,
    ),
    3: ParagraphStyle(
        "h3",
        _BODY,
        fontName=pdf_fonts.BOLD,
        fontSize=9.5,
        leading=13,
        spaceBefore=8,
        spaceAfter=2,
        keepWithNext=True,
    ),
}
_CODES = (
    "Characters that no font at hand can write stand as their Unicode numbers; the page that this "
    "was made from shows them."
)


def pdf(packet: Packet) -> bytes:
    """The packet on letter paper, with page numbers out of how many there are."""
    pdf_fonts.register()
    out = BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=LETTER,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=1.05 * inch,
        bottomMargin=_MARGIN,
        title=packet.title,
        author="Vialwise",
        lang="en-US",
    )
    story: list[Flowable] = [_text(packet.title, _HEADINGS[1]), *_patient(packet)]
    for block in packet.blocks:
        story += _flowables(block, document.width)
    if pdf_fonts.unwritable(" ".join((*packet.patient.values(), *map(str, packet.blocks)))):
        story.append(_text(_CODES, _QUIET))
    document.build(story, canvasmaker=_numbered(packet))
    return out.getvalue()


def _patient(packet: Packet) -> list[Flowable]:
    facts = [f"{name.capitalize()}: {value}" for name, value in packet.patient.items()]
    facts.append(f"Made on {packet.made}{f' for {packet.by}' if packet.by else ''}")
    return [_text(" · ".join(facts), _BODY), Spacer(0, 4)]


def _flowables(block: Block, width: float) -> list[Flowable]:
    if isinstance(block, Heading):
        return [_text(block.text, _HEADINGS[block.level])]
    if isinstance(block, Paragraph):
        label = f"<b>{pdf_fonts.markup(block.label)}:</b> " if block.label else ""
        style = _QUIET if block.quiet else _BODY
        return [Text(label + pdf_fonts.markup(block.text), style)]
    if isinstance(block, Bullets):
        items = [_text(item, _BODY) for item in block.items]
        dots = {"bulletType": "bullet", "start": "•", "bulletFontSize": 8}
        return [ListFlowable(items, leftIndent=12, **dots)]
    return [_grid(block, width)]


def _grid(table: Table, width: float) -> Grid:
    head = [[f"<b>{pdf_fonts.markup(name)}</b>" for name in table.head]] if any(table.head) else []
    rows = [[pdf_fonts.markup(cell) for cell in row] for row in table.rows]
    cells = [[Text(markup, _BODY) for markup in row] for row in [*head, *rows]]
    columns = len(table.rows[0]) if table.rows else 1
    widths = [width * 0.24, width * 0.76] if columns == 2 else [width / columns] * columns
    return Grid(
        cells,
        colWidths=widths,
        repeatRows=len(head),
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.HexColor("#a9aeb1")),
            ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ],
        spaceAfter=5,
    )


def _text(text: str, style: ParagraphStyle) -> Text:
    return Text(pdf_fonts.markup(text), style)


def _numbered(packet: Packet) -> type[Canvas]:
    """A canvas that writes head and foot once it knows how many pages there are."""
    about = f"{packet.patient['name']}, born {packet.patient['born']}"

    class Numbered(Canvas):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self._pages: list[dict[str, object]] = []

        def showPage(self) -> None:  # noqa: N802 - reportlab's name
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._pages, 1):
                self.__dict__.update(page)
                _frame(self, about, packet, number, len(self._pages))
                super().showPage()
            super().save()

    return Numbered


def _frame(canvas: Canvas, about: str, packet: Packet, number: int, total: int) -> None:
    width, height = LETTER
    head = Text(pdf_fonts.markup(about[:160]), _QUIET)
    _, tall = head.wrap(width - 2 * _MARGIN, 0.5 * inch)
    head.drawOn(canvas, _MARGIN, height - 0.55 * inch - tall)
    canvas.setFont(pdf_fonts.TEXT, 7.5)
    canvas.drawString(_MARGIN, 0.5 * inch, f"{packet.title}, made on {packet.made}")
    canvas.drawRightString(width - _MARGIN, 0.5 * inch, f"Page {number} of {total}")
