"""Where the payer wants an authorization first: on file, granted, for this drug and this day.

Said before the order is signed, because a claim without it is denied whatever the chart shows. An
authorization that ends before the next dose is pointed out while there is time.
"""

from __future__ import annotations

from billing_rules.evidence.authorizations import OrderAuthorizations, seen_authorization, standing
from billing_rules.evidence.documentation import (
    criteria_sources,
    form_unread,
    listed,
    not_sure,
    payer_seen,
    planned_interval,
)
from billing_rules.model.chart import Authorization
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
    authorization_required,
)


def check(case: Case) -> Stated:
    on_file = case.once(standing)
    if isinstance(on_file, Unknown):
        return NotChecked(on_file.because)
    elif isinstance(on_file, Present):
        gap = not_sure(case, "authorizations")
        return _covered(case, on_file.value) or gap or _question(case, on_file.value)
    else:
        return _finding(
            case,
            "none-on-file",
            "Request prior authorization first: none is on file",
            "No authorization was found.",
        )


def _covered(case: Case, found: OrderAuthorizations) -> Outcome | None:
    """What is said of an authorization that covers the date of service; None without one."""
    if not found.covering:
        return None
    dated = [a for a in found.covering if a.start or a.end]
    if not dated:
        return NotChecked("the authorization on file states no period")
    grant = found.latest_grant
    assert grant is not None
    if contrary := _denied_since(found, grant):
        return _finding(
            case,
            "contradicted",
            "Ask the payer: the authorization is on file as granted, and was entered as denied",
            "A record of the EHR covers this dose; Vialwise's form says that it was denied.",
            grant,
            *contrary,
        )
    left = days_between(case.order.date_of_service, grant.end) if grant.end else None
    interval = planned_interval(case)
    if left is not None and interval is not None and left < interval:
        return _finding(
            case,
            "ends-before-next-dose",
            f"Renew the authorization: it ends on {grant.end}, before the next dose",
            f"It covers this dose; the next is due in {interval} days, it ends in {left}.",
            grant,
        )
    return Silent(
        f"{grant.number or grant.reference} covers this dose",
        basis=tuple(map(seen_authorization, (grant, *_older_denials(found, grant)))),
        sources=criteria_sources(case, "authorization"),
    )


def _older_denials(found: OrderAuthorizations, grant: Authorization) -> tuple[Authorization, ...]:
    """What the EHR's records said before a grant was entered: shown beside it."""
    return found.denied if grant.entered_on else ()


def _denied_since(found: OrderAuthorizations, grant: Authorization) -> tuple[Authorization, ...]:
    """Denials that somebody entered in Vialwise's form on the day of the grant or later."""
    return tuple(
        d
        for d in found.denied
        if d.entered_on and not grant.entered_on and str(d.entered_on) >= _said_on(grant)
    )


def _question(case: Case, found: OrderAuthorizations) -> Finding:
    if found.pending:
        return _finding(
            case,
            "pending",
            "Wait for the payer's answer: the authorization is still pending",
            "It was asked for; no answer is on file.",
            *found.pending,
        )
    if found.unclear:
        return _finding(
            case,
            "drug-not-named",
            "Check that the authorization on file is for this drug",
            "It is granted for this day, but names no drug that could be told.",
            *found.unclear,
        )
    if found.later:
        return _finding(
            case,
            "starts-later",
            f"Ask the payer: the authorization starts only on {found.later[0].start}",
            "It is granted, but does not cover this day yet.",
            *found.later,
        )
    if found.ended or found.denied:
        return _past(case, found)
    return _finding(
        case,
        "none-for-this-drug",
        f"Request prior authorization for {case.drug.name}: none on file names it",
        "Authorizations are on file, for other drugs or days.",
        *found.other,
    )


def _past(case: Case, found: OrderAuthorizations) -> Finding:
    """The newer of the last grant and the last denial."""
    ended, denied = found.ended[:1], found.denied[:1]
    if denied and (not ended or _said_on(denied[0]) > str(ended[0].end)):
        return _finding(
            case,
            "denied",
            "Ask the payer or appeal: it denied the authorization",
            _not_covered(found),
            *denied,
            *found.outdone,
        )
    return _finding(
        case,
        "ended",
        f"Renew the authorization: it ended on {ended[0].end}",
        _not_covered(found),
        *ended,
        *found.outdone,
    )


def _not_covered(found: OrderAuthorizations) -> str:
    if not found.outdone:
        return "No authorization covers this day."
    return "The EHR's record says so; Vialwise's form says otherwise, and is not newer."


def _said_on(a: Authorization) -> str:
    return str(a.on or a.start or "")


def _finding(
    case: Case,
    kind: str,
    summary: str,
    found: str,
    *authorizations: Authorization,
) -> Finding:
    insurers = listed(dict.fromkeys(a.insurer for a in authorizations if a.insurer))
    return Finding(
        kind=kind,
        summary=summary,
        found=(f"{case.payer.name} wants an authorization first.", found),
        basis=(
            *(seen_authorization(a) for a in authorizations),
            *(() if authorizations else (Evidence("", "authorizations read", "none"),)),
            *payer_seen(case),
        ),
        sources=criteria_sources(case, "authorization"),
        unchecked=(
            *((f"Whether {insurers} is still the insurer.",) if insurers else ()),
            *form_unread(case),
        ),
    )


RULE = Rule(
    id="prior_authorization",
    check=check,
    requires=(authorization_required,),
    topic=Topic.DOCUMENTATION,
    rank=90,
    warns=("none-on-file", "none-for-this-drug", "pending", "starts-later", "ended", "denied"),
    informs=("contradicted", "ends-before-next-dose", "drug-not-named"),
    corrected_at={Topic.DOCUMENTATION: Place.AUTHORIZATIONS},
    hooks=(*ORDERS, *BOOKING),
    queries=("coverage", "authorizations", "answers"),
    form_groups=("authorization",),
    record=Record(
        name="prior authorization",
        title="Prior authorization on file",
        says=(
            "Where the payer wants it, a granted authorization must name the drug and cover the"
            " day."
        ),
        prevents="A denial for want of authorization, whatever the chart shows.",
        denials=("prior-authorization",),
        citations=("policies",),
        reads=("criteria.authorization",),
        limits=(
            (
                "What was entered in Vialwise's form counts as entered, and is named so; no "
                "record shows it."
            ),
        ),
    ),
)
