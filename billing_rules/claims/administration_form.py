"""The close-out as a form: its questions, what the chart fills in, and the Closing it becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from billing_rules.claims.administration_record import Closing, OpenedContainers, opened_words
from billing_rules.forms.answers import Checked, Prefill
from billing_rules.model.entities import (
    Amount,
    Drug,
    DrugOrder,
    OrderLine,
    Payer,
    ndc_candidates,
    plain,
)
from billing_rules.model.form import Choice, Field, Form, Group, Measure, Row
from billing_rules.model.states import Present
from billing_rules.orders.drug_orders import MASS

ROWS = 4  # kinds of container or lots in one dose; more are entered one after the other
_MG = (Choice("mg", "mg"),)
_OBSERVED = re.compile(r"(\d\d:\d\d) to (\d\d:\d\d)")  # as the record of a dose is read
_REASONS = (
    Choice("rest", "Rest of a single-dose container"),
    Choice("other", "Another reason"),
)


def closing_form(drug: Drug, payer: Payer, on: date) -> Form:
    """The questions for a dose of `drug`, with the containers on the market on `on`."""
    groups = (_dose(drug), _opened(drug, on), _DISCARDED, _giving(drug))
    return Form(drug.id, drug.name, "close-out", "close-out", payer.id, payer.name, groups)


def _dose(drug: Drug) -> Group:
    routes = tuple(Choice(route, route.capitalize()) for route in drug.routes)
    return Group(
        "given",
        "What was given",
        (
            Field("given.date", f"Day of the {drug.giving}", "date", needed=True),
            Field("given.dose", "Dose given", "quantity", _MG, needed=True),
            Field("given.route", "Route", "choice", routes),
        ),
    )


def _opened(drug: Drug, on: date) -> Group:
    sold = [c for c in drug.containers if c.marketed_on(on)]
    choices = tuple(Choice(c.ndc, f"{c.name}, NDC {c.ndc_shown}") for c in sold)
    return Group(
        "opened",
        "Containers opened",
        (
            Field(
                "opened.container",
                "Container",
                "choice",
                (*choices, Choice("other", "Another NDC")),
                needed=True,
            ),
            Field(
                "opened.other",
                "Another NDC, as printed on the box",
                "text",
                hint="Only if the list above does not have it.",
            ),
            Field("opened.count", "How many", "number", needed=True),
            Field("opened.lot", "Lot number", "text"),
            Field(
                "opened.expires",
                "Expiry date",
                "date",
                may_be_ahead=True,
                hint="If only a month is printed, its last day.",
            ),
        ),
        rows=ROWS,
    )


_DISCARDED = Group(
    "discarded",
    "What was discarded",
    (
        Field(
            "discarded.amount",
            "Discarded amount",
            "quantity",
            _MG,
            may_be_zero=True,
            hint="What was left in the opened containers and thrown away. Write 0 if nothing was.",
        ),
        Field("discarded.reason", "Reason", "choice", _REASONS),
        Field("discarded.words", "Another reason, in words", "text"),
        Field("discarded.witness", "Witnessed by", "text", hint="If your clinic asks for it."),
    ),
)


def _giving(drug: Drug) -> Group:
    infused = drug.giving == "infusion"
    example = "left forearm vein" if infused else "left upper arm, right upper arm"
    return Group(
        "injection",
        f"{drug.giving.capitalize()} and observation",
        (
            Field(
                "injection.sites",
                f"{drug.giving.capitalize()} {'site' if infused else 'sites'}",
                "text",
                hint=f"For example: {example}.",
            ),
            Field("injection.from", "Observed from", "time"),
            Field("injection.to", "Observed until", "time"),
            Field("injection.words", "Reaction or remark", "text"),
        ),
    )


# ---------------------------------------------------------------- as a closing


def closing_of(checked: Checked) -> Closing | None:
    """What was entered; None while dose, day or containers are missing."""
    rows = {row.group.id: row for row in checked.rows if row.group.id != "opened"}
    given = rows.get("given")
    day, dose = (given.value("date"), given.value("dose")) if given else (None, None)
    opened = tuple(o for row in checked.rows if row.group.id == "opened" and (o := _row(row)))
    if not isinstance(day, date) or not isinstance(dose, Measure) or not opened or given is None:
        return None
    closing = Closing(day, _mg(dose), opened, route=_text(given, "route"))
    if discarded := rows.get("discarded"):
        amount = discarded.value("amount")
        closing = replace(
            closing,
            discarded=_mg(amount) if isinstance(amount, Measure) else None,
            reason=_reason(discarded),
            witness=_text(discarded, "witness"),
        )
    if injection := rows.get("injection"):
        sites = _text(injection, "sites")
        closing = replace(closing, sites=(sites,) if sites else (), observed=_observed(injection))
    return closing


def _row(row: Row) -> OpenedContainers | None:
    chosen, count, expires = row.value("container"), row.value("count"), row.value("expires")
    code = _text(row, "other") if chosen == "other" else str(chosen or "")
    if not code or not isinstance(count, Decimal) or count < 1:
        return None
    forms = ndc_candidates(code)
    read = forms[0] if len(forms) == 1 else code
    until = expires if isinstance(expires, date) else None
    return OpenedContainers(read, int(count), _text(row, "lot"), until)


def _mg(measure: Measure) -> Amount:
    return Amount(measure.value, measure.unit).to(MASS)


def _text(row: Row, name: str) -> str:
    return str(row.value(name) or "")


def _reason(row: Row) -> str:
    words = _text(row, "words")
    if words:
        return words
    chosen = row.value("reason")
    return next((c.words.lower() for c in _REASONS if c.code == chosen and chosen != "other"), "")


def _observed(row: Row) -> str:
    """ "10:05 to 12:05, no reaction"; "" where nothing was entered of an observation."""
    begun, ended, words = _text(row, "from"), _text(row, "to"), _text(row, "words")
    times = " to ".join(filter(None, (begun, ended))) if begun else ended and f"until {ended}"
    return ", ".join(filter(None, (times, words)))


# ---------------------------------------------------------------- what is charted already


def charted_answers(charted: DrugOrder) -> dict[str, Prefill]:
    """What the EHR's own record of the dose fills in, as it stands there."""
    return dict(_charted(charted))


def _charted(charted: DrugOrder) -> Iterator[tuple[str, Prefill]]:
    place = charted.prescriptions[0].reference if charted.prescriptions else ""
    yield "given.0.date", Prefill(str(charted.date_of_service), place)
    if isinstance(charted.dose, Present):
        yield "given.0.dose", Prefill(_number(charted.dose.value), place, "mg")
    if isinstance(charted.discarded, Present):
        yield "discarded.0.amount", Prefill(_number(charted.discarded.value), place, "mg")
    if isinstance(charted.containers, Present):
        for number, opened in enumerate(charted.containers.value[:ROWS]):
            row = f"opened.{number}"
            yield f"{row}.container", Prefill(opened.container.ndc, place)
            yield f"{row}.count", Prefill(str(opened.count), place)
            yield from _batch(row, opened.container.ndc, charted)
    else:
        yield from _batch("opened.0", "", charted)
    first = next(iter(charted.prescriptions), None)
    observed = first.observed if first else None
    if isinstance(observed, Present) and (times := _OBSERVED.fullmatch(observed.value)):
        yield "injection.0.from", Prefill(times[1], place)
        yield "injection.0.to", Prefill(times[2], place)
    if first and isinstance(first.site, Present):
        yield "injection.0.sites", Prefill(first.site.value, place)
    if first and isinstance(first.route, Present):
        yield "given.0.route", Prefill(first.route.value, place)


def _batch(row: str, code: str, charted: DrugOrder) -> Iterator[tuple[str, Prefill]]:
    """Lot and expiry of the containers of one NDC, where the records of it agree on one."""
    given = charted.prescriptions
    lines = [line for line in given if code in _ndcs(line) or len(given) == 1]
    if not lines or len({(line.lot, line.expires) for line in lines}) != 1:
        return
    first = lines[0]
    if isinstance(first.lot, Present):
        yield f"{row}.lot", Prefill(first.lot.value, first.reference)
    if isinstance(first.expires, Present):
        yield f"{row}.expires", Prefill(first.expires.value.isoformat(), first.reference)


def _ndcs(line: OrderLine) -> set[str]:
    return {form for code in line.codes_of("ndc") for form in ndc_candidates(code)}


def _number(amount: Amount) -> str:
    return plain(amount.to(MASS).value).replace(",", "")


# ---------------------------------------------------------------- the note


def closing_note(closing: Closing, drug: Drug, lines: Sequence[str]) -> tuple[str, ...]:
    """The close-out as the lines of a note; `lines` are the claim lines it leads to."""
    left = f"{closing.discarded}" if closing.discarded is not None else "not entered"
    if closing.discarded is not None and closing.discarded.value > 0:
        left += f" ({closing.reason})" if closing.reason else ""
        left += f", witnessed by {closing.witness}" if closing.witness else ""
    note = [
        f"{drug.name.capitalize()} given on {closing.on}",
        f"- Dose given: {closing.dose}{f', {closing.route}' if closing.route else ''}",
        *(f"- Opened: {opened_words(row, drug)}" for row in closing.opened),
        f"- Discarded: {left}",
    ]
    where = f"- {drug.giving.capitalize()} sites: {'; '.join(closing.sites)}"
    note += [where] if closing.sites else []
    note += [f"- Observed: {closing.observed}"] if closing.observed else []
    return (*note, "", "Claim lines by this record:", *(f"- {line}" for line in lines))
