"""Planned cards to JSON (CDS Hooks 2.0.1, "CDS Service Response").

Reimbursement never goes above `warning` (Da Vinci CRD 2.2.1, cards page). A card's detail is
GitHub-flavoured Markdown with bold words and lists only: what was found, on what, by which source,
and what could not be checked. Each part stands so that a reader can judge the advice alone (FDA
guidance on clinical decision support, 2026: the basis must be open to independent review).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from billing_rules.model.entities import Evidence, Source, Stage
from billing_rules.model.findings import Finding, NotChecked, Topic
from billing_rules.model.states import Present
from billing_rules.orders.claim_lines import ClaimPlan, WasteAnswer
from billing_rules.review import OrderReview
from billing_rules.rule_records import rule_names, shipped
from billing_rules.rules.common import FROM_TEXT, capital, listed
from cds_hooks.cards import app_link
from cds_hooks.cards.app_link import AppLink
from cds_hooks.cards.markdown import escaped, link, plain_line
from cds_hooks.cards.override_reasons import override_reasons
from cds_hooks.cards.plan import PlannedCard
from cds_hooks.cards.suggestions import CodeSystemUris, Resource, Suggestions
from cds_hooks.rule_documents import rule_url
from cds_hooks.settings import Settings

LONGEST_SUMMARY = 139  # "less than 140 characters" (CDS Hooks 2.0.1, "Card Attributes")
CARD_TYPES = "http://terminology.hl7.org/CodeSystem/cdshooks-card-type"
ICON_PATH = "/icon.png"
ASSOCIATED = "davinci-crd.associated-resource"
REFERENCE_LENGTH = 60
_TOPICS = {
    Topic.BILLING: {"system": CARD_TYPES, "code": "claim", "display": "Claim"},
    Topic.DOCUMENTATION: {"system": CARD_TYPES, "code": "guideline", "display": "Guideline"},
}
# What a card has even where it is empty (CDS Hooks 2.0.1, "Card Attributes").
_REQUIRED = frozenset({"uuid", "summary", "indicator", "detail", "source"})
_MOST = 12  # items of one list; a hostile order could have thousands
_CERTAINTY = {"C": " (one secondary source)", "S": " (this site's own file)"}


def new_uuid() -> str:
    return str(uuid.uuid4())


def written(
    plan: Sequence[PlannedCard],
    drafts: Mapping[str, Resource],
    code_systems: CodeSystemUris,
    settings: Settings,
    checked: str,
    *,
    new_uuid: Callable[[], str] = new_uuid,
    named: Collection[str] | None = None,
    app: AppLink | None = None,
    left_out: int = 0,
) -> list[dict[str, Any]]:
    """The cards as JSON, one for each in `plan`. `drafts` are the resources a suggestion may
    touch, by reference; `named` those a card may name as what it is about, else the drafts.
    `checked` is the moment of the data; `app` what the cards link to. The last card says how many
    more were `left_out`: a short answer is not a clean one."""
    findings = [finding for card in plan for finding in card.findings]
    suggestions = Suggestions(findings, drafts, code_systems, new_uuid)
    named = drafts if named is None else named
    more = _more_was_found(left_out, len(plan))
    return [
        _card(
            card,
            suggestions,
            settings,
            checked,
            new_uuid(),
            named,
            app,
            more if card is plan[-1] else "",
        )
        for card in plan
    ]


def moment(today: date, clock: datetime) -> str:
    """When the data was looked at, where the clinic is."""
    return f"{today} at {clock:%H:%M} {clock:%Z}".rstrip()


def _card(
    card: PlannedCard,
    suggestions: Suggestions,
    settings: Settings,
    checked: str,
    id_: str,
    named: Collection[str],
    app: AppLink | None,
    more: str,
) -> dict[str, Any]:
    offered = suggestions.of_card(card.findings)
    site = [link for link in settings.links if settings.linked(link.url)]
    links = [
        *(app_link.links(app, id_, card) if app else ()),
        *({"label": link.label, "url": link.url, "type": "absolute"} for link in site),
    ]
    # Which orders the card is about (Da Vinci CRD 2.2.1, "Linking cards to requests").
    about = [{"reference": r} for r in card.review.order.references if r in named]
    members = {
        "uuid": id_,
        "summary": _summary(card),
        "indicator": card.severity.value,
        "detail": _detail(card, settings, checked, more),
        "source": _source(card, settings),
        "suggestions": offered,
        "selectionBehavior": "at-most-one" if offered else "",
        "overrideReasons": override_reasons(settings) if card.findings else [],
        "links": links,
        "extension": {ASSOCIATED: about} if about else {},
    }
    return {name: value for name, value in members.items() if value or name in _REQUIRED}


def _summary(card: PlannedCard) -> str:
    if not card.findings:
        return _plan_summary(card.review)
    summary = plain_line(card.findings[0].summary, LONGEST_SUMMARY)
    more = _more(card.findings)
    return summary + more if len(summary + more) <= LONGEST_SUMMARY else summary


def _more(findings: Sequence[Finding]) -> str:
    others = len({f.summary for f in findings}) - 1
    return f" (+{others} more)" if others else ""


def _plan_summary(review: OrderReview) -> str:
    """The one info card of an order nothing was found on, for sites that want to see the plan."""
    name = review.drug.name.capitalize()
    if not review.plan.lines:
        return plain_line(f"{name}: billing cannot be planned yet", LONGEST_SUMMARY)
    to_do = " given: bill" if review.order.stage is Stage.GIVEN else ": plan to bill"
    open_ = "; JW or JZ is still open" if review.plan.waste is WasteAnswer.INDETERMINATE else ""
    return plain_line(f"{name}{to_do} {listed(review.plan.lines)}{open_}", LONGEST_SUMMARY)


def _source(card: PlannedCard, settings: Settings) -> dict[str, Any]:
    """Who says so, and the record of the most urgent finding's rule (45 CFR 170.315(b)(11))."""
    record = rule_url(card.findings[0].rule, settings) if card.findings else ""
    source = {
        "label": settings.source_label,
        "url": settings.linked(record or settings.source_url or settings.public_url),
        "icon": settings.linked(settings.url(ICON_PATH)),
        "topic": _TOPICS[card.topic],
    }
    return {key: value for key, value in source.items() if value}


# ---------------------------------------------------------------- the detail


def _detail(card: PlannedCard, settings: Settings, checked: str, more: str) -> str:
    review, findings = card.review, card.findings
    parts = (
        f"**Order:** {order_line(review)}",
        _titled("Found", _found(findings)),
        f"**Billing plan:** {plan_line(review)}",
        _titled("Based on", _based_on(review, findings)),
        _titled("Source", _sources(review, findings, settings)),
        _decided(findings, settings),
        _titled("Not checked", _not_checked(review, findings, card.gaps)),
        limits(checked),
        more,
    )
    return "\n\n".join(part for part in parts if part)


def _more_was_found(left_out: int, shown: int) -> str:
    if not left_out:
        return ""
    more = f"{left_out} more {'card is' if left_out == 1 else 'cards are'} not shown"
    return f"**More was found:** {more}; this site shows at most {shown} at once."


def order_line(review: OrderReview) -> str:
    """The order meant, so that a reader with several drafts knows which."""
    order = review.order
    given = "given" if order.stage is Stage.GIVEN else "for"
    references = listed(short(reference) for reference in order.references[:3])
    more = f" and {len(order.references) - 3} more" if len(order.references) > 3 else ""
    what = f"{review.drug.name} ({review.drug.brand}) {_dose(review)}".strip()
    return escaped(f"{what}, {given} {order.date_of_service}: {references}{more}")


def _dose(review: OrderReview) -> str:
    """The dose as the order wrote it, and in mg where that says it differently."""
    order = review.order
    written = order.dose_as_written
    amount = str(order.dose.value) if isinstance(order.dose, Present) else ""
    if not written or not amount or written == amount:
        return written or amount
    return f"{written} = {amount}"


def plan_line(review: OrderReview) -> str:
    """How the order is to be billed, from which containers, and how JW or JZ was answered."""
    plan = review.plan
    if not plan.lines:
        return escaped(f"none yet, because {plan.because}.")
    sentences = [f"bill {listed(plan.lines)}{_containers(plan)}."]
    if plan.waste is WasteAnswer.NOT_APPLICABLE:
        sentences.append(f"No JW or JZ: {plan.because}.")
    elif plan.waste is WasteAnswer.INDETERMINATE:
        sentences.append(f"JW or JZ is still open: {plan.because}.")
    return escaped(" ".join(sentences), limit=500)


def _containers(plan: ClaimPlan) -> str:
    if not plan.opened:
        return ""
    origin = "; computed, the order names no containers" if plan.computed else ""
    return f" (from {listed(plan.opened)}{origin})"


def limits(checked: str) -> str:
    """What the card is not, and the moment of the data."""
    return (
        "Advice on billing, not legal or clinical advice. "
        f"Checked {checked} against what the EHR shared for this request."
    )


def short(reference: str) -> str:
    """A reference that fits into a line; some EHRs have ids of 194 characters."""
    if len(reference) <= REFERENCE_LENGTH:
        return reference
    return reference[: REFERENCE_LENGTH - 1] + "…"


# ---------------------------------------------------------------- lists


def _titled(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    shown = list(items[:_MOST])
    if len(items) > _MOST:
        shown.append(f"and {len(items) - _MOST} more")
    return "\n".join([f"**{title}**", "", *(f"- {item}" for item in shown)])


def _once(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


def _found(findings: Sequence[Finding]) -> list[str]:
    """One item a finding, the same words never twice. A card with one finding has its summary as
    headline already."""
    if len({f.summary for f in findings}) == 1:
        return _once(escaped(sentence) for f in findings for sentence in f.found)
    return _once(
        " ".join([f"**{escaped(f.summary)}.**", *(escaped(sentence) for sentence in f.found)])
        for f in findings
    )


def _based_on(review: OrderReview, findings: Sequence[Finding]) -> list[str]:
    references = review.order.references
    this_order = references[0] if len(references) == 1 else ""
    return _once(_evidence(e, this_order) for f in findings for e in f.basis)


def _evidence(seen: Evidence, this_order: str) -> str:
    """What was seen, where and when; the order named at the top is not spelled out again."""
    told = "this order" if seen.reference == this_order else short(seen.reference)
    place = told if seen.reference else ""
    where = ", ".join(filter(None, [place, str(seen.on) if seen.on else ""]))
    return escaped(f"{seen.what}: {seen.value}") + (f" ({escaped(where)})" if where else "")


def _sources(review: OrderReview, findings: Sequence[Finding], settings: Settings) -> list[str]:
    """One item a document. The passages stand on the rule's page: many are rows of CMS tables."""
    used = [s for f in findings for s in f.sources] if findings else review.plan.sources
    return _once(_document(source, settings) for source in used)


def _document(source: Source, settings: Settings) -> str:
    certainty = _CERTAINTY.get(source.certainty, "")
    return f"{_linked(source.title, settings.linked(source.url))}, {source.published}{certainty}"


@lru_cache(maxsize=4096)
def _linked(title: str, url: str) -> str:
    """A link to a source or a rule's record: the catalogue's words, so the same for every patient
    and escaped once. Nothing that came with a request may be remembered here."""
    return link(title, url)


def _decided(findings: Sequence[Finding], settings: Settings) -> str:
    """The records of the rules that spoke, with the date of each rule's version."""
    records = shipped().records
    spoke = [records[rule] for rule in _once(f.rule for f in findings) if rule in records]
    by_version: dict[str, list[str]] = {}
    for record in spoke:
        address = settings.linked(rule_url(record.id, settings))
        linked = _linked(capital(record.name), address)
        by_version.setdefault(record.version, []).append(linked)
    told = "; ".join(f"{', '.join(links)} (version {day})" for day, links in by_version.items())
    return f"**How this was decided:** {told}" if told else ""


def _not_checked(
    review: OrderReview, findings: Sequence[Finding], gaps: Sequence[NotChecked]
) -> list[str]:
    said = [sentence for f in findings for sentence in f.unchecked]
    if not review.payer.known:
        said.append(f"Payer rules were not applied: {review.payer_choice.because}.")
    if review.order.identity.by == "text":
        said.append(FROM_TEXT)
    unread = [f"{capital(note)}." for line in review.order.lines for note in line.unread]
    return _once(escaped(sentence) for sentence in [*said, *_gaps(gaps), *unread])


def _gaps(gaps: Sequence[NotChecked]) -> list[str]:
    """One sentence a reason, with all the rules that it held up."""
    held_up: dict[str, list[str]] = {}
    for gap in gaps:
        held_up.setdefault(gap.because, []).append(gap.rule)
    return [f"{rule_names(rules)}: {because}." for because, rules in held_up.items()]
