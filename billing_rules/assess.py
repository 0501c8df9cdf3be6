"""The one way from orders and chart to reviews: the service, the app and the command line take it.

Orders are read to lines, the chart's parts once to a PatientChart, and each date of service is
judged with what was on record then. FHIR ends here: bytes or decoded resources in, values out.
Pure; the day it is where the clinic is comes from the caller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import ASKED_BY_CODE, OLDER_LEFT
from billing_rules.fhir import reading
from billing_rules.fhir.json.decoding import Part
from billing_rules.fhir.read.chart import Interest
from billing_rules.model.chart import Chart
from billing_rules.model.entities import OrderLine
from billing_rules.model.states import NOTHING, Present, State, Unknown
from billing_rules.orders.case import Past, past_of
from billing_rules.review import Failed, OrderReview, review

# The chart's lists and the day from which an entry of each is on record; None is undated.
_ON_RECORD: Mapping[str, Callable[[Any], date | None]] = {
    "weights": lambda measured: measured.on,
    "results": lambda measured: measured.on,
    "conditions": lambda problem: problem.on,
    "allergies": lambda problem: problem.on,
    "procedures": lambda problem: problem.on,
    "therapies": lambda therapy: therapy.start,
    "administrations": lambda line: line.date_of_service,
    "authorizations": lambda authorization: authorization.on,
    "studies": lambda study: study.start,
    "answers": lambda answers: answers.on,
}


@dataclass(frozen=True, slots=True, repr=False)
class PatientChart:
    """One patient, read once: the chart on `day`, its past, and the parts it was read from."""

    chart: Chart
    past: Past
    parts: Mapping[str, Part]
    catalogue: Catalogue
    day: date

    def as_of(self, day: date) -> PatientChart:
        """The patient as known on an earlier `day`: what is dated later does not exist yet, what
        has no date stays, and coverages are those in force then. What ended since stands as ended.

        Nothing left beside a gap is unknown, never none: it may be in what was not read.
        """
        known: dict[str, Any] = {name: self._until(day, name) for name in _ON_RECORD}
        covered = {"coverage": self.parts["coverage"]} if "coverage" in self.parts else {}
        then = reading.chart(covered, self.catalogue.systems, day)
        chart = replace(self.chart, coverages=then.coverages, **known)
        return replace(self, chart=chart, past=self.past.as_of(day, chart, self.catalogue), day=day)

    def with_administrations(self, lines: Sequence[OrderLine]) -> PatientChart:
        """The patient with these records of what was given in the place of the chart's."""
        chart = replace(self.chart, administrations=Present(tuple(lines)))
        return replace(self, chart=chart, past=past_of(chart, self.catalogue))

    def _until(self, day: date, name: str) -> State[tuple[Any, ...]]:
        state: State[tuple[Any, ...]] = getattr(self.chart, name)
        if not isinstance(state, Present):
            return state
        since = _ON_RECORD[name]
        kept = tuple(one for one in state.value if (on := since(one)) is None or on <= day)
        if len(kept) == len(state.value):
            return state
        gap = self.chart.incomplete.get(name, "")
        part = self.parts.get("weight")
        if name == "weights" and isinstance(part, Present) and OLDER_LEFT in part.value:
            gap = OLDER_LEFT.because  # the newest that were read are enough for their own day only
        return Present(kept) if kept else Unknown(gap) if gap else NOTHING


def read_orders(
    orders: object, catalogue: Catalogue, elsewhere: Iterable[object] = ()
) -> tuple[OrderLine, ...]:
    """The lines of `orders`: a Bundle or a resource, JSON bytes or decoded, or a list of resources.

    Medications they refer to are looked for among them and in the Bundles and lists of `elsewhere`.
    Resources that cannot be an order give no line. Never raises for anything JSON holds; raises
    ValueError for bytes that are not JSON.
    """
    decoded = json.loads(orders, parse_float=Decimal) if isinstance(orders, bytes) else orders
    resources = decoded if isinstance(decoded, list) else list(reading.entries(decoded))
    resolve = reading.resolver(decoded, *elsewhere)
    return reading.draft_orders(resources, catalogue.systems, resolve)


def read_patient(
    parts: Mapping[str, Part],
    catalogue: Catalogue,
    today: date,
    asked_by_code: frozenset[str] = ASKED_BY_CODE,
    every_date: bool = False,
) -> PatientChart:
    """The patient of `parts`, whose keys are those of billing_rules.data_needed: resources as JSON
    bytes or dicts, none, or unknown with its reason. A part that is not there is unknown.

    `asked_by_code` names the parts of which only certain codes were asked for. With `every_date`
    what no rule looks at is read as well, since it shows that a part was not empty on an earlier
    date. Never raises for anything the resources hold.
    """
    interest = None if every_date else Interest(catalogue)
    chart = reading.chart(parts, catalogue.systems, today, asked_by_code, interest)
    return PatientChart(chart, past_of(chart, catalogue), parts, catalogue, today)


def assess(
    lines: Sequence[OrderLine],
    patient: PatientChart,
    *,
    payer_id: str | None = None,
    failed: Failed | None = None,
) -> tuple[OrderReview, ...]:
    """Every order for a catalogued drug among `lines`, reviewed as the patient was on its day:
    `assess(lines, patient.as_of(day))` judges a date of service gone by.

    `lines` are judged together, as drafts of one request. One that states no date of service gets
    the one its drug's other lines state, else the patient's day. `payer_id` and `failed` as in
    billing_rules.review.
    """
    chart, catalogue = patient.chart, patient.catalogue
    return review(lines, chart, catalogue, patient.day, payer_id, failed, patient.past)
