"""Which cards the reviews call for: those that are shown, and those that are kept and not shown.

At most two cards an order, billing and documentation, most urgent first. In shadow mode and quiet
hours findings are evaluated and kept, and not shown; what is kept back is recorded with its reason,
so that nothing is lost silently and nothing unseen is counted as shown (recording.py, outcomes.py).
Pure: which rules are kept back now is looked up in the settings by client, tenant and the clinic's
time; a review is then parted by rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from billing_rules.model.entities import DrugOrder
from billing_rules.model.findings import Finding, NotChecked, Outcome, Severity, Silent, Topic
from billing_rules.orders.claim_lines import Doubt
from billing_rules.review import OrderReview
from billing_rules.rules import DOCUMENTATION_NAMES
from cds_hooks.record.entries import ByOrder, RuleAndKind
from cds_hooks.settings import Settings

SHADOW = "shadow"  # [[quiet]] with shadow = true
QUIET_HOURS = "quiet hours"  # [[quiet]] with hours
SILENT_TRACKING = "silent tracking"  # the EHR was sent the card and shows none of them
OVER_LIMIT = "over the limit"  # more cards than one answer shows (most_cards)
# Hooks at which an order without findings gives no card, also where the site wants the plan.
WITHOUT_PLANS = frozenset({"patient-view", "appointment-book"})
_URGENCY = list(Severity)  # most urgent first


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


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Cards that are kept and not shown, with the reason."""

    because: str
    cards: tuple[PlannedCard, ...]


def planned(
    reviews: Sequence[OrderReview], hook: str, settings: Settings, client: str, tenant: str
) -> tuple[list[PlannedCard], tuple[HeldBack, ...]]:
    """The cards of an answer to `hook`, most urgent first, and those that are kept back."""
    plans = settings.billing_plan and hook not in WITHOUT_PLANS
    rules = in_force(settings, client, tenant)
    shown, parts = parted(reviews, rules)
    held = [HeldBack(because, tuple(cards(part, plans=False))) for because, part in parts.items()]
    found = cards(shown, plans)
    if len(found) > settings.most_cards:
        held.append(HeldBack(OVER_LIMIT, tuple(found[settings.most_cards :])))
        found = found[: settings.most_cards]
    return found, tuple(part for part in held if part.cards)


def cards(reviews: Iterable[OrderReview], plans: bool) -> list[PlannedCard]:
    """The cards that `reviews` call for, most urgent first. With `plans` an order without findings
    gives one too, but not while its dose is not charted to its end: the card that says so has the
    lines as well."""
    found = []
    for review in reviews:
        shows_plan = plans and review.plan.doubt is not Doubt.CHARTING
        for topic in Topic:
            of_topic = (f for f in review.findings if f.topic is topic)
            findings = tuple(sorted(of_topic, key=lambda f: _URGENCY.index(f.severity)))
            if findings or (topic is Topic.BILLING and shows_plan):
                # What rules of the topic could not check: each card answers for its own.
                documentation = topic is Topic.DOCUMENTATION
                gaps = tuple(
                    gap
                    for gap in review.not_checked
                    if (gap.rule in DOCUMENTATION_NAMES) is documentation
                )
                found.append(PlannedCard(review, topic, findings, gaps))
    return sorted(found, key=lambda card: _URGENCY.index(card.severity))


def in_force(settings: Settings, client: str, tenant: str) -> dict[str, str]:
    """The rules kept back now, each with its reason; "" stands for every rule.

    Shadow mode comes before quiet hours where both hold. The clock is read only for hours.
    """
    concerned = [entry for entry in settings.quiet if entry.concerns(client, tenant)]
    always = {entry.rule: SHADOW for entry in concerned if entry.shadow}
    hours = [entry for entry in concerned if not entry.shadow]
    if not hours:
        return always
    now = settings.clock()
    return {entry.rule: QUIET_HOURS for entry in hours if entry.covers(now)} | always


def parted(
    reviews: Sequence[OrderReview], rules: Mapping[str, str]
) -> tuple[Sequence[OrderReview], dict[str, Sequence[OrderReview]]]:
    """`reviews` with what may be shown, and by reason those with what is kept back.

    What a rule could not check is kept back with it. Where every rule is, no review is left to
    show: no card with a plan either.
    """
    if not rules:
        return reviews, {}
    others = rules.get("", "")
    shown = () if others else _only(reviews, lambda rule: rule not in rules)
    held: dict[str, Sequence[OrderReview]] = {
        because: _only(reviews, lambda rule, why=because: rules.get(rule, others) == why)
        for because in dict.fromkeys(rules.values())
    }
    return shown, held


def _only(reviews: Iterable[OrderReview], of: Callable[..., bool]) -> tuple[OrderReview, ...]:
    return tuple(
        replace(review, outcomes=tuple(o for o in review.outcomes if of(o.rule)))
        for review in reviews
    )


# ----------------------------------------------------------------------
# A finding that a person has overridden is not repeated for the same patient and order.
#
# The rule stands as silent, with the reason, so that nothing looks as if it had not been checked.


BECAUSE = "shown before for this order and set aside"


def without_repeats(
    reviews: Iterable[OrderReview], overridden: ByOrder, key: Callable[[DrugOrder], str]
) -> tuple[OrderReview, ...]:
    """`reviews` without the findings overridden for an order of the same `key`."""
    return tuple(
        unrepeated(review, overridden.get(key(review.order), frozenset())) for review in reviews
    )


def unrepeated(review: OrderReview, overridden: frozenset[RuleAndKind]) -> OrderReview:
    """`review` with silence where one of the `overridden` findings would be."""
    if not overridden:
        return review
    outcomes: list[Outcome] = [
        Silent(BECAUSE, rule=outcome.rule)
        if isinstance(outcome, Finding) and (outcome.rule, outcome.kind) in overridden
        else outcome
        for outcome in review.outcomes
    ]
    return replace(review, outcomes=tuple(outcomes))
