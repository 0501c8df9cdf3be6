"""Findings that are evaluated and kept, and not shown: shadow mode and quiet hours.

Pure: which rules are held back now is looked up in the settings by client, tenant and the clinic's
time; a review is then parted by rule. What is held back is recorded with its reason, so that
nothing is lost silently and nothing unseen is counted as shown (recording.py, outcomes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from billing_rules.review import OrderReview

if TYPE_CHECKING:
    from cds_hooks.cards import PlannedCard
    from cds_hooks.settings import Settings

Plan = Callable[[Sequence[OrderReview], "Settings"], Sequence["PlannedCard"]]

SHADOW = "shadow"  # [[quiet]] with shadow = true
QUIET_HOURS = "quiet hours"  # [[quiet]] with hours
SILENT_TRACKING = "silent tracking"  # the EHR was sent the card and shows none of them
OVER_LIMIT = "over the limit"  # more cards than one answer shows (most_cards)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Cards that are kept and not shown, with the reason."""

    because: str
    cards: tuple[PlannedCard, ...]


def planned(
    reviews: Sequence[OrderReview], settings: Settings, client: str, tenant: str, plan: Plan
) -> tuple[Sequence[PlannedCard], tuple[HeldBack, ...]]:
    """The cards to show that `plan` makes of `reviews`, most urgent first, and those held back."""
    rules = in_force(settings, client, tenant)
    shown, parts = parted(reviews, rules)
    findings_only = replace(settings, billing_plan=False) if parts else settings
    held = [HeldBack(why, tuple(plan(part, findings_only))) for why, part in parts.items()]
    cards = plan(shown, settings)
    if len(cards) > settings.most_cards:
        held.append(HeldBack(OVER_LIMIT, tuple(cards[settings.most_cards :])))
        cards = cards[: settings.most_cards]
    return cards, tuple(part for part in held if part.cards)


def in_force(settings: Settings, client: str, tenant: str) -> dict[str, str]:
    """The rules held back now, each with its reason; "" stands for every rule.

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
) -> tuple[Sequence[OrderReview], Mapping[str, Sequence[OrderReview]]]:
    """`reviews` with what may be shown, and by reason those with what is held back.

    What a rule could not check is held back with it. Where every rule is, no review is left to
    show: no card with a plan either.
    """
    if not rules:
        return reviews, {}
    others = rules.get("", "")
    shown = () if others else _only(reviews, lambda rule: rule not in rules)
    held = {
        because: _only(reviews, lambda rule, why=because: rules.get(rule, others) == why)
        for because in dict.fromkeys(rules.values())
    }
    return shown, held


def _only(reviews: Iterable[OrderReview], of: Callable[..., bool]) -> tuple[OrderReview, ...]:
    return tuple(
        replace(review, outcomes=tuple(o for o in review.outcomes if of(o.rule)))
        for review in reviews
    )


def tell_of_more(cards: Sequence[dict[str, Any]], held: Iterable[HeldBack]) -> None:
    """Say on the last of `cards` how many more there would be: a short answer is no clean one."""
    more = sum(len(part.cards) for part in held if part.because == OVER_LIMIT)
    if more:
        told = f"{more} more {'card is' if more == 1 else 'cards are'} not shown"
        cards[-1]["detail"] += (
            f"\n\n**More was found:** {told}; this site shows at most {len(cards)} at once."
        )
