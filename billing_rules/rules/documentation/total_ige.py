"""A total IgE drawn before treatment is on file, within what the dose is labelled for.

Without it the dose cannot be shown to follow the label, and payers deny. Values on treatment do
not count, nor does an allergen-specific IgE; what cannot be compared is asked about.
"""

from __future__ import annotations

from decimal import Decimal

from billing_rules.evidence.documentation import (
    birth_seen,
    capital,
    dated,
    dose_days,
    indication,
    indication_seen,
    measured_seen,
    need_sources,
    not_sure,
    only_coded,
    sources,
    wanted_by,
)
from billing_rules.evidence.pretreatment import (
    TOTAL_IGE,
    Baseline,
    IgeWindow,
    Reading,
    baseline_total_ige,
    ige_window,
)
from billing_rules.model.chart import Measured
from billing_rules.model.entities import Evidence, Need, plain
from billing_rules.model.findings import Finding, NotChecked, Outcome, Severity, Silent, Topic
from billing_rules.model.states import Nothing, Present, Unknown, days_between
from billing_rules.orders.case import Case
from billing_rules.rules.rule import BOOKING, ORDERS, Place, Record, Rule, Stated, UseOf, wanted

WANTED = "a total IgE from before the first dose"


def check(case: Case) -> Stated:
    baseline = case.once(baseline_total_ige)
    if isinstance(baseline, Unknown):
        return NotChecked(baseline.because)
    elif isinstance(baseline, Nothing):
        return not_sure(case, "results") or _missing(case)
    else:
        return _judged(case, baseline.value)


def _judged(case: Case, baseline: Baseline) -> Outcome:
    value = baseline.value
    if value is None:
        return not_sure(case, "results") or _nothing_usable(case, baseline)
    old = _too_old(case, value)
    outside = _outside(case, value)
    if outside:
        return outside
    if value.comparator:
        return Finding(
            kind="total-ige-not-exact",
            summary=f"Total IgE is only known as {value.as_written[:30]}: ask for the exact value",
            found=(
                "The labelled dose needs the exact value; the laboratory can dilute and repeat.",
            ),
            basis=(measured_seen(value), *indication_seen(case)),
            sources=need_sources(case.need(TOTAL_IGE)),
            unchecked=("Whether total IgE is within the labelled range.",),
        )
    if old:
        return not_sure(case, "results") or old
    if isinstance(baseline.doses, Unknown):
        why = f"total IgE is on file; whether from before the first dose: {baseline.doses.because}"
        return NotChecked(why)
    return Silent(
        f"{value.as_written} {dated(value.on)}",
        basis=(measured_seen(value), *_first_dose(case)),
        sources=need_sources(case.need(TOTAL_IGE)),
    )


# ---------------------------------------------------------------- no value to use


def _missing(case: Case) -> Finding:
    need = case.need(TOTAL_IGE)
    return Finding(
        kind="total-ige-missing",
        summary=f"No total IgE result is on file: add {WANTED}",
        found=(f"{_who(case, need)} wants total IgE for {indication(case)}; none was found.",),
        basis=(Evidence("", "total IgE results read", "none"), *indication_seen(case)),
        sources=need_sources(need),
        unchecked=only_coded(case, "results"),
    )


def _who(case: Case, need: Need | None) -> str:
    return capital(wanted_by(case, need) if need else "the label")


def _nothing_usable(case: Case, baseline: Baseline) -> Finding:
    """The result nearest to counting says what to do."""
    for reading, kind, summary in _ASKED:
        found = baseline.of(reading)
        if found:
            return Finding(
                kind=kind,
                summary=summary,
                found=tuple(_told(result) for result in found),
                basis=(*(measured_seen(result) for result in found), *_first_dose(case)),
                sources=need_sources(case.need(TOTAL_IGE)),
                unchecked=("Whether total IgE is within the labelled range.",),
            )
    raise AssertionError("a baseline without results is Nothing")


_ASKED: tuple[tuple[Reading, str, str], ...] = (
    (
        "other unit",
        "unit-not-comparable",
        "Total IgE is in a unit that cannot be compared: ask the laboratory for IU/mL",
    ),
    (
        "preliminary",
        "only-preliminary",
        "The total IgE on file is preliminary: add the final result",
    ),
    (
        "undated",
        "total-ige-undated",
        "The total IgE on file has no date: say whether it was drawn before the first dose",
    ),
    (
        "before the last course",
        "retest-after-a-year",
        "No dose for a year or more: the label asks for a new total IgE before restarting",
    ),
    (
        "on treatment",
        "only-on-treatment",
        f"Every total IgE on file was drawn on treatment: add {WANTED}",
    ),
    (
        "not told apart",
        "code-and-words-disagree",
        "A result's code and words disagree on total IgE: confirm what was measured",
    ),
)


def _told(result: Measured) -> str:
    codes = ", ".join(c.code for c in result.codes if c.system == "loinc")
    return f"{result.text or 'Result'} ({codes or 'no code'}): {result.as_written}."


def _first_dose(case: Case) -> tuple[Evidence, ...]:
    days = case.once(dose_days)
    if not isinstance(days, Present):
        return ()
    first, last = days.value[0], days.value[-1]
    shown = (Evidence("", "first dose on file", str(first), first),)
    return shown if first == last else (*shown, Evidence("", "last dose", str(last), last))


# ---------------------------------------------------------------- against the window


def _outside(case: Case, value: Measured) -> Finding | None:
    window = ige_window(case)
    if window is None or value.value is None:
        return None
    number = value.value.to("[IU]/mL").value
    if not (_surely_below(number, value, window) or _surely_above(number, value, window)):
        return None
    return Finding(
        kind="total-ige-outside-label",
        severity=Severity.WARNING if window.firm else Severity.INFO,
        summary=f"Total IgE {value.comparator}{plain(number)} IU/mL is outside {window}: "
        "is the order intended?",
        found=(f"No dose is labelled outside {window} ({window.name}).",),
        basis=(measured_seen(value), *birth_seen(case), *indication_seen(case)),
        sources=sources(window.source),
        unchecked=_window_caveats(case, window),
    )


def _surely_below(number: Decimal, value: Measured, window: IgeWindow) -> bool:
    if window.lowest is None or value.comparator in (">", ">="):
        return False
    return number < window.lowest or (value.comparator == "<" and number == window.lowest)


def _surely_above(number: Decimal, value: Measured, window: IgeWindow) -> bool:
    if window.highest is None or value.comparator in ("<", "<="):
        return False
    return number > window.highest or (value.comparator == ">" and number == window.highest)


def _window_caveats(case: Case, window: IgeWindow) -> tuple[str, ...]:
    caveats = [] if window.firm else ["This range was not seen in the US label itself."]
    doses = case.past_visits
    if isinstance(doses, Unknown):
        caveats.append(f"Whether it was drawn before the first dose: {doses.because}.")
    return tuple(caveats)


def _too_old(case: Case, value: Measured) -> Finding | None:
    need = case.need(TOTAL_IGE)
    if need is None or need.within is None or value.on is None:
        return None
    age = days_between(value.on, case.order.date_of_service)
    if age <= need.within:
        return None
    return Finding(
        kind="total-ige-too-old",
        summary=f"Total IgE is {age} days old, {need.within} are accepted: add a newer one if any",
        found=(f"{_who(case, need)} accepts {need.within} days.",),
        basis=(measured_seen(value),),
        sources=need_sources(need),
    )


RULE = Rule(
    id="total_ige",
    check=check,
    requires=(wanted(TOTAL_IGE),),
    topic=Topic.DOCUMENTATION,
    rank=40,
    warns=(
        "total-ige-missing",
        "only-on-treatment",
        "retest-after-a-year",
        "total-ige-outside-label",
        "total-ige-too-old",
    ),
    informs=(
        "total-ige-outside-label",
        "total-ige-not-exact",
        "total-ige-undated",
        "unit-not-comparable",
        "only-preliminary",
        "code-and-words-disagree",
    ),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("observations", "administrations"),
    form_groups=("total-ige",),
    record=Record(
        name="total IgE",
        title="Total IgE before treatment",
        says=(
            "A total IgE from before the first dose is on file where the indication is dosed by it."
        ),
        prevents="A denial because the baseline IgE is missing or outside the labelled window.",
        denials=(
            "medical-necessity-documentation",
            "diagnosis-or-test-missing",
            "coverage-criteria",
        ),
        citations=("label", "policies"),
        reads=("need.total_ige", "indication.total_ige", "table"),
        uses=UseOf(date_of_birth="the age decides which labelled window of total IgE applies"),
    ),
)
