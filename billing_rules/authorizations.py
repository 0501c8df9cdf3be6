"""How the authorizations on file stand to one order: which cover it, which did, which never."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from billing_rules.case import Case
from billing_rules.chart import Authorization
from billing_rules.dates import days_between
from billing_rules.documentation import entered
from billing_rules.history import DrugAuthorization
from billing_rules.model import Evidence
from billing_rules.schedule import no_criteria, payer_criteria
from billing_rules.states import NOTHING, Nothing, Present, State


@dataclass(frozen=True, slots=True)
class Standing:
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
        last = max(self.covering or self.ended, key=_end, default=None)
        for renewal in sorted(self.later, key=lambda a: a.start or date.min):
            if last and self.covering and _follows(renewal, last):
                last = max(last, renewal, key=_end)
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


def standing(case: Case) -> State[Standing]:
    """Where every authorization on file stands; none when there is none at all."""
    found = case.history.authorizations
    if not isinstance(found, Present):
        return found
    return Present(_sorted(found.value, case.drug.id, case.order.date_of_service))


def _sorted(found: Iterable[DrugAuthorization], drug_id: str, on: date) -> Standing:
    places: dict[str, list[Authorization]] = {}
    for named in found:
        places.setdefault(_place(named, drug_id, on), []).append(named.authorization)

    def newest(place: str) -> tuple[Authorization, ...]:
        return tuple(sorted(places.get(place, ()), key=_answered, reverse=True))

    return Standing(
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


def _end(a: Authorization) -> date:
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
