"""Findings to cards (CDS Hooks 2.0.1, "CDS Service Response").

At most two cards an order, billing and documentation, most urgent first. Reimbursement never goes
above `warning` (Da Vinci CRD 2.2.1, cards page).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing_rules.claim_lines import Doubt, WasteAnswer
from billing_rules.findings import Finding, NotChecked, Severity, Topic
from billing_rules.model import Stage
from billing_rules.review import OrderReview
from billing_rules.rules import DOCUMENTATION_NAMES
from billing_rules.rules.common import listed
from cds_hooks import detail
from cds_hooks.markdown import plain_line
from cds_hooks.override_reasons import override_reasons
from cds_hooks.rule_documents import rule_url
from cds_hooks.settings import Settings
from cds_hooks.suggestions import CodeSystemUris, Resource, Suggestions

LONGEST_SUMMARY = 139  # "less than 140 characters" (CDS Hooks 2.0.1, "Card Attributes")
CARD_TYPES = "http://terminology.hl7.org/CodeSystem/cdshooks-card-type"
ICON_PATH = "/icon.png"
ASSOCIATED = "davinci-crd.associated-resource"
_TOPICS = {
    Topic.BILLING: {"system": CARD_TYPES, "code": "claim", "display": "Claim"},
    Topic.DOCUMENTATION: {"system": CARD_TYPES, "code": "guideline", "display": "Guideline"},
}
_URGENCY = list(Severity)  # most urgent first


def new_uuid() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class PlannedCard:
    """A card before it is written: what it is about and what it says."""

    review: OrderReview
    topic: Topic
    findings: tuple[Finding, ...]
    gaps: tuple[NotChecked, ...]

    @property
    def severity(self) -> Severity:
        return self.findings[0].severity if self.findings else Severity.INFO


def planned(reviews: Iterable[OrderReview], settings: Settings) -> list[PlannedCard]:
    """The cards that `reviews` call for, most urgent first."""
    cards = [card for review in reviews for card in _of_order(review, settings)]
    return sorted(cards, key=lambda card: _URGENCY.index(card.severity))


def written(
    plan: Sequence[PlannedCard],
    drafts: Mapping[str, Resource],
    code_systems: CodeSystemUris,
    settings: Settings,
    checked: str,
    new_uuid: Callable[[], str] = new_uuid,
    named: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """The cards as JSON, one for each in `plan`. `drafts` are the resources a suggestion may
    touch, by reference; `named` those a card may name as what it is about, else the drafts.
    `checked` is the moment of the data."""
    findings = [finding for card in plan for finding in card.findings]
    suggestions = Suggestions(findings, drafts, code_systems, new_uuid)
    cards = [_card(card, suggestions, settings, checked, new_uuid) for card in plan]
    for card, about in zip(cards, plan, strict=True):
        _associate(card, about.review, drafts if named is None else named)
    return cards


def _of_order(review: OrderReview, settings: Settings) -> list[PlannedCard]:
    cards = []
    for topic in Topic:
        findings = _most_urgent_first(f for f in review.findings if f.topic is topic)
        if findings or (topic is Topic.BILLING and _shows_plan_alone(review, settings)):
            cards.append(PlannedCard(review, topic, findings, _gaps(review, topic)))
    return cards


def _shows_plan_alone(review: OrderReview, settings: Settings) -> bool:
    """Not while a dose is not charted to its end: the card that says so has the lines as well."""
    return settings.billing_plan and review.plan.doubt is not Doubt.CHARTING


def _gaps(review: OrderReview, topic: Topic) -> tuple[NotChecked, ...]:
    """What rules of `topic` could not check; each card answers for its own."""
    documentation = topic is Topic.DOCUMENTATION
    return tuple(g for g in review.not_checked if (g.rule in DOCUMENTATION_NAMES) is documentation)


def _most_urgent_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: _URGENCY.index(f.severity)))


# ---------------------------------------------------------------- one card


def _card(
    draft: PlannedCard,
    suggestions: Suggestions,
    settings: Settings,
    checked: str,
    new_uuid: Callable[[], str],
) -> dict[str, Any]:
    card: dict[str, Any] = {
        "uuid": new_uuid(),
        "summary": _summary(draft),
        "indicator": draft.severity.value,
        "detail": detail.detail(draft.review, draft.findings, draft.gaps, settings, checked),
        "source": _source(draft, settings),
    }
    offered = suggestions.of_card(draft.findings)
    if offered:
        card["suggestions"] = offered
        card["selectionBehavior"] = "at-most-one"
    if draft.findings:
        card["overrideReasons"] = override_reasons(settings)
    links = [link for link in settings.links if settings.linked(link.url)]
    if links:
        card["links"] = [
            {"label": link.label, "url": link.url, "type": "absolute"} for link in links
        ]
    return card


def _associate(card: dict[str, Any], review: OrderReview, named: Collection[str]) -> None:
    """Say which orders the card is about (Da Vinci CRD 2.2.1, "Linking cards to requests")."""
    about = [{"reference": r} for r in review.order.references if r in named]
    if about:
        card["extension"] = {ASSOCIATED: about}


def _summary(draft: PlannedCard) -> str:
    if not draft.findings:
        return _plan_summary(draft.review)
    summary = plain_line(draft.findings[0].summary, LONGEST_SUMMARY)
    more = _more(draft.findings)
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


def _source(draft: PlannedCard, settings: Settings) -> dict[str, Any]:
    """Who says so, and the record of the most urgent finding's rule (45 CFR 170.315(b)(11))."""
    record = rule_url(draft.findings[0].rule, settings) if draft.findings else ""
    source = {
        "label": settings.source_label,
        "url": settings.linked(record or settings.source_url or settings.public_url),
        "icon": settings.linked(settings.url(ICON_PATH)),
        "topic": _TOPICS[draft.topic],
    }
    return {key: value for key, value in source.items() if value}
