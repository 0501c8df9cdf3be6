"""A card's detail: what was found, on what, by which source, and what could not be checked.

GitHub-flavoured Markdown with bold words and lists only. Each part stands so that a reader can
judge the advice alone (FDA guidance on clinical decision support, 2026: the basis must be open
to independent review).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache

from billing_rules.claim_lines import ClaimPlan, WasteAnswer
from billing_rules.findings import Finding, NotChecked
from billing_rules.model import Evidence, Source, Stage
from billing_rules.review import OrderReview
from billing_rules.rule_records import shipped
from billing_rules.rules.common import FROM_TEXT, capital, listed
from billing_rules.states import Present
from cds_hooks.markdown import escaped, link
from cds_hooks.rule_documents import rule_url
from cds_hooks.settings import Settings

REFERENCE_LENGTH = 60
_MOST = 12  # items of one list; a hostile order could have thousands
_CERTAINTY = {"C": " (one secondary source)", "S": " (this site's own file)"}


def detail(
    review: OrderReview,
    findings: Sequence[Finding],
    gaps: Sequence[NotChecked],
    settings: Settings,
    checked: str,
) -> str:
    """The detail of one card about `review`'s order. `gaps` are listed as not checked."""
    parts = (
        f"**Order:** {order_line(review)}",
        _titled("Found", _found(findings)),
        f"**Billing plan:** {plan_line(review)}",
        _titled("Based on", _based_on(review, findings)),
        _titled("Source", _sources(review, findings, settings)),
        _decided(findings, settings),
        _titled("Not checked", _not_checked(review, findings, gaps)),
        limits(checked),
    )
    return "\n\n".join(part for part in parts if part)


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


def moment(today: date, clock: datetime) -> str:
    """When the data was looked at, where the clinic is."""
    return f"{today} at {clock:%H:%M} {clock:%Z}".rstrip()


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
    return [f"{shipped().names(rules)}: {because}." for because, rules in held_up.items()]
