"""Planned cards to JSON (CDS Hooks 2.0.1, "CDS Service Response").

Reimbursement never goes above `warning` (Da Vinci CRD 2.2.1, cards page). A card's detail is
GitHub-flavoured Markdown with bold words and lists only: what was found, on what, by which source,
and what could not be checked. Each part stands so that a reader can judge the advice alone (FDA
guidance on clinical decision support, 2026: the basis must be open to independent review). Nothing
that came from a chart becomes a tag, a link, an image, a table or a heading.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from billing_rules.evidence.documentation import FROM_TEXT, capital, listed
from billing_rules.fhir.write.corrections import NotCorrectable, corrected
from billing_rules.model.entities import Stage
from billing_rules.model.findings import Correction, Finding, NotChecked, RemoveOrder, Topic
from billing_rules.model.states import Present
from billing_rules.orders.claim_lines import ClaimPlan, WasteAnswer
from billing_rules.review import OrderReview
from billing_rules.rule_records import rule_names, shipped
from cds_hooks.cards import app_link
from cds_hooks.cards.app_link import AppLink
from cds_hooks.cards.plan import PlannedCard
from cds_hooks.settings import Settings

# ----------------------------------------------------------------------
# Text of chart and order as safe GitHub-flavoured Markdown, and as plain lines.
#
# CDS Hooks 2.0.1, "Card Attributes": `detail` is Markdown, and the sandbox renders HTML in it
# too. So nothing that came from a chart may become a tag, a link, an image, a table or a heading.


LONGEST = 300  # characters of one piece of text
_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_AUTOLINK = re.compile(r"(?i)://|\bwww\.|\bmailto:|(?<=\w)@(?=\w)")
_BLOCK_START = re.compile(r"^([-+=]|\d{1,9}[.)](?=\s|$))")
# Wherever one of the patterns above could find something, this does.
_TO_ESCAPE = re.compile(r"[\\`*_\[\]|~#&<>@]|://|[oO]:|[wW]{3}\.|^[-+=\d]")


def plain_line(text: str, limit: int = LONGEST) -> str:
    """One line of at most `limit` characters: no control characters, no angle brackets.

    For strings that are not Markdown (summary, label, description) but that a careless client
    might still put into a page.
    """
    return _bounded(_one_line(text).replace("<", "(").replace(">", ")"), limit)


def escaped(text: str, limit: int = LONGEST) -> str:
    """`text` as Markdown that shows exactly its words: on one line, bounded, nothing active."""
    line = _bounded(_one_line(text), limit)
    if not _TO_ESCAPE.search(line):
        return line  # most sentences: one look instead of four
    line = _AUTOLINK.sub(_broken_link, line)
    line = _SPECIAL.sub(r"\\\1", line).translate(_ENTITIES)
    return _BLOCK_START.sub(_escaped_start, line)


def link(title: str, url: str) -> str:
    """A Markdown link to `url`, or the title alone when the URL is not an absolute web address."""
    if not re.fullmatch(r"https?://[^\s<>\"\\]+", url):
        return escaped(title)
    target = url.replace("(", "%28").replace(")", "%29")
    return f"[{escaped(title)}]({target})"


def _one_line(text: str) -> str:
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


def _bounded(line: str, limit: int) -> str:
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _broken_link(match: re.Match[str]) -> str:
    """Spaces where a reader that links bare addresses would see one."""
    found = match[0]
    return {"://": ": //", "@": " @ "}.get(found, f"{found[:-1]} {found[-1]}")


def _escaped_start(match: re.Match[str]) -> str:
    found = match[0]
    return f"\\{found}" if len(found) == 1 else f"{found[:-1]}\\{found[-1]}"


# ----------------------------------------------------------------------
# Why a user may set a card aside (CDS Hooks 2.0.1, "overrideReasons"; each with its display).


CODE_SYSTEM_PATH = "/code-systems/override-reason"

# Of the 3.0.0-ballot's reasons those that fit a check of billing and documentation; most of its
# others speak of a patient's wishes or of clinical harm.
SHARED_SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
SHARED: dict[str, str] = {
    "action-completed": "Recommended action was already completed",
    "policy-contradicts": "Institutional policy/guideline contradicts the recommended action",
    "need-more-info": (
        "Could not address recommended action due to need for more information/pending "
        "results/pending consult"
    ),
}

REASONS: dict[str, str] = {
    "documented-elsewhere": "Documented elsewhere",
    "billing-by-pharmacy": "Billing handled by pharmacy",
    "payer-rule-differs": "Payer rule differs",
    "correct-as-ordered": "Correct as ordered",
    "will-correct-later": "Will correct later",
}


def override_reasons(settings: Settings) -> list[dict[str, str]]:
    """The reasons as Codings: the service's own, then those it shares with others."""
    systems = ((settings.url(CODE_SYSTEM_PATH), REASONS), (SHARED_SYSTEM, SHARED))
    return [
        {"code": code, "system": system, "display": display}
        for system, reasons in systems
        for code, display in reasons.items()
    ]


# ----------------------------------------------------------------------
# What a user can accept with one click: whole corrected resources, or a draft withdrawn.
#
# CDS Hooks 2.0.1, "Suggestion" and "Action": an update carries the entire resource, so two
# suggestions for one resource would undo each other. Everything that is to change on a resource
# is therefore in one suggestion, on the first card that speaks of it.


LONGEST_LABEL = 80
_LONGEST_DESCRIPTION = 300
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CodeSystemUris:
    """Code systems both ways: `names` URI -> short name, `preferred` short name -> URI."""

    names: Mapping[str, str]
    preferred: Mapping[str, str]


class Suggestions:
    """The suggestions of one answer, handed out card by card; no resource is changed twice."""

    def __init__(
        self,
        findings: Iterable[Finding],
        drafts: Mapping[str, Resource],
        code_systems: CodeSystemUris,
        new_uuid: Callable[[], str],
    ) -> None:
        self._drafts = drafts
        self._code_systems = code_systems
        self._new_uuid = new_uuid
        self._alone = [(f, self._actions([f])) for f in findings if f.corrections]
        self._waiting = [finding for finding, actions in self._alone if actions]

    def of_card(self, findings: Sequence[Finding]) -> list[dict[str, Any]]:
        """The one recommended suggestion of a card with `findings`, or none."""
        chosen = self._with_all_that_touch([f for f in self._waiting if f in findings])
        self._waiting = [f for f in self._waiting if f not in chosen]
        while chosen:
            actions = self._made_already(chosen) or self._actions(chosen)
            if actions:
                return [self._suggestion(chosen, actions)]
            chosen.pop()  # what cannot be combined: the less urgent gives way
        return []

    def _made_already(self, chosen: Sequence[Finding]) -> list[dict[str, Any]]:
        """The actions of a single finding, which were made to see whether it has any."""
        if len(chosen) > 1:
            return []
        return next((actions for finding, actions in self._alone if finding is chosen[0]), [])

    def _with_all_that_touch(self, chosen: list[Finding]) -> list[Finding]:
        """`chosen` and every finding that shares a resource with it, directly or through others."""
        while True:
            touched = _references(chosen)
            more = [f for f in self._waiting if f not in chosen and touched & _references([f])]
            if not more:
                return chosen
            chosen = [f for f in self._waiting if f in chosen or f in more]

    def _suggestion(self, findings: Sequence[Finding], actions: list[Any]) -> dict[str, Any]:
        return {
            "label": label(findings),
            "uuid": self._new_uuid(),
            "isRecommended": True,
            "actions": actions,
        }

    def _actions(self, findings: Sequence[Finding]) -> list[dict[str, Any]]:
        """One action a resource, or [] when any correction cannot be made."""
        by_reference: dict[str, list[Correction]] = {}
        for finding in findings:
            for correction in finding.corrections:
                by_reference.setdefault(correction.reference, []).append(correction)
        actions = []
        for reference, corrections in by_reference.items():
            what = _description(reference, findings)
            action = self._action(reference, tuple(dict.fromkeys(corrections)), what)
            if action is None:
                return []
            actions.append(action)
        return actions

    def _action(
        self, reference: str, corrections: tuple[Correction, ...], what: str
    ) -> dict[str, Any] | None:
        draft = self._drafts.get(reference)
        if draft is None:
            return None
        if any(isinstance(c, RemoveOrder) for c in corrections):
            return {"type": "delete", "description": what, "resourceId": reference}
        try:
            uris = self._code_systems
            resource = corrected(dict(draft), corrections, uris.preferred, uris.names)
        except NotCorrectable:
            return None
        return {"type": "update", "description": what, "resource": without_empty(resource)}


def label(findings: Sequence[Finding]) -> str:
    """The corrections in words: all that fit, and how many more."""
    words = list(dict.fromkeys(f.correction_label for f in _effective(findings)))
    for count in range(len(words), 0, -1):
        more = f" (+{len(words) - count} more)" if count < len(words) else ""
        text = "; ".join(words[:count]) + more
        if len(text) <= LONGEST_LABEL:
            return plain_line(text, LONGEST_LABEL)
    return plain_line(words[0], LONGEST_LABEL)


def _effective(findings: Sequence[Finding]) -> list[Finding]:
    """Findings whose corrections still show: a withdrawn draft is not corrected as well."""
    removed = {c.reference for f in findings for c in f.corrections if isinstance(c, RemoveOrder)}
    return [
        f
        for f in findings
        if any(isinstance(c, RemoveOrder) or c.reference not in removed for c in f.corrections)
    ]


def _description(reference: str, findings: Sequence[Finding]) -> str:
    touching = [f for f in _effective(findings) if reference in _references([f])]
    words = "; ".join(dict.fromkeys(f.correction_label for f in touching))
    return plain_line(f"{words} ({reference})", _LONGEST_DESCRIPTION)


def _references(findings: Iterable[Finding]) -> set[str]:
    return {c.reference for f in findings for c in f.corrections}


def without_empty(value: Any) -> Any:
    """A resource without members that say nothing, which neither FHIR nor CDS Hooks allows.

    null inside a list stays: FHIR aligns a list of primitives with its extensions that way.
    """
    if isinstance(value, dict):
        kept = ((key, without_empty(v)) for key, v in value.items())
        return {key: v for key, v in kept if not _says_nothing(v)}
    if isinstance(value, list):
        return [without_empty(v) for v in value]
    return value


def _says_nothing(value: Any) -> bool:
    """null, an empty list or object, or a text without a character to see."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == [] or value == {}


# ----------------------------------------------------------------------
# Planned cards to JSON (CDS Hooks 2.0.1, "CDS Service Response").
#
# Reimbursement never goes above `warning` (Da Vinci CRD 2.2.1, cards page). A card's detail is
# GitHub-flavoured Markdown with bold words and lists only: what was found, on what, by which
# source, and what could not be checked. Each part stands so that a reader can judge the advice
# alone (FDA guidance on clinical decision support, 2026: the basis must be open to independent
# review).


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
    reasons = override_reasons(settings)
    site = [
        {"label": link.label, "url": link.url, "type": "absolute"}
        for link in settings.links
        if settings.linked(link.url)
    ]
    more = ""
    if left_out:
        more = f"{left_out} more {'card is' if left_out == 1 else 'cards are'} not shown"
        more = f"**More was found:** {more}; this site shows at most {len(plan)} at once."
    cards = []
    for card in plan:
        id_ = new_uuid()
        offered = suggestions.of_card(card.findings)
        # Which orders the card is about (Da Vinci CRD 2.2.1, "Linking cards to requests").
        references = card.review.order.references
        about = [{"reference": r} for r in references if r in (drafts if named is None else named)]
        members = {
            "uuid": id_,
            "summary": _summary(card),
            "indicator": card.severity.value,
            "detail": _detail(card, settings, checked, more if card is plan[-1] else ""),
            "source": _source(card, settings),
            "suggestions": offered,
            "selectionBehavior": "at-most-one" if offered else "",
            "overrideReasons": reasons if card.findings else [],
            "links": [*(app_link.links(app, id_, card) if app else ()), *site],
            "extension": {ASSOCIATED: about} if about else {},
        }
        cards.append({name: value for name, value in members.items() if value or name in _REQUIRED})
    return cards


def _summary(card: PlannedCard) -> str:
    """The headline; of an order nothing was found on, for sites that want to see it, the plan."""
    if card.findings:
        summary = plain_line(card.findings[0].summary, LONGEST_SUMMARY)
        others = len({finding.summary for finding in card.findings}) - 1
        more = f" (+{others} more)" if others else ""
        return summary + more if len(summary + more) <= LONGEST_SUMMARY else summary
    review, name = card.review, card.review.drug.name.capitalize()
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


def rule_url(rule_id: str, settings: Settings) -> str:
    """Where a rule's record is; empty for what is not a rule."""
    return settings.url(f"/rules/{rule_id}") if rule_id in shipped().records else ""


# ---------------------------------------------------------------- the detail


def _detail(card: PlannedCard, settings: Settings, checked: str, more: str) -> str:
    """What was found, on what, by which sources, and what could not be checked."""
    review, findings = card.review, card.findings
    parts = (
        f"**Order:** {_order_line(review)}",
        _titled("Found", _found(findings)),
        f"**Billing plan:** {_plan_line(review.plan)}",
        _titled("Based on", _based_on(review, findings)),
        # The passages stand on the rule's page: many are rows of CMS tables.
        _titled("Source", _documents(review, findings, settings)),
        _decided(findings, settings),
        _titled("Not checked", _not_checked(review, findings, card.gaps)),
        "Advice on billing, not legal or clinical advice. "
        f"Checked {checked} against what the EHR shared for this request.",
        more,
    )
    return "\n\n".join(part for part in parts if part)


def _order_line(review: OrderReview) -> str:
    """The order meant, so that a reader with several drafts knows which. The dose stands as the
    order wrote it, and in mg where that says it differently."""
    order, drug = review.order, review.drug
    dose, in_mg = order.dose_as_written, ""
    if isinstance(order.dose, Present):
        in_mg = str(order.dose.value)
    if dose and in_mg and dose != in_mg:
        dose = f"{dose} = {in_mg}"
    what = f"{drug.name} ({drug.brand}) {dose or in_mg}".strip()
    given = "given" if order.stage is Stage.GIVEN else "for"
    references = listed(_short(reference) for reference in order.references[:3])
    more = f" and {len(order.references) - 3} more" if len(order.references) > 3 else ""
    return escaped(f"{what}, {given} {order.date_of_service}: {references}{more}")


def _plan_line(plan: ClaimPlan) -> str:
    """How the order is to be billed, from which containers, and how JW or JZ was answered."""
    if not plan.lines:
        return escaped(f"none yet, because {plan.because}.")
    origin = "; computed, the order names no containers" if plan.computed else ""
    containers = f" (from {listed(plan.opened)}{origin})" if plan.opened else ""
    sentences = [f"bill {listed(plan.lines)}{containers}."]
    if plan.waste is WasteAnswer.NOT_APPLICABLE:
        sentences.append(f"No JW or JZ: {plan.because}.")
    elif plan.waste is WasteAnswer.INDETERMINATE:
        sentences.append(f"JW or JZ is still open: {plan.because}.")
    return escaped(" ".join(sentences), limit=500)


def _short(reference: str) -> str:
    """A reference that fits into a line; some EHRs have ids of 194 characters."""
    if len(reference) <= REFERENCE_LENGTH:
        return reference
    return reference[: REFERENCE_LENGTH - 1] + "…"


# ---------------------------------------------------------------- lists


def _titled(title: str, items: Iterable[str]) -> str:
    """A list of `items`, none of them twice, under its title; "" where there is none."""
    once = list(dict.fromkeys(items))
    if not once:
        return ""
    shown = [f"- {item}" for item in once[:_MOST]]
    if len(once) > _MOST:
        shown.append(f"- and {len(once) - _MOST} more")
    return "\n".join([f"**{title}**", "", *shown])


def _found(findings: Sequence[Finding]) -> Iterator[str]:
    """One item a finding. A card with one finding has its summary as headline already."""
    alone = len({f.summary for f in findings}) == 1
    for finding in findings:
        sentences = [escaped(sentence) for sentence in finding.found]
        if alone:
            yield from sentences
        else:
            yield " ".join([f"**{escaped(finding.summary)}.**", *sentences])


def _based_on(review: OrderReview, findings: Sequence[Finding]) -> Iterator[str]:
    """What was seen, where and when; the order named at the top is not spelled out again."""
    references = review.order.references
    this_order = references[0] if len(references) == 1 else ""
    for evidence in (evidence for finding in findings for evidence in finding.basis):
        place = ""
        if evidence.reference:
            own = evidence.reference == this_order
            place = "this order" if own else _short(evidence.reference)
        where = ", ".join(filter(None, [place, str(evidence.on) if evidence.on else ""]))
        words = escaped(f"{evidence.what}: {evidence.value}")
        yield f"{words} ({escaped(where)})" if where else words


def _documents(
    review: OrderReview, findings: Sequence[Finding], settings: Settings
) -> Iterator[str]:
    """One item a document."""
    sources = [s for f in findings for s in f.sources] if findings else review.plan.sources
    for source in dict.fromkeys(sources):
        certainty = _CERTAINTY.get(source.certainty, "")
        address = settings.linked(source.url)
        yield f"{_linked(source.title, address)}, {source.published}{certainty}"


@lru_cache(maxsize=4096)
def _linked(title: str, url: str) -> str:
    """A link to a source or a rule's record: the catalogue's words, so the same for every patient
    and escaped once. Nothing that came with a request may be remembered here."""
    return link(title, url)


def _decided(findings: Sequence[Finding], settings: Settings) -> str:
    """The records of the rules that spoke, with the date of each rule's version."""
    records = shipped().records
    by_version: dict[str, list[str]] = {}
    for rule in dict.fromkeys(finding.rule for finding in findings):
        if record := records.get(rule):
            linked = _linked(capital(record.name), settings.linked(rule_url(rule, settings)))
            by_version.setdefault(record.version, []).append(linked)
    rules = "; ".join(f"{', '.join(links)} (version {day})" for day, links in by_version.items())
    return f"**How this was decided:** {rules}" if rules else ""


def _not_checked(
    review: OrderReview, findings: Sequence[Finding], gaps: Sequence[NotChecked]
) -> Iterator[str]:
    """What no rule could check, a sentence each; rules that the same reason held up share one."""
    sentences = [sentence for f in findings for sentence in f.unchecked]
    if not review.payer.known:
        sentences.append(f"Payer rules were not applied: {review.payer_choice.because}.")
    if review.order.identity.by == "text":
        sentences.append(FROM_TEXT)
    held_up: dict[str, list[str]] = {}
    for gap in gaps:
        held_up.setdefault(gap.because, []).append(gap.rule)
    sentences += [f"{rule_names(rules)}: {because}." for because, rules in held_up.items()]
    sentences += [f"{capital(note)}." for line in review.order.lines for note in line.unread]
    return map(escaped, sentences)
