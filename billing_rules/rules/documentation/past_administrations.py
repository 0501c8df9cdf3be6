"""Past doses are charted as a claim needs them: exact dose, lot number, container, route, site, and
observation after the dose where the label wants first doses supervised.

FHIR has no element for the lot or the observation on an administration, and no rule of CMS on them
was seen, so what is not there was "not found in the data the EHR shares".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from billing_rules.evidence.documentation import drug_sources, items, listed, seen, told
from billing_rules.model.entities import DrugOrder, OrderLine
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown, days_between
from billing_rules.orders.case import Case
from billing_rules.rules.rule import GIVEN, ORDERS, Place, Record, Rule, Stated, past_doses

LOOK_BACK_DAYS = 365  # ours: older doses are past every deadline to correct a claim known to us

NONE_LATELY = f"no dose of {{drug}} in the past {LOOK_BACK_DAYS} days"
FINE = Present("")  # what is not asked for
_ELSEWHERE = "It may be charted where the EHR does not share it."


def check(case: Case) -> Stated:
    recent = _recent(case, items(case.history.visits))
    if not recent:
        return Silent(NONE_LATELY.format(drug=case.drug.name))
    gaps = [visit for visit in recent if not _is_whole(case, visit)]
    return [o for part in _PARTS for o in part(case, gaps)] or _charted_whole(case, recent)


def _is_whole(case: Case, visit: DrugOrder) -> bool:
    """Whether no part has anything to say of a visit: so it is with most."""
    observed = case.drug.supervised_doses is not None
    for line in visit.prescriptions:
        states = (line.dose, line.lot, line.route, line.site, line.observed if observed else FINE)
        if not all(isinstance(state, Present) for state in states):
            return False
        if not line.codes_of("ndc") or _off_label(case, line):
            return False
    return not isinstance(visit.dose, Unknown) and not isinstance(visit.containers, Unknown)


def _charted_whole(case: Case, recent: Sequence[DrugOrder]) -> Silent:
    """With the newest dose's records: the lot number stands nowhere else."""
    observed = ", observation" if case.drug.supervised_doses is not None else ""
    because = f"{_which(recent)}: dose, lot, container, route{observed} and site are charted"
    lines = recent[0].prescriptions
    basis = tuple(seen(line, "administration", _charted(case, line)) for line in lines)
    return Silent(because, basis=basis)


def _recent(case: Case, visits: Sequence[DrugOrder]) -> list[DrugOrder]:
    on = case.order.date_of_service
    return [
        visit
        for visit in visits
        if visit.drug_id == case.drug.id
        and visit.prescriptions
        and days_between(visit.date_of_service, on) <= LOOK_BACK_DAYS
    ]


def _doses(case: Case, visits: Sequence[DrugOrder]) -> Iterator[Outcome]:
    missing = _without(visits, lambda line: line.dose)
    if missing:
        yield _finding(
            case,
            missing,
            "dose-not-charted",
            f"Chart the exact dose given: {_which(missing)} states none",
            "The units billed must agree with the dose charted.",
        )
    yield from _unreadable("dose", (visit.dose for visit in visits))


def _lots(case: Case, visits: Sequence[DrugOrder]) -> Iterator[Outcome]:
    yield from _not_found(
        case,
        visits,
        lambda line: line.lot,
        "lot",
        "Check the lot number",
        "No lot number was found in the data the EHR shares.",
    )
    yield from _unreadable("lot number", _states(visits, lambda line: line.lot))


def _containers(case: Case, visits: Sequence[DrugOrder]) -> Iterator[Outcome]:
    yield from _not_found(
        case,
        visits,
        _container_named,
        "container",
        "Check NDC and containers",
        "JW and JZ depend on the container that was opened.",
    )
    yield from _unreadable("container", (visit.containers for visit in visits))


def _container_named(line: OrderLine) -> State[str]:
    named = line.codes_of("ndc")
    return Present(named[0]) if named else NOTHING


def _routes(case: Case, visits: Sequence[DrugOrder]) -> Iterator[Outcome]:
    yield from _not_found(
        case,
        visits,
        lambda line: line.route,
        "route",
        "Check the route",
        f"The label's route is {listed(case.drug.routes) or 'not catalogued'}.",
    )
    other = [visit for visit in visits if any(_off_label(case, x) for x in visit.prescriptions)]
    if other:
        yield _finding(
            case,
            other,
            "route-differs",
            f"Check the route charted: {_which(other)}, differs from the label's",
            f"The label's route is {listed(case.drug.routes)}.",
        )
    yield from _unreadable("route", _states(visits, lambda line: line.route))


def _sites(case: Case, visits: Sequence[DrugOrder]) -> Iterator[Outcome]:
    yield from _not_found(
        case,
        visits,
        lambda line: line.site,
        "site",
        f"Check the {case.drug.giving} site",
        "No site was found in the data the EHR shares.",
    )
    yield from _unreadable("site", _states(visits, lambda line: line.site))


def _observations(case: Case, visits: Sequence[DrugOrder]) -> Iterator[Outcome]:
    """Observation after the dose, for drugs whose first doses the label wants supervised."""
    if case.drug.supervised_doses is not None:
        yield from _not_found(
            case,
            visits,
            lambda line: line.observed,
            "observation",
            "Check that observation is charted",
            f"No note on observation after the {case.drug.giving} was found.",
        )


_PARTS = (_doses, _lots, _containers, _routes, _sites, _observations)
_ROUTES = ("subcutaneous", "intravenous", "intramuscular")


def _off_label(case: Case, line: OrderLine) -> bool:
    """Whether the charted route is another one; local words that name no route are let pass."""
    said = line.route.value.lower() if isinstance(line.route, Present) else ""
    named = [route for route in _ROUTES if route in said]
    return bool(case.drug.routes and named) and not set(named) & set(case.drug.routes)


# ---------------------------------------------------------------- common to all


def _not_found(
    case: Case,
    visits: Sequence[DrugOrder],
    read: Callable[[OrderLine], State[Any]],
    what: str,
    check_it: str,
    found: str,
) -> Iterator[Outcome]:
    """What the shared data do not hold: never called missing, because it may be elsewhere."""
    without = _without(visits, read)
    if without:
        summary = f"{check_it}: {_which(without)}, not found in the data the EHR shares"
        kind = f"{what}-not-found"
        yield _finding(case, without, kind, summary, found, _ELSEWHERE)


def _without(
    visits: Sequence[DrugOrder], read: Callable[[OrderLine], State[Any]]
) -> list[DrugOrder]:
    return [v for v in visits if any(isinstance(read(x), Nothing) for x in v.prescriptions)]


def _states(
    visits: Sequence[DrugOrder], read: Callable[[OrderLine], State[Any]]
) -> Iterator[State[Any]]:
    return (read(line) for visit in visits for line in visit.prescriptions)


def _unreadable(what: str, states: Iterator[State[Any]]) -> Iterator[Outcome]:
    reasons = dict.fromkeys(state.because for state in states if isinstance(state, Unknown))
    if reasons:
        yield NotChecked(f"the {what} of an earlier dose: {listed(reasons)}")


def _which(visits: Sequence[DrugOrder]) -> str:
    last = visits[0].date_of_service
    return f"dose of {last}" if len(visits) == 1 else f"{len(visits)} doses, last {last}"


def _finding(
    case: Case,
    visits: Sequence[DrugOrder],
    kind: str,
    summary: str,
    *found: str,
) -> Finding:
    return Finding(
        kind=kind,
        summary=summary,
        found=found,
        basis=tuple(
            seen(line, "administration", _charted(case, line))
            for visit in visits
            for line in visit.prescriptions
        ),
        sources=drug_sources(case, "routes") if kind.startswith("route") else (),
    )


def _charted(case: Case, line: OrderLine) -> str:
    """What the record does say."""
    parts = [
        told(line.dose, "dose"),
        told(line.lot, "lot", "lot {}".format),
        *(f"NDC {case.drug.ndc_shown(code)}" for code in line.codes_of("ndc")[:1]),
        told(line.route, "route", lambda route: route[:30]),
        told(line.site, "site", lambda site: site[:30]),
    ]
    return ", ".join(parts)


RULE = Rule(
    id="past_administrations",
    check=check,
    requires=(past_doses(NONE_LATELY),),
    topic=Topic.DOCUMENTATION,
    rank=140,
    warns=("dose-not-charted", "route-differs"),
    informs=(
        "lot-not-found",
        "container-not-found",
        "route-not-found",
        "site-not-found",
        "observation-not-found",
    ),
    corrected_at={Topic.DOCUMENTATION: Place.PAST_DOSES},
    hooks=(*ORDERS, *GIVEN),
    queries=("administrations",),
    form_groups=("past-dose",),
    record=Record(
        name="past doses",
        title="Past doses are charted as a claim needs them",
        says=(
            "Exact dose, lot number, container, route, site and observation of past doses are "
            "looked for."
        ),
        prevents="A claim that an audit cannot trace to what was given.",
        denials=("dose-lot-and-waste-record",),
        citations=("discarded-drugs", "audit"),
    ),
)
