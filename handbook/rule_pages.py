"""A page for every rule, from its record, its scenarios and a card it really writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from billing_rules.catalogue import Catalogue
from billing_rules.evidence.documentation import capital
from billing_rules.model.entities import CERTAINTY, Source
from billing_rules.model.findings import Finding, Outcome
from billing_rules.review import OrderReview
from billing_rules.rule_records import RuleRecord, shipped
from cds_hooks.cards import plan as card_plan
from cds_hooks.cards import writing
from cds_hooks.cards.writing import CodeSystemUris, rule_url
from cds_hooks.settings import Settings
from handbook.markdown import heading, link, quoted, table, text
from tests.scenario import TODAY, all_scenarios, reviewed

# Cards link to the service's own pages; on the site these stand beside each other.
_SETTINGS = Settings(public_url="https://cds.clinic.example", today=lambda: TODAY)


@dataclass(frozen=True, slots=True)
class Heard:
    """A scenario, and what came of its orders."""

    says: str
    reviews: tuple[OrderReview, ...]

    def outcomes(self, rule: str) -> Iterator[tuple[OrderReview, Outcome]]:
        for review in self.reviews:
            yield from ((review, o) for o in review.outcomes if o.rule == rule)

    def found(self, rule: str) -> list[tuple[OrderReview, Finding]]:
        return [(review, o) for review, o in self.outcomes(rule) if isinstance(o, Finding)]


def heard(catalogue: Catalogue) -> tuple[Heard, ...]:
    """Every scenario of the tests, run."""
    return tuple(
        Heard(scenario["says"], reviewed(scenario, catalogue)) for _, scenario in all_scenarios()
    )


def index_page() -> str:
    """All rules, in the order of the cards."""
    rows = [
        (link(capital(r.name), f"{r.id}.md"), r.topic, text(r.title))
        for r in shipped().records.values()
    ]
    return "\n".join(
        [
            "# The rules",
            "",
            "What each one looks at, an example of its card, what it rests on and the scenarios it "
            "is tested with. These pages are made from the same data as the cards.",
            "",
            *table(("Rule", "Card", "What it says"), rows),
        ]
    )


def rule_page(record: RuleRecord, scenarios: Iterable[Heard], catalogue: Catalogue) -> str:
    """The page of one rule."""
    known = list(scenarios)
    speaking = [one for one in known if one.found(record.id)]
    parts = [
        *heading(1, capital(record.name)),
        text(record.says),
        "",
        f"It prevents: {text(record.prevents)}",
        "",
        *heading(2, "An example card"),
        *_example(record.id, speaking, catalogue),
        *heading(2, "What it rests on"),
        *_cited(record.citations),
        *heading(2, "What it cannot do"),
        *(f"- {text(limit)}" for limit in record.intended.limits),
        "",
        *heading(2, "Where it speaks"),
        *_speaking(record.id, speaking),
        *heading(2, "Where it has been seen to stay silent"),
        *_silent(record.id, known),
    ]
    return "\n".join(parts)


def _example(rule: str, speaking: list[Heard], catalogue: Catalogue) -> Iterator[str]:
    """The card of a scenario in which little else is found, with that finding alone."""
    clearest = min(speaking, key=lambda one: sum(len(review.findings) for review in one.reviews))
    review, finding = clearest.found(rule)[0]
    alone = replace(review, outcomes=(finding,))
    plan = card_plan.cards([alone], plans=False)
    uris = CodeSystemUris(catalogue.systems, catalogue.preferred_uri)
    [card] = writing.written(plan, {}, uris, _SETTINGS, str(TODAY))
    yield f"For this order: {text(clearest.says)}."
    yield ""
    kind = "warning" if card["indicator"] == "warning" else "info"
    yield f'!!! {kind} "{_in_quotes(card["summary"])}"'
    yield ""
    yield from quoted(card["detail"].replace(rule_url(rule, _SETTINGS), f"{rule}.md"))


def _in_quotes(summary: Any) -> str:
    return str(summary).replace("\\", "").replace('"', "'")


def _cited(sources: Iterable[Source]) -> Iterator[str]:
    for source in sources:
        means = CERTAINTY[source.certainty]
        yield f"- {link(source.title, source.url)}, {source.published} ({text(means)})"
    yield ""


def _speaking(rule: str, scenarios: Iterable[Heard]) -> Iterator[str]:
    for one in scenarios:
        summaries = dict.fromkeys(finding.summary for _, finding in one.found(rule))
        yield f"- {text(one.says)}: {'; '.join(text(summary) for summary in summaries)}"
    yield ""


_SHOWN_SILENT = 8


def _silent(rule: str, scenarios: Iterable[Heard]) -> Iterator[str]:
    """Scenarios written for the rule come first: those that its applying silence answers."""
    silent = [
        (one.says, outcome.because)
        for one in scenarios
        for _, outcome in one.outcomes(rule)
        if not isinstance(outcome, Finding) and getattr(outcome, "applies", False)
    ]
    for says, because in silent[:_SHOWN_SILENT]:
        yield f"- {text(says)}: {text(because)}"
    if not silent:
        yield "- It applies to few orders, and speaks wherever it does."
    yield ""
