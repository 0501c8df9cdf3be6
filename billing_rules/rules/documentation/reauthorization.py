"""An authorization about to end is renewed in time, with the assessment the payer then wants.

The results a payer names must be from after the authorization began: they show the benefit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from billing_rules.evidence.authorizations import seen_authorization, standing
from billing_rules.evidence.documentation import (
    criteria_sources,
    listed,
    not_sure,
    payer_seen,
    planned_interval,
)
from billing_rules.model.chart import Authorization, Measured
from billing_rules.model.entities import Evidence
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import Present, Unknown, days_between
from billing_rules.orders.case import Case
from billing_rules.rules.rule import (
    BOOKING,
    ORDERS,
    Place,
    Record,
    Rule,
    Stated,
    UseOf,
    authorization_required,
)

# Ours: answers took a median of 34 days in published series (Montefiore and Scripps, 2018-2020),
# and payers take requests about a month ahead.
DUE_DAYS = 30


def check(case: Case) -> Stated:
    on_file = case.once(standing)
    grant = on_file.value.latest_grant if isinstance(on_file, Present) else None
    if isinstance(on_file, Unknown):
        return NotChecked(on_file.because)
    elif grant is None and (gap := case.chart.why_not("authorizations")):
        return NotChecked(gap)
    elif grant is None or grant.end is None:
        return Silent("no granted authorization with an end is on file", applies=False)
    else:
        return _judged(case, grant, days_between(case.order.date_of_service, grant.end))


def _judged(case: Case, grant: Authorization, left: int) -> Stated:
    if left > DUE_DAYS:
        return Silent(f"the authorization goes on for {left} days")
    outcomes = list(_assessments(case, grant))
    if left >= (planned_interval(case) or 0):  # sooner ends are prior_authorization's
        outcomes.append(_due(case, grant, left))
    return outcomes or Silent(
        "no assessment is missing; that it ends is said by prior_authorization"
    )


def _due(case: Case, grant: Authorization, left: int) -> Finding:
    return _finding(
        case,
        grant,
        "due",
        f"Request reauthorization now: the authorization ends on {grant.end}",
        (f"It ends in {left} days; within {DUE_DAYS} days it is pointed out.", _wish(case)),
        (),
    )


def _wish(case: Case) -> str:
    kinds = case.criteria.reassessment if case.criteria else ()
    if not kinds:
        return "Payers want an updated clinical assessment; this payer's wish is not known."
    return f"The payer wants {_named(case, kinds)} with it."


def _assessments(case: Case, grant: Authorization) -> Iterator[Outcome]:
    """The results wanted since the authorization began, that are missing or cannot be checked."""
    kinds = case.criteria.reassessment if case.criteria else ()
    since = grant.start or grant.on
    results = case.chart.results
    if not kinds:
        return
    if since is None or isinstance(results, Unknown):
        why = results.because if isinstance(results, Unknown) else "it does not say since when"
        yield NotChecked(f"the assessments for reauthorization: {why}")
        return
    on_file = [r for r in results.value if r.on] if isinstance(results, Present) else []
    current = [r for r in on_file if r.on and since <= r.on <= case.order.date_of_service]
    known = [kind for kind in kinds if kind in case.terms.observations]
    answers = {kind: _answer(case, kind, current) for kind in known}
    missing = [kind for kind, answer in answers.items() if answer == "no"]
    if missing:
        gap = not_sure(case, "results")
        yield gap or _missing(case, grant, missing, current)
    unclear = [k for k in kinds if answers.get(k, "unclear") == "unclear"]
    if unclear:
        yield NotChecked(f"no result can be told to be {_named(case, unclear)}")


def _answer(case: Case, kind: str, results: Sequence[Measured]) -> str:
    answers = {case.terms.is_kind(result, kind) for result in results}
    if "yes" in answers:
        return "yes"
    return "unclear" if "code and words disagree" in answers else "no"


def _missing(
    case: Case, grant: Authorization, missing: list[str], current: Sequence[Measured]
) -> Finding:
    since = grant.start or grant.on
    wanted = case.criteria.reassessment if case.criteria else ()
    return _finding(
        case,
        grant,
        "assessment-missing",
        f"Chart {_named(case, missing)} since {since}: reauthorization asks for it"[:139],
        (f"The payer asks for {_named(case, wanted)}; {_named(case, missing)} was not found.",),
        tuple(
            Evidence(r.reference, "assessment", f"{r.text[:40]} {r.as_written[:30]}", r.on)
            for r in current
            if any(_answer(case, k, [r]) == "yes" for k in wanted if k in case.terms.observations)
        ),
    )


def _named(case: Case, kinds: Sequence[str]) -> str:
    known = case.terms.observations
    return listed(
        known[kind].words[0] if kind in known and known[kind].words else kind.replace("_", " ")
        for kind in kinds
    )


def _finding(
    case: Case,
    grant: Authorization,
    kind: str,
    summary: str,
    found: tuple[str, ...],
    basis: tuple[Evidence, ...],
) -> Finding:
    return Finding(
        kind=kind,
        summary=summary,
        found=found,
        basis=(seen_authorization(grant), *basis, *payer_seen(case)),
        sources=criteria_sources(case, "authorization", "next_period", "reassessment"),
    )


RULE = Rule(
    id="reauthorization",
    check=check,
    requires=(authorization_required,),
    topic=Topic.DOCUMENTATION,
    rank=160,
    warns=("assessment-missing",),
    informs=("due",),
    corrected_at={Topic.DOCUMENTATION: Place.AUTHORIZATIONS},
    hooks=(*ORDERS, *BOOKING),
    queries=("authorizations", "answers"),
    form_groups=("response", "assessment"),
    record=Record(
        name="reauthorization",
        title="Reauthorization in time, with its assessment",
        says=(
            "An authorization about to end is pointed out, with the results its renewal asks for."
        ),
        prevents="A gap in authorization, or a renewal denied for want of an updated assessment.",
        denials=("reauthorization",),
        citations=("policies",),
        reads=("criteria.first_period", "criteria.next_period"),
        uses=UseOf(
            health_status_assessment="scores such as the asthma control test, "
            "where the payer asks for them"
        ),
    ),
)
