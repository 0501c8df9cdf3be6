"""The therapies that label or payer want tried first are on file, for long enough.

Days are counted from what was dispensed, ordered, stated or given: overlapping fills once, an open
end only while the therapy is active. "Missing" is said only when therapies were asked for and the
answer was complete.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from billing_rules.evidence.authorizations import Span, covered_days, is_dated, span_of, window
from billing_rules.evidence.documentation import (
    entered,
    form_unread,
    indication_seen,
    items,
    need_sources,
    not_sure,
    payer_caveat,
    start_of_therapy,
    wanted_by,
)
from billing_rules.model.chart import Agreement, Therapy
from billing_rules.model.entities import Evidence, Need
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import Present, Unknown
from billing_rules.orders.case import Case
from billing_rules.rules.rule import BOOKING, ORDERS, Place, Record, Rule, Stated, chosen_indication

SHOWN = 6  # ours: records listed on a card; the count of the others is said


class _Tried(msgspec.Struct, frozen=True):
    """The records of one drug class, and the days they cover inside the asked window."""

    need: Need
    sure: tuple[Therapy, ...]  # certainly of the class
    unclear: tuple[Therapy, ...]  # the ingredient fits; inhaled or nasal cannot be told
    within: Span
    not_allowed: tuple[Therapy, ...] = ()  # never taken, because this patient must not

    def days(self, therapies: Sequence[Therapy]) -> int:
        spans = (span_of(t, self.within) for t in therapies)
        return covered_days(span for span in spans if span)

    def enough(self, therapies: Sequence[Therapy]) -> bool:
        if self.need.lasting is not None:
            return self.days(therapies) >= self.need.lasting
        if self.need.within is None:
            return bool(therapies)
        return self.days(therapies) > 0

    def undated(self, therapies: Sequence[Therapy]) -> bool:
        return any(not is_dated(t) for t in therapies)


def check(case: Case) -> Stated:
    if wanted := needs(case):
        return [_checked(case, need) for need in wanted]
    return Silent("neither label nor payer names a therapy to try first", applies=False)


def needs(case: Case) -> tuple[Need, ...]:
    """The drug classes to have been tried, each once; `check` answers them in this order."""
    chosen = case.indication.indication
    asked = (*(case.criteria.needs if case.criteria else ()), *(chosen.needs if chosen else ()))
    classes = dict.fromkeys(n.what for n in asked if n.what in case.terms.drug_classes)
    return tuple(need for what in classes if (need := case.need(what)))


def _checked(case: Case, need: Need) -> Outcome:
    therapies = case.chart.therapies
    if isinstance(therapies, Unknown):
        return NotChecked(f"{_name(need)}: {therapies.because}")
    on_file = items(therapies)
    barred = tuple(t for t in on_file if _is_not_allowed(t) and t.stated_as == need.what)
    tried = _Tried(need, *_by_class(case, need, on_file), _window(case, need), barred)
    if tried.enough(tried.sure):
        return Silent(
            f"{_name(need)} is on file{_days_found(tried)}",
            basis=tuple(_seen(t) for t in tried.sure[:SHOWN]),
            sources=need_sources(need),
        )
    asked = _question(case, tried)
    says_missing = asked.kind in RULE.warns  # the others ask about what was found
    return (not_sure(case, "therapies") if says_missing else None) or asked


def _by_class(
    case: Case, need: Need, on_file: Sequence[Therapy]
) -> tuple[tuple[Therapy, ...], tuple[Therapy, ...]]:
    on = case.order.date_of_service
    begun = [t for t in on_file if not _is_not_allowed(t) and (t.start is None or t.start <= on)]
    answers = [(t, _in_class(case, t, need.what)) for t in begun]
    sure = tuple(t for t, answer in answers if answer == "yes")
    return sure, tuple(t for t, answer in answers if answer == "code and words disagree")


def _is_not_allowed(therapy: Therapy) -> bool:
    return therapy.outcome == "contraindicated"


def _in_class(case: Case, therapy: Therapy, drug_class: str) -> Agreement:
    """As the terms say; an unknown drug, entered as one of the class, is asked about."""
    answer = case.terms.in_class(therapy, drug_class)
    if answer == "no" and therapy.stated_as == drug_class:
        return "code and words disagree"
    return answer


def _window(case: Case, need: Need) -> Span:
    """Up to the date of service; a limited window ends when this drug's therapy began, because
    what is asked for is what was tried before it."""
    on = case.order.date_of_service
    start = start_of_therapy(case) if need.within else None
    return window(start.value if isinstance(start, Present) else on, need.within)


def _question(case: Case, tried: _Tried) -> Finding:
    """The first question that would settle it, from nearly documented to not at all."""
    name, both = _name(tried.need), (*tried.sure, *tried.unclear)
    days = tried.days(tried.sure)
    if tried.not_allowed and not tried.sure:
        return _finding(
            case,
            tried,
            "not-allowed",
            f"Ask the payer whether it waives {name}: it is entered as not allowed",
            f"Vialwise's form says that {name} is not allowed for this patient; none was taken.",
        )
    if tried.undated(tried.sure):
        return _finding(
            case,
            tried,
            "dates-not-charted",
            f"Chart from when to when {name} was taken: its records do not say",
            f"{_days(days)} of {name} are dated{_asked(tried.need)}.",
        )
    if entered_as := [t for t in tried.unclear if t.stated_as]:
        return _finding(
            case,
            tried,
            "drug-not-recognised",
            f"Compare '{entered_as[0].text[:40]}' with the record: is it {name}?",
            "It was entered as such; Vialwise does not know the drug by these words.",
        )
    if tried.unclear and (tried.enough(both) or tried.undated(tried.unclear)):
        return _finding(
            case,
            tried,
            "form-not-charted",
            f"Chart the form of '{tried.unclear[0].text[:40]}': is it {name}?",
            "The ingredient fits, but inhaled, nasal or other cannot be told from the record.",
        )
    if tried.sure:
        return _finding(
            case,
            tried,
            "too-short",
            f"Chart longer use of {name}: {_days(days)} found{_asked(tried.need)}",
            f"{_days(days)} of {name} found{_looked_at(tried)}{_asked(tried.need)}.",
        )
    return _finding(
        case,
        tried,
        "missing",
        f"Chart prior {name}{_duration(tried.need)}: none was found in the records asked",
        f"No order, statement, dispense or administration of {name} was found.",
    )


def _finding(case: Case, tried: _Tried, kind: str, summary: str, found: str) -> Finding:
    records = (*tried.sure, *tried.unclear, *tried.not_allowed)
    more = len(records) - SHOWN
    return Finding(
        kind=kind,
        summary=summary,
        found=(
            found,
            f"Asked for by {wanted_by(case, tried.need)}.",
            *((f"{more} more records are on file.",) if more > 0 else ()),
        ),
        basis=(
            *(_seen(t) for t in records[:SHOWN]),
            *(() if records else (Evidence("", "therapies read", f"no {_name(tried.need)}"),)),
            *indication_seen(case),
        ),
        sources=need_sources(tried.need),
        unchecked=(*payer_caveat(case), *form_unread(case)),
    )


def _seen(therapy: Therapy) -> Evidence:
    period = f"{therapy.start or 'start not stated'} to {therapy.end or 'end not stated'}"
    if not therapy.entered_on:
        what = f"therapy ({therapy.kind})"
        return Evidence(therapy.reference, what, f"{therapy.text[:60]}, {period}", therapy.start)
    outcome = therapy.outcome.replace("-", " ")
    return Evidence(
        therapy.reference,
        f"therapy{entered(therapy.entered_on)}",
        f"{therapy.text[:80]}, {period}, {outcome}",
        therapy.start,
    )


def _name(need: Need) -> str:
    return need.what.replace("_", " ")


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days:,} days"


def _days_found(tried: _Tried) -> str:
    return f", {_days(tried.days(tried.sure))}" if tried.need.lasting else ""


def _duration(need: Need) -> str:
    return f" of {_days(need.lasting)}" if need.lasting else ""


def _asked(need: Need) -> str:
    recent = f" of the past {need.within:,}" if need.within else ""
    return f", {_days(need.lasting)}{recent} asked for" if need.lasting else ""


def _looked_at(tried: _Tried) -> str:
    if tried.need.within is None:
        return f" up to {tried.within.last}"
    return f" between {tried.within.first} and {tried.within.last}"


RULE = Rule(
    id="prior_therapy",
    check=check,
    requires=(chosen_indication,),
    topic=Topic.DOCUMENTATION,
    rank=100,
    warns=("missing", "too-short"),
    informs=("not-allowed", "dates-not-charted", "drug-not-recognised", "form-not-charted"),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("medications", "statements", "dispenses", "administrations", "answers"),
    form_groups=("therapy",),
    record=Record(
        name="prior therapy",
        title="Therapies tried first, for long enough",
        says=(
            "Records of each therapy to try first must cover the days that label or payer asks for."
        ),
        prevents="A denial because step therapy is not documented.",
        denials=("step-therapy", "medical-necessity-documentation"),
        citations=("policies", "label"),
        reads=(
            "need.inhaled_corticosteroid",
            "need.second_controller",
            "need.h1_antihistamine",
            "need.nasal_corticosteroid",
        ),
        limits=(
            (
                "What was entered in Vialwise's form counts as entered, and is named so; no "
                "record shows it."
            ),
            ("It counts covered days from dated records; it cannot tell whether a drug was taken."),
        ),
    ),
)
