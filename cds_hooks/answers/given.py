"""patient-view and encounter-discharge: what was given, and the claim lines that come of it.

No standard hook fires when a drug is given or charged (checklist A11.3). Each visit is judged by
its own records alone, so that a dose is asked about once: on patient-view for a few days, on
encounter-discharge with its encounter.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from billing_rules.chart import Chart
from billing_rules.data_needed import ASKED_BY_CODE
from billing_rules.fhir import reading
from billing_rules.fhir.decoding import Part
from billing_rules.fhir.given import Given, given
from billing_rules.fhir.references import same
from billing_rules.findings import Severity
from billing_rules.interest import Interest
from billing_rules.model import OrderLine
from billing_rules.recognise import concerns_catalogue
from billing_rules.review import OrderReview
from billing_rules.states import Nothing, Present, Unknown
from cds_hooks import prefetch, reviewing
from cds_hooks.answers import medications
from cds_hooks.answers.call import Call, Reviewed
from cds_hooks.errors import unobtainable
from ehr_access import reasons

log = logging.getLogger("cds_hooks")
PART = "administrations"
_NOT_OFFERED = reasons.not_offered("MedicationAdministration")


def reviewed(call: Call) -> Reviewed | None:
    """The doses given of late, or in the encounter that ends; 412 when they cannot be had."""
    first = tuple(need for need in call.service.needs if need.key == PART)
    parts = prefetch.complete(call.hook, first, call.ehr)
    if not _assessable(parts[PART]):
        return None
    concerned = _concerned(call, parts)
    if not concerned:
        return None
    parts = _completed(call, parts, concerned)
    chart = reading.chart(
        parts, call.catalogue.systems, call.today, ASKED_BY_CODE, Interest(call.catalogue)
    )
    found = tuple(
        review
        for lines in _visits(call, parts)
        for review in _of_visit(call, lines, chart)
        if _worth_saying(call, review)
    )
    return Reviewed(found, plans=call.hook.hook != "patient-view")


def _assessable(part: Part) -> bool:
    """Whether there are records to judge. Raises Refused (412) when that cannot be told."""
    if part == _NOT_OFFERED:
        log.info("not assessable: the EHR has no MedicationAdministration")
        return False
    if isinstance(part, Unknown):
        raise unobtainable(f"The drugs given could not be read: {part.because}.")
    return not isinstance(part, Nothing)


# ---------------------------------------------------------------- which records


def _concerned(call: Call, parts: Mapping[str, Part]) -> list[Given]:
    """The records in question that are of a catalogued drug, or could be."""
    in_question = [g for g in given(parts, call.catalogue.systems) if _in_question(call, g)]
    return [
        g
        for g in in_question
        if concerns_catalogue([g.line], call.catalogue)
        or (call.ehr is not None and medications.nameless(g.line))
    ]


def _in_question(call: Call, record: Given) -> bool:
    """On encounter-discharge the encounter's own, and those of late that name none."""
    day = record.line.date_of_service
    if day is None:
        return False
    encounter = call.hook.context.encounter_id
    if call.hook.hook == "encounter-discharge" and record.encounter:
        return same(record.encounter, f"Encounter/{encounter}")
    first = call.today - timedelta(days=max(call.settings.given_days, 1) - 1)
    return first <= day <= call.today


def _completed(
    call: Call, parts: Mapping[str, Part], concerned: Iterable[Given]
) -> dict[str, Part]:
    """All parts, with the Medications that the records refer to put beside them."""
    resources = medications.resources_of(parts[PART])
    lines = [g.line for g in concerned]
    asked = medications.queries(medications.outside(resources, lines, call.catalogue), call)
    needs = tuple(need for need in call.service.needs if need.key != PART)
    rest = prefetch.complete(call.hook, needs, call.ehr, asked)
    along = tuple(dict(found) for found in medications.answers(asked, rest))
    records = parts[PART]
    records = Present((*records.value, *along)) if isinstance(records, Present) else records
    return {**rest, PART: records}


def _visits(call: Call, parts: Mapping[str, Part]) -> list[tuple[OrderLine, ...]]:
    """The lines in question, one tuple a day."""
    by_day: dict[date, list[OrderLine]] = {}
    for record in given(parts, call.catalogue.systems):
        if _in_question(call, record) and record.line.date_of_service:
            by_day.setdefault(record.line.date_of_service, []).append(record.line)
    return [tuple(by_day[day]) for day in sorted(by_day, reverse=True)]


# ---------------------------------------------------------------- what is said


def _of_visit(call: Call, lines: Sequence[OrderLine], chart: Chart) -> Iterable[OrderReview]:
    """The reviews of one day's doses, by the rules for what was given alone."""
    own = replace(chart, administrations=Present(tuple(lines)))
    for review in reviewing.reviews(lines, own, call.catalogue, call.today):
        kept = tuple(o for o in review.outcomes if o.rule in call.service.rules)
        yield replace(review, outcomes=kept)


def _worth_saying(call: Call, review: OrderReview) -> bool:
    """A chart is opened many times a day, so patient-view speaks only for a warning."""
    if call.hook.hook != "patient-view":
        return True
    return any(finding.severity is Severity.WARNING for finding in review.findings)
