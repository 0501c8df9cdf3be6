"""The audit packet of one order, to print or to save as a PDF from the browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from flask import Blueprint

from billing_rules.claims.claim_form import claim_form
from billing_rules.evidence.documentation import capital
from billing_rules.model.entities import CERTAINTY, Evidence, Source
from billing_rules.orders.case import Case
from smart_app.chart.chart_orders import FoundOrder
from smart_app.chart.requirements import (
    Point,
    Requirement,
    State,
    billing,
    documentation,
    requirements,
)
from smart_app.screens import words
from smart_app.screens.order_page import no_order, open_order, page

# ----------------------------------------------------------------------
# The audit packet as content: what its page prints, in this order.


LONGEST = 600  # characters of one value


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """`label` is printed bold before the text; `quiet` is for what is read last."""

    text: str
    label: str = ""
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Bullets | Table


@dataclass(frozen=True, slots=True)
class Packet:
    """A title, who it is about (also in every page's head), the day, and the blocks."""

    title: str
    patient: Mapping[str, str]
    made: date
    by: str
    blocks: tuple[Block, ...]


def packet(
    found: FoundOrder,
    patient: Mapping[str, str],
    unread: Mapping[str, str],
    made: date,
    by: str,
    ehr: str,
) -> Packet:
    """The packet of one order. `unread` are the parts that could not be read, with the reason;
    `ehr` is the name of the EHR that it was all read from."""
    blocks = (
        *_order(found),
        *_claim(found.case),
        *_requirements(requirements(found.review)),
        *_unread(unread),
        Paragraph(
            "Advice on billing, not legal or clinical advice. "
            f"Checked {made} against what {ehr} shared."
        ),
    )
    return Packet("Audit packet", patient, made, by, blocks)


def _order(found: FoundOrder) -> Iterator[Block]:
    review = found.review
    found_requirements = requirements(review)
    yield Heading("Order")
    yield Table(
        ("", ""),
        (
            ("Order", words.order_words(found)),
            ("State", words.stage_words(found)),
            ("Records", ", ".join(words.brief(r, 80) for r in review.order.references)),
            ("Date of service", str(review.order.date_of_service)),
            ("Payer", f"{review.payer.name}: {review.payer_choice.because}"),
            ("Billing", billing(found_requirements, review.plan).words),
            ("Documentation", documentation(found_requirements).words),
        ),
    )


def _claim(case: Case) -> Iterator[Block]:
    form = claim_form(case)
    yield Heading("Claim lines")
    if not form.lines:
        yield Paragraph(f"None can be planned: {case.plan.because}.")
        return
    rows = tuple(
        (
            str(line.on),
            " ".join((line.hcpcs, *line.modifiers)),
            str(line.units),
            line.ndcs[0].shaded if line.ndcs else "not known",
        )
        for line in form.lines
    )
    yield Table(("Date", "Code and modifiers", "Units", "NDC and quantity"), rows)
    opened = ", ".join(str(counted) for counted in case.plan.opened) or "not known"
    yield Paragraph(opened, "Containers")
    yield Paragraph(words.waste_words(case.plan), "Waste modifier")
    yield from (Paragraph(line.note, "Box 19") for line in form.lines if line.note)
    if form.caveats:
        yield Bullets(form.caveats)
    yield from _sources((*case.plan.sources, *form.sources))


def _requirements(found: Iterable[Requirement]) -> Iterator[Block]:
    everything = list(found)
    yield Heading("Requirements")
    for requirement in everything:
        if requirement.state is not State.OFF:
            yield Heading(f"{capital(requirement.record.name)}: {requirement.state.value}", level=3)
            for point in requirement.points:
                yield from _point(point)
            yield from _sources(requirement.sources)
    off = [r for r in everything if r.state is State.OFF]
    if off:
        yield Heading("Do not apply", level=3)
        yield Bullets(tuple(f"{capital(r.record.name)}: {r.points[0].says}" for r in off))


def _point(point: Point) -> Iterator[Block]:
    yield Paragraph(words.brief(point.says, LONGEST))
    for sentence in point.more:
        yield Paragraph(words.brief(sentence, LONGEST))
    if point.evidence:
        yield Bullets(tuple(_evidence(seen) for seen in point.evidence))
    for sentence in point.unchecked:
        yield Paragraph(words.brief(sentence, LONGEST), "Not checked")


def _evidence(seen: Evidence) -> str:
    where = f", {words.brief(seen.reference, 80)}" if seen.reference else ""
    on = f", {seen.on}" if seen.on and str(seen.on) not in seen.value else ""
    return words.brief(f"{seen.what}: {seen.value}{on}{where}", LONGEST)


def _sources(found: Iterable[Source]) -> Iterator[Block]:
    for source in dict.fromkeys(found):
        quote = f"\u201c{words.quoted(source)}\u201d " if source.quote else ""
        cited = f"{source.title}, {source.published} ({CERTAINTY[source.certainty]})"
        yield Paragraph(f"{quote}{cited}, {source.url}", "Source", quiet=True)


def _unread(unread: Mapping[str, str]) -> Iterator[Block]:
    if unread:
        yield Heading("What could not be read")
        yield Bullets(tuple(f"{capital(name)}: {why}." for name, why in unread.items()))


# ----------------------------------------------------------------------
# The audit packet of one order, to print or to save as a PDF from the browser.


def blueprint() -> Blueprint:
    made = Blueprint("packet", __name__)
    made.add_url_rule("/packet", view_func=show, endpoint="show")
    return made


def show() -> str:
    """The packet names its patient whatever the EHR wants of the banner: it leaves the window."""
    at = open_order(must_be_whole=True)
    if at.order is None:
        return no_order(at)
    patient = words.banner(at.record.patient, at.today)
    by = words.brief(at.window.user.name, 80)
    unread = words.unread_parts(at.record)
    content = packet(at.order, patient, unread, at.today, by, at.window.ehr_name)
    return page("packet.html", at, packet=content)
