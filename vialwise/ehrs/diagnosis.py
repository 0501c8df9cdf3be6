"""From what a FHIR server offers to which rules can be answered there, and what to ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from billing_rules.model.states import Unknown
from billing_rules.rules import RULES
from ehr_access.smart_configuration import SmartConfiguration
from vialwise.ehrs.offers import Offer

# What signing in needs, and what it is for (SMART App Launch 2.2, "Capability Sets").
_SMART = (
    ("launch-ehr", "the app opens from a card or from the EHR's menu"),
    ("launch-standalone", "the app opens by itself"),
    ("permission-v2", "scopes as finely as the rules need them; version 1 is taken too"),
    ("client-confidential-asymmetric", "the app signs in with a key, not with a shared secret"),
)
_PKCE = "S256"


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """Whether a rule can be answered: `reads` are its queries, `lacking` those that cannot be
    asked."""

    rule: str
    reads: tuple[Offer, ...]

    @property
    def lacking(self) -> tuple[Offer, ...]:
        return tuple(offer for offer in self.reads if not offer.can_be_asked)

    @property
    def whole(self) -> bool:
        return not self.lacking

    @property
    def in_part(self) -> bool:
        """Something can be asked of it, or it has the order, from which it speaks without it."""
        return bool(self.lacking) and len(self.lacking) < len(self.reads)


def rule_answers(offers: Sequence[Offer]) -> tuple[RuleAnswer, ...]:
    """Every rule, in card order."""
    return tuple(
        RuleAnswer(rule.id, tuple(offer for offer in offers if offer.need.key in rule.queries))
        for rule in RULES
    )


def to_ask(offers: Sequence[Offer]) -> list[str]:
    """What to ask the EHR team for, a sentence a type."""
    lacking: dict[str, list[Offer]] = {}
    for offer in offers:
        if not offer.can_be_asked:
            lacking.setdefault(offer.need.resource_type, []).append(offer)
    return [_asked_for(kind, found) for kind, found in lacking.items()]


def _asked_for(kind: str, offers: list[Offer]) -> str:
    searched = any(offer.need.is_search for offer in offers)
    how = f"search by patient (patient/{kind}.rs)" if searched else f"read (patient/{kind}.r)"
    if not all(offer.known for offer in offers):
        return f"{kind}: is it offered? Needed is {how}."
    return f"{kind}: {how}, as {offers[0].why_not}."


def smart_checks(said: SmartConfiguration | Unknown) -> list[tuple[str, bool, str]]:
    """What of SMART is offered: (name, whether, what for)."""
    if isinstance(said, Unknown):
        return []
    methods = said.challenge_methods
    checks = [(f"PKCE {_PKCE}", _PKCE in methods, "nobody else can use the code of a sign-in")]
    return [*checks, *((name, name in said.capabilities, why) for name, why in _SMART)]


def smart_to_ask(said: SmartConfiguration | Unknown) -> list[str]:
    if isinstance(said, Unknown):
        return [f"SMART: where do apps sign in? Not known, because {said.because}."]
    return [f"SMART {name}: {why}." for name, there, why in smart_checks(said) if not there]


def names(offers: Iterable[Offer]) -> list[str]:
    """The parts of the chart that these are, once each."""
    return list(dict.fromkeys(offer.need.key for offer in offers))
