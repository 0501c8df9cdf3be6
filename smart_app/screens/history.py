"""What was given over time, weight and total IgE, and the authorizations with what is due next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from flask import Blueprint

from billing_rules.evidence.authorizations import standing
from billing_rules.evidence.documentation import planned_interval
from billing_rules.evidence.pretreatment import baseline_total_ige, kilograms, weights_by
from billing_rules.model.chart import Authorization, Measured
from billing_rules.model.entities import DrugOrder, OrderLine
from billing_rules.model.states import Nothing, Present, State, Unknown
from billing_rules.orders.case import Case
from billing_rules.orders.drug_orders import containers_of
from billing_rules.rules.documentation.reauthorization import DUE_DAYS
from service_parts.svg_chart import TimeChart, Value, bars, points
from smart_app.chart.patient_record import PatientRecord, gap
from smart_app.screens.order_page import OrderPage, no_order, open_order, page
from smart_app.screens.words import brief


def blueprint() -> Blueprint:
    made = Blueprint("history", __name__)
    made.add_url_rule("/history", view_func=show, endpoint="show")
    return made


def show() -> str:
    at = open_order()
    if at.order is None:
        return no_order(at)
    return page("history.html", at, **content(at, at.order.case))


@dataclass(frozen=True, slots=True)
class GivenDose:
    """One visit as the table shows it. What is not charted is said so, never guessed."""

    on: date
    drug: str
    dose: str
    containers: str
    lot: str
    discarded: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuthorizationRow:
    """An authorization; `standing` says what it is to this order."""

    authorization: Authorization
    standing: str


def content(at: OrderPage, case: Case) -> dict[str, object]:
    """Everything the page shows."""
    known = case.history.visits.value if isinstance(case.history.visits, Present) else ()
    visits = [visit for visit in known if visit.prescriptions]
    doses = [_given(visit, case, at.record) for visit in visits]
    weights = [w for w in weights_by(case, case.order.date_of_service) if w.on]
    ige = [one for one in _ige(case) if one.on and one.value]
    return {
        "doses": doses,
        "no_doses": _why_none(case.history.visits, at.record, "administrations"),
        "given_chart": _given_chart(visits),
        "weights": weights,
        "weight_chart": points(
            "Weight in kg", "kg", (Value(w.on, kilograms(w).value) for w in weights if w.on)
        ),
        "ige": ige,
        "ige_chart": points(
            "Total IgE in IU/mL",
            "IU/mL",
            (Value(r.on, r.value.to("[IU]/mL").value) for r in ige if r.on and r.value),
        ),
        "periods": list(_periods(case)),
        "no_periods": _why_none(case.history.authorizations, at.record, "authorizations"),
        "due": list(_due(case, visits, at.today)),
    }


# ---------------------------------------------------------------- doses


def _given(visit: DrugOrder, case: Case, record: PatientRecord) -> GivenDose:
    filled = {one.line.reference: one.line for one in record.given}
    lines = [filled.get(line.reference, line) for line in visit.prescriptions]
    return GivenDose(
        visit.date_of_service,
        case.history.drugs[visit.drug_id].name,
        _shown(visit.dose, "not charted"),
        _together((_containers(line, case, visit.drug_id) for line in lines), "not charted"),
        _together(
            (brief(one.lot.value, 40) for one in lines if isinstance(one.lot, Present)),
            "not charted",
        ),
        _shown(visit.discarded, "none charted"),
        tuple(line.reference for line in lines),
    )


def _shown(state: State[object], nothing: str) -> str:
    if isinstance(state, Present):
        return str(state.value)
    return nothing if isinstance(state, Nothing) else f"not readable: {state.because}"


def _containers(line: OrderLine, case: Case, drug_id: str) -> str:
    """ "2 x 150 mg vials, NDC 50242-040-62", or as much of it as is charted."""
    opened = containers_of(line, case.history.drugs[drug_id])
    named = case.history.container(line, drug_id)
    parts = [str(one) for one in opened.value] if isinstance(opened, Present) else []
    if not parts and isinstance(line.containers, Present):
        parts.append(brief(line.containers.value, 30))
    elif not parts and isinstance(named, Present):
        parts.append(named.value.name)
    parts += [f"NDC {named.value.ndc_shown}"] if isinstance(named, Present) else []
    return ", ".join(parts)


def _together(texts: Iterable[str], nothing: str) -> str:
    return "; ".join(dict.fromkeys(filter(None, texts))) or nothing


def _given_chart(visits: list[DrugOrder]) -> TimeChart | None:
    """Given and discarded amount a visit, in mg; visits without a readable dose have no bar."""
    values = (
        Value(
            v.date_of_service,
            v.dose.value.to("mg").value,
            v.discarded.value.to("mg").value if isinstance(v.discarded, Present) else Decimal(0),
        )
        for v in visits
        if isinstance(v.dose, Present)
    )
    return bars("Dose given in mg, with the discarded amount on top", "mg", values)


def _ige(case: Case) -> list[Measured]:
    """What can be drawn in IU/mL, whether or not it counts for the dose."""
    baseline = baseline_total_ige(case)
    judged = baseline.value.results if isinstance(baseline, Present) else ()
    drawn = [one.result for one in judged if one.reading not in ("other unit", "not told apart")]
    return [result for result in drawn if result.value and result.value.is_a("IgE concentration")]


def _why_none(state: State[object], record: PatientRecord, part: str) -> str:
    if isinstance(state, Unknown):
        return f"Could not be read, because {state.because}."
    if isinstance(state, Nothing):
        return "None is on file."
    why = gap(record.parts[part])
    return f"There may be more: {why}." if why else ""


# ---------------------------------------------------------------- authorizations, and what is due


_STANDINGS = (
    ("covering", "covers this order"),
    ("pending", "not answered yet"),
    ("later", "starts later"),
    ("ended", "has ended"),
    ("denied", "was denied"),
    ("unclear", "does not say for which drug"),
    ("other", "for another drug or day"),
)


def _periods(case: Case) -> Iterator[AuthorizationRow]:
    found = standing(case)
    if isinstance(found, Present):
        for name, words in _STANDINGS:
            yield from (AuthorizationRow(a, words) for a in getattr(found.value, name))


def _due(case: Case, visits: list[DrugOrder], on: date) -> Iterator[str]:
    """Sentences on the next dose and the end of the authorization, as seen on a day."""
    interval = planned_interval(case)
    own = [v.date_of_service for v in visits if v.drug_id == case.drug.id]
    if interval and own:
        next_day = max(own) + timedelta(days=interval)
        was = "was due on" if next_day < on else "is due on"
        yield f"The next dose {was} {next_day}, {interval} days after the last one of {max(own)}."
    found = standing(case)
    grant = found.value.latest_grant if isinstance(found, Present) else None
    if grant and grant.end:
        ends = "ended" if grant.end < on else "ends"
        before = f"{DUE_DAYS} days before"
        yield f"The authorization {ends} on {grant.end}; ask for the next one {before}."
