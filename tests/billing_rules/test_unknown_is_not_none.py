"""Whatever input could not be read: no sentence of any rule then says that there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.model.chart import Chart
from billing_rules.model.entities import OrderLine
from billing_rules.model.findings import Finding, Outcome
from billing_rules.model.states import Nothing, Unknown
from tests import scenario, scenario_chart

WHY = "the record was torn"
SCENARIOS = [s for _, s in scenario.all_scenarios()]
# Each field of an order line that has a state, and the words sentences have for it.
ON_A_LINE = {
    "dose": "dose",
    "billed": "billed units|units",
    "containers": "containers?",
    "supplied": "supply|supplied",
    "interval": "interval",
    "route": "route",
    "site": "site",
    "observed": "observation",
    "lot": "lot",
    "expires": "expiry|expires",
    "discarded": "discarded amount",
}
IN_THE_CHART = {
    "weights": "weight",
    "coverages": "coverage|insurance",
    "results": "total IgE|eosinophil|result",
    "conditions": "diagnosis|condition",
    "allergies": "allergy",
    "procedures": "skin test|procedure",
    "therapies": "therapy",
    "authorizations": "authorization",
    "administrations": "past dose|earlier dose",
    "studies": "study",
    "answers": "answer",
}
# "no lot", "states no dose", "names no containers", "no discarded amount is charted", ...
_NONE = r"\b(?:no|without an?|missing) (?:\w+ ){{0,2}}?(?:{words})\b|\b(?:{words}) is missing"


# What the label, the payer or the past says is not about the field that was torn.
_OF_ELSE = (
    "no dose of",
    "gives no dose",
    "is known to be required",
    "No dose for a year",
    "is labelled",
    "no earlier dose is on file",
    "no past dose leaves",
    "no answer is on file",
    "is catalogued",
)


def sentences(outcomes: Iterator[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if isinstance(outcome, Finding):
            yield from (outcome.summary, *outcome.found, *outcome.unchecked)
            yield from (f"{seen.what}: {seen.value}" for seen in outcome.basis)
        else:
            yield outcome.because


def torn(line: OrderLine, name: str) -> OrderLine:
    return replace(line, **{name: Unknown(WHY)})


def said_of(words: dict[str, Any], name: str, catalogue: Catalogue) -> Iterator[str]:
    """What is said of the scenario when this field of every line, past doses too, is torn."""
    made = scenario._line
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenario, "_line", lambda *args: torn(made(*args), name))
        reviews = scenario.reviewed(words, catalogue)
    # A claim line or a charge alone has no dose that could be torn.
    yield from sentences(
        o for r in reviews if name != "dose" or r.order.prescriptions for o in r.outcomes
    )


def none_of(words: str) -> re.Pattern[str]:
    return re.compile(_NONE.format(words=words), re.IGNORECASE)


def says(none: re.Pattern[str], sentence: str) -> bool:
    return bool(none.search(sentence)) and not any(words in sentence for words in _OF_ELSE)


def test_every_state_of_line_and_chart_is_tried() -> None:
    line = OrderLine("MedicationRequest/1", "MedicationRequest")
    states = {f.name for f in fields(line) if isinstance(getattr(line, f.name), Nothing)}
    assert states == set(ON_A_LINE)
    chart = Chart()
    lists = {f.name for f in fields(chart) if isinstance(getattr(chart, f.name), Unknown)}
    assert lists - set(IN_THE_CHART) <= {"birth_date", "setting"}
    assert none_of("lot").search("150 mg, no lot") and none_of("dose").search("states no dose")
    assert not none_of("lot").search("150 mg, lot not readable")


@pytest.mark.parametrize("name", ON_A_LINE)
def test_what_of_an_order_could_not_be_read_is_never_called_none(
    name: str, catalogue: Catalogue
) -> None:
    none = none_of(ON_A_LINE[name])
    said = {s for words in SCENARIOS for s in said_of(words, name, catalogue) if says(none, s)}
    assert not said, "\n".join(sorted(said))


@pytest.mark.parametrize("name", IN_THE_CHART)
def test_what_of_the_chart_could_not_be_read_is_never_called_none(
    name: str, catalogue: Catalogue
) -> None:
    none, made = none_of(IN_THE_CHART[name]), scenario_chart.chart
    said = set()
    with pytest.MonkeyPatch.context() as patch:
        change = {name: Unknown(WHY)}
        patch.setattr(scenario_chart, "chart", lambda *args: replace(made(*args), **change))
        for words in SCENARIOS:
            outcomes = (o for r in scenario.reviewed(words, catalogue) for o in r.outcomes)
            said |= {s for s in sentences(outcomes) if says(none, s)}
    assert not said, "\n".join(sorted(said))
