"""How the authorizations on file stand to one order: which cover it, which did, which never."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

from billing_rules.evidence.documentation import entered, no_criteria, payer_criteria
from billing_rules.model.chart import Authorization, Therapy
from billing_rules.model.entities import Evidence
from billing_rules.model.states import NOTHING, Nothing, Present, State, days_between
from billing_rules.orders.case import Case, DrugAuthorization


class OrderAuthorizations(msgspec.Struct, frozen=True):
    """The authorizations of one order, each in at most one place, newest first.

    `covering` are granted ones in force on the date of service, `unclear` such as do not say for
    which drug, `other` those of another drug, `outdone` what was entered in Vialwise's form and
    the EHR's own record contradicts.
    """

    covering: tuple[Authorization, ...]
    pending: tuple[Authorization, ...]
    unclear: tuple[Authorization, ...]
    later: tuple[Authorization, ...]
    ended: tuple[Authorization, ...]
    denied: tuple[Authorization, ...]
    other: tuple[Authorization, ...]
    outdone: tuple[Authorization, ...] = ()

    @property
    def latest_grant(self) -> Authorization | None:
        """The granted one that ends last: of those in force, with renewals that follow them
        without a gap, else of those that have ended."""
        last = max(self.covering or self.ended, key=_authorizations_end, default=None)
        for renewal in sorted(self.later, key=lambda a: a.start or date.min):
            if last and self.covering and _follows(renewal, last):
                last = max(last, renewal, key=_authorizations_end)
        return last


def authorization_wanted(case: Case) -> State[str]:
    """Present when the payer wants an authorization for this order, none with the reason in
    `no_authorization_wanted`, unknown when that depends on the indication."""
    criteria = payer_criteria(case)
    if isinstance(criteria, Present):
        return Present("required") if criteria.value.authorization else NOTHING
    if isinstance(criteria, Nothing):
        return NOTHING
    answers = {
        wants.authorization
        for (drug_id, _), wants in case.payer.criteria.items()
        if drug_id == case.drug.id
    }
    if answers == {True}:
        return Present("required for every indication")
    return criteria if True in answers else NOTHING


def no_authorization_wanted(case: Case) -> str:
    return f"no authorization is known to be required: {no_criteria(case)}"


def standing(case: Case) -> State[OrderAuthorizations]:
    """Where every authorization on file stands; none when there is none at all."""
    found = case.history.authorizations
    if not isinstance(found, Present):
        return found
    return Present(_sorted(found.value, case.drug.id, case.order.date_of_service))


def _sorted(found: Iterable[DrugAuthorization], drug_id: str, on: date) -> OrderAuthorizations:
    places: dict[str, list[Authorization]] = {}
    for named in found:
        places.setdefault(_place(named, drug_id, on), []).append(named.authorization)

    def newest(place: str) -> tuple[Authorization, ...]:
        return tuple(sorted(places.get(place, ()), key=_answered, reverse=True))

    return OrderAuthorizations(
        covering=newest("covering"),
        pending=newest("pending"),
        unclear=newest("unclear"),
        later=newest("later"),
        ended=newest("ended"),
        denied=newest("denied"),
        other=newest("other"),
        outdone=newest("outdone"),
    )


def _place(named: DrugAuthorization, drug_id: str, on: date) -> str:
    a = named.authorization
    if named.outdone:
        return "outdone"
    if drug_id not in named.drug_ids and not named.unclear:
        return "other"
    when = _when(a, on)
    if named.unclear:
        return "unclear" if a.granted and when == "covering" else "other"
    if a.granted is None:
        return "other" if when == "ended" else "pending"
    return when if a.granted else "denied"


def _when(a: Authorization, on: date) -> str:
    if a.end is not None and a.end < on:
        return "ended"
    return "later" if a.start is not None and a.start > on else "covering"


def _follows(renewal: Authorization, last: Authorization) -> bool:
    if renewal.start is None or last.end is None:
        return True
    return days_between(last.end, renewal.start) <= 1


def _authorizations_end(a: Authorization) -> date:
    return a.end or date.max


def _answered(a: Authorization) -> date:
    return a.on or a.start or a.end or date.min


def seen_authorization(a: Authorization) -> Evidence:
    """What the record says of itself."""
    answer = {True: "granted", False: "denied", None: "pending"}[a.granted]
    names = ", ".join(c.code for c in a.codes) or a.text[:40] or "no drug named"
    period = f"{a.start or 'start not stated'} to {a.end or 'end not stated'}"
    what = f"authorization{entered(a.entered_on)}"
    return Evidence(a.reference, what, f"{a.number[:30]} {answer}, {names}, {period}".strip(), a.on)


# ----------------------------------------------------------------------
# Days a therapy covers: overlapping fills merged, so that no day is counted twice.
#
# A span's first and last day both count, as both ends of a FHIR Period do.


_DAY = timedelta(days=1)


class Span(msgspec.Struct, frozen=True, order=True):
    """The days from `first` to `last`, both included. Raises ValueError when it ends before."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"{self.last} is before {self.first}")

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same days as spans that neither overlap nor touch, earliest first."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.first <= whole[-1].last + _DAY:
            whole[-1] = Span(whole[-1].first, max(whole[-1].last, span.last))
        else:
            whole.append(span)
    return tuple(whole)


def covered_days(spans: Iterable[Span]) -> int:
    """How many days `spans` cover, each day once."""
    return sum(span.days for span in merged(spans))


def window(until: date, days: int | None) -> Span:
    """The `days` days that end on `until`; all days up to it when not limited."""
    first = until - timedelta(days=days - 1) if days else date.min
    return Span(first, until)


def span_of(therapy: Therapy, within: Span) -> Span | None:
    """The days of `within` that a therapy's record covers; None when there are none or its dates
    do not say. An open end lasts until `within` ends, but only while the therapy is active; an
    administration covers its own day.
    """
    start, end = therapy.start, _covered_days_end(therapy, within)
    if start is None or end is None:
        return None
    first, last = max(start, within.first), min(end, within.last)
    return Span(first, last) if first <= last else None


def is_dated(therapy: Therapy) -> bool:
    """Whether the record's dates say which days it covers."""
    ends = therapy.end is not None or therapy.kind == "administration" or _goes_on(therapy)
    return therapy.start is not None and ends


def _covered_days_end(therapy: Therapy, within: Span) -> date | None:
    if therapy.end is not None:
        return therapy.end
    if therapy.kind == "administration":
        return therapy.start
    return within.last if _goes_on(therapy) else None


def _goes_on(therapy: Therapy) -> bool:
    """A dispense always runs out: without its days of supply nobody knows when."""
    return therapy.active and therapy.kind in ("request", "statement")
