"""What became of the cards, as a page with a plot and as CSV: the report of `vialwise feedback`.

A blueprint that stands by itself, with its own templates and style sheet: the CDS service mounts it
for operators, and the program around it may mount it in another application. Who may see it is a
guard that is handed in. Everything shown is escaped; reasons and client names are others' words.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Blueprint, Response, render_template, request

from billing_rules.evidence.documentation import capital
from billing_rules.model.states import iso_day
from billing_rules.rule_records import rule_heading, shipped
from cds_hooks.auth.operator_access import Guard
from cds_hooks.pages.responses import FORM_POLICY
from cds_hooks.record import card_feedback
from cds_hooks.record.card_feedback import NOT_TOLD_APART, Asked, Report
from service_parts.database import StoreFailed
from service_parts.svg_chart import weekly

NAME = "feedback_page"
_HERE = Path(__file__).parent
_OWN_STYLE = _HERE / "feedback_templates" / "outcomes.css"
_PAGE_STYLE = _HERE.parent / "templates" / "style.css"
_FIELDS = ("from", "to", "rule", "payer", "client")
_LONGEST = 200  # characters of a filter that is repeated
Needed = Callable[[], dict[str, Any]]  # what the page around the report is drawn with


@dataclass(frozen=True, slots=True)
class Around:
    """The page around the report: the template it extends, which has blocks `title`, `styles` and
    `main`, and what that needs. `carried` among those values stays in the address. `policy` is the
    Content-Security-Policy; "" leaves it, as `styles` False the look, to the application around."""

    template: str = "outcomes_page.html"
    values: Callable[[], Mapping[str, Any]] = dict
    policy: str = FORM_POLICY
    styles: bool = True


def blueprint(
    engine: sa.Engine, guard: Guard, payer_name: Callable[[str], str], around: Around = Around()
) -> Blueprint:
    """The page at /feedback and the CSV at /feedback.csv, both behind `guard`."""
    pages = Blueprint(NAME, __name__, template_folder="feedback_templates")

    def needed() -> dict[str, Any]:
        values = {"carried": {}, **around.values()}
        return {"around": around.template, "payer_name": payer_name, **values}

    def guarded(view: Callable[[sa.Engine, Needed], Response]) -> Callable[[], Response]:
        return lambda: guard() or _with(around.policy, view(engine, needed))

    pages.add_url_rule("/feedback", "report", guarded(_page))
    pages.add_url_rule("/feedback.csv", "csv", guarded(_csv))
    pages.add_url_rule("/feedback.css", "style", lambda: _style(around.styles))
    return pages


def _with(policy: str, response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    if policy:
        response.headers["Content-Security-Policy"] = policy
    return response


# ---------------------------------------------------------------- the filters


@dataclass(frozen=True, slots=True)
class Filters:
    """What was typed, what it asks for, and what is wrong with it. `payers` and `clients` are
    those on record."""

    said: Mapping[str, str]
    asked: Asked
    problems: tuple[str, ...]
    payers: tuple[str, ...]
    clients: tuple[str, ...]

    @property
    def query(self) -> str:
        return urlencode({key: value for key, value in self.said.items() if value})


def _filters(engine: sa.Engine) -> Filters:
    """The filters in the address. Raises StoreFailed."""
    said = {name: request.args.get(name, "").strip()[:_LONGEST] for name in _FIELDS}
    payers, clients = card_feedback.payers_and_clients(engine)
    problems: list[str] = []
    start, end = _day(said["from"], problems), _day(said["to"], problems)
    if start and end and end < start:
        problems.append("“From” is after “to”: swap the two days.")
    for name, known in (("rule", shipped().records), ("payer", payers), ("client", clients)):
        if said[name] and said[name] not in known:
            problems.append(f"There is no {name} “{said[name]}” here: choose one from the list.")
    asked = Asked(
        since=_start(start) if start else None,
        before=_start(end) + timedelta(days=1) if end and end < date.max else None,
        rule=said["rule"],
        payer_id=said["payer"],
        client=said["client"],
    )
    return Filters(said, asked, tuple(problems), tuple(payers), tuple(clients))


def _day(text: str, problems: list[str]) -> date | None:
    if not text:
        return None
    try:
        return iso_day(text)
    except ValueError:
        problems.append(f"“{text}” is not a day: write it as YYYY-MM-DD, like 2026-11-23.")
        return None


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


# ---------------------------------------------------------------- the page


def _page(engine: sa.Engine, needed: Needed) -> Response:
    """GET /feedback: 400 with the form as it was filled in when a filter is wrong."""
    try:
        filters = _filters(engine)
        if filters.problems:
            return _shown(400, filters, None, needed)
        return _shown(200, filters, card_feedback.report(engine, filters.asked), needed)
    except StoreFailed:
        said = {name: request.args.get(name, "")[:_LONGEST] for name in _FIELDS}
        away = "The record of cards cannot be read now. Try again in a minute."
        return _shown(503, Filters(said, Asked(), (away,), (), ()), None, needed)


def _shown(status: int, filters: Filters, report: Report | None, needed: Needed) -> Response:
    text = render_template(
        "outcomes.html",
        filters=filters,
        rules={id_: capital(record.name) for id_, record in shipped().records.items()},
        report=report,
        tables=_tables(report) if report else (),
        plot=weekly({w: t.parts for w, t in report.by_week.items()}) if report else None,
        rule_name=rule_heading,
        **needed(),
    )
    return Response(text, status, content_type="text/html; charset=utf-8")


def _tables(report: Report) -> Iterable[tuple[str, str, Mapping[str, card_feedback.Tally]]]:
    """Title, head of the first column, and rows by their names."""
    yield "By week", "Week (UTC)", report.by_week
    yield "By rule", "Rule", {rule_heading(rule): t for rule, t in report.by_rule.items()}
    yield "By payer", "Payer", report.by_payer  # by id; the template names them
    yield "By drug", "Drug", report.by_drug
    yield "By client", "Client", {c or NOT_TOLD_APART: t for c, t in report.by_client.items()}


def _style(with_page: bool) -> Response:
    """What this page needs, after the style sheet of the service's pages where it is one."""
    files = (_PAGE_STYLE, _OWN_STYLE) if with_page else (_OWN_STYLE,)
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return Response(text, content_type="text/css; charset=utf-8")


# ---------------------------------------------------------------- the CSV


def _csv(engine: sa.Engine, needed: Needed) -> Response:
    """GET /feedback.csv: every card asked for and its feedback (card_feedback.py)."""
    try:
        filters = _filters(engine)
        if filters.problems:
            return _shown(400, filters, None, needed)
        rows = card_feedback.outcomes(engine, filters.asked)
    except StoreFailed:
        return Response("The record of cards cannot be read now.\n", 503, content_type="text/plain")
    written = io.StringIO(newline="")
    card_feedback.write_csv(rows, written)
    response = Response(written.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="vialwise-feedback.csv"'
    return response
