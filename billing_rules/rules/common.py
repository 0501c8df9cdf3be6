"""What several rules say in the same words: evidence of an order line, plain lists, reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

from billing_rules.model.entities import Code, ContainerCount, Evidence, OrderLine, Source
from billing_rules.model.states import Nothing, Present, State, Unknown
from billing_rules.orders.case import Case

T = TypeVar("T")
FROM_TEXT = "The drug was recognised from the order's words only, the least reliable way."


def seen(line: OrderLine, what: str, value: object) -> Evidence:
    """Evidence from an order line."""
    return Evidence(line.place, what, str(value), line.date_of_service)


def told(state: State[T], what: str, words: Callable[[T], str] = str) -> str:
    """The value in words, "no lot" when there is none, "lot not readable" when nobody knows."""
    if isinstance(state, Present):
        return words(state.value)
    return f"no {what}" if isinstance(state, Nothing) else f"{what} not readable"


def dose_seen(case: Case) -> tuple[Evidence, ...]:
    """The dose as each prescription wrote it, and the weight it was worked out with."""
    doses = tuple(
        seen(line, "dose", line.dose.value)
        for line in case.order.prescriptions
        if isinstance(line.dose, Present)
    )
    return doses + (_weight_seen(case) if any("/kg" in d.value for d in doses) else ())


def _weight_seen(case: Case) -> tuple[Evidence, ...]:
    if not isinstance(case.chart.weights, Present):
        return ()
    latest = case.chart.weights.value[0]
    return (Evidence(latest.reference, "weight", latest.as_written, latest.on),)


def dose_amount(case: Case) -> str:
    """The dose in mg, or "unknown amount"."""
    return str(case.order.dose.value) if isinstance(case.order.dose, Present) else "unknown amount"


def containers_seen(case: Case) -> tuple[Evidence, ...]:
    """The containers opened, where they are stated or how they were computed."""
    if not case.plan.opened:
        return ()
    what = "containers, computed" if case.plan.computed else "containers"
    reference = "" if case.plan.computed else case.order.references[0]
    return (Evidence(reference, what, listed(case.plan.opened)),)


def discarded_seen(case: Case) -> tuple[Evidence, ...]:
    """The records of the discarded amount: what an auditor asks for first."""
    return tuple(
        seen(line, "discarded amount", line.discarded.value)
        for line in (*case.order.prescriptions, *case.order.wasted)
        if isinstance(line.discarded, Present)
    )


def billed_seen(lines: Iterable[OrderLine]) -> tuple[Evidence, ...]:
    """The billed units of those lines that state any."""
    return tuple(
        seen(line, "billed units", line.billed.value)
        for line in lines
        if isinstance(line.billed, Present)
    )


def payer_seen(case: Case) -> tuple[Evidence, ...]:
    """The coverage the payer was recognised from."""
    return case.payer_choice.evidence


def listed(items: Iterable[object]) -> str:
    """ "a, b and c"."""
    words = [str(item) for item in items]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1] if words else ""]))


def capital(text: str) -> str:
    """The text with its first letter large; str.capitalize would lower the others."""
    return text[:1].upper() + text[1:]


def sentence(clause: str) -> str:
    """A clause, as a reason is stated, as a sentence of its own."""
    return f"{capital(clause)}."


def sources(*candidates: Source | None) -> tuple[Source, ...]:
    """The sources that there are, each once."""
    return tuple(dict.fromkeys(s for s in candidates if s is not None))


def drug_sources(case: Case, *values: str) -> tuple[Source, ...]:
    """The sources of these values of the drug."""
    return sources(*(case.drug.sources.get(value) for value in values))


def criteria_sources(case: Case, *values: str) -> tuple[Source, ...]:
    """The sources of these values of what the payer wants for the drug and indication."""
    stated = case.criteria.sources if case.criteria else {}
    return sources(*(stated.get(value) for value in values))


def items(state: State[tuple[T, ...]]) -> tuple[T, ...]:
    """What is there; none where there is nothing, or where nobody knows."""
    return state.value if isinstance(state, Present) else ()


def because(state: State[object], nothing: str) -> str:
    """Why a state has no value; `nothing` is what to say when there simply was none."""
    if isinstance(state, Unknown):
        return state.because
    assert isinstance(state, Nothing)
    return nothing


def text_caveat(case: Case) -> tuple[str, ...]:
    """What the card must admit when only words said which drug it is."""
    agreed = any(case.drug.hcpcs in line.codes_of("hcpcs") for line in case.order.lines)
    return (FROM_TEXT,) if case.order.identity.by == "text" and not agreed else ()


def payer_caveat(case: Case) -> tuple[str, ...]:
    """What the card must admit when no payer's rules could be applied."""
    if case.payer.known:
        return ()
    return (f"Payer rules were not applied: {case.payer_choice.because}.",)


def own_code(case: Case) -> Code | None:
    """The drug's own HCPCS code in force, as a coding to write."""
    if case.drug.hcpcs is None:
        return None
    known = case.codes.code(case.drug.hcpcs)
    return Code("hcpcs", case.drug.hcpcs, known.meaning if known else case.drug.name)


def money(case: Case, units: int) -> str:
    """ " (about $627.35)" for `units` when the site configured a price of the code, else ""."""
    price = case.site.prices.get(case.drug.hcpcs or "")
    if price is None or units <= 0:
        return ""
    return f" (about ${(price * units).quantize(Decimal('0.01'), ROUND_HALF_UP):,})"


def labelled(opened: Sequence[ContainerCount]) -> Decimal:
    """The labelled milligrams of `opened`."""
    return sum((c.labelled.to("mg").value for c in opened), Decimal(0))


def units_word(count: int) -> str:
    return f"{count:,} unit" if count == 1 else f"{count:,} units"
