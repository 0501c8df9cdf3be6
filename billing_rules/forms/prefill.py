"""What the chart already says for the documentation form, field by field, with where it stands.

Only what a rule reads from the chart is put into a field, as it stands there, and what was entered
in the form before, as it was entered. What would have to be guessed stays empty: a doubtful weight,
a diagnosis that is one of several, an outcome nobody wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from billing_rules.evidence.authorizations import standing
from billing_rules.evidence.documentation import dose_days
from billing_rules.evidence.pretreatment import baseline_total_ige, current_weight, doubtful_weight
from billing_rules.forms.answers import Checked, Prefill
from billing_rules.forms.documentation_form import GroupState, rule_of, standing_of
from billing_rules.model.chart import Authorization, Measured, Therapy
from billing_rules.model.entities import plain
from billing_rules.model.findings import Outcome
from billing_rules.model.form import EnteredRow, Field, Form, Group
from billing_rules.model.states import Present
from billing_rules.orders.case import Case

Filled = Iterator[tuple[str, Prefill]]


def prefilled(form: Form, case: Case, outcomes: Sequence[Outcome]) -> dict[str, Prefill]:
    """By the names of form_answers: "total-ige.0.value"."""
    found: dict[str, Prefill] = {}
    for group in form.groups:
        own = dict(_group(group, case, standing_of(group, outcomes, case)))
        found.update(own or _rows(group, _entered(group, case)))
    return found


def taken_back(prefill: Mapping[str, Prefill], checked: Checked) -> tuple[str, ...]:
    """The names of what was entered before and is empty now."""
    return tuple(n for n, was in prefill.items() if was.is_entered and not checked.typed.get(n))


def emptied(form: Form, prefill: Mapping[str, Prefill], checked: Checked) -> tuple[Group, ...]:
    """The groups of which everything that was entered before was taken back."""
    gone = taken_back(prefill, checked)
    filled = {row.group.id for row in checked.rows}
    return tuple(
        g
        for g in form.groups
        if g.id not in filled and any(name.startswith(f"{g.id}.") for name in gone)
    )


def _entered(group: Group, case: Case) -> list[EnteredRow]:
    return [row for row in case.entered if row.group.id == group.id]


def _rows(group: Group, rows: Sequence[EnteredRow]) -> Filled:
    for place, row in enumerate(rows):
        for name, text in row.typed.items():
            if not name.endswith(".unit"):
                unit = row.typed.get(f"{name}.unit", "")
                yield f"{group.id}.{place}.{name}", Prefill(text, row.reference, unit)


def _group(group: Group, case: Case, standing_now: GroupState) -> Filled:
    if group.id == "diagnosis":
        yield from _diagnosis(group, case)
    elif group.id == "total-ige":
        yield from _measured(group, _total_ige(case))
    elif group.id == "weight":
        yield from _measured(group, _weight(case, standing_now))
    elif group.id == "authorization":
        yield from _authorization(case)
    elif group.id == "start-of-therapy":
        days = dose_days(case)
        if isinstance(days, Present):
            yield "start-of-therapy.0.date", Prefill(str(days.value[0]), "")
    elif rule_of(group) in ("eosinophils", "reauthorization") and standing_now.state == "on file":
        yield from _measured(group, _newest(group, case))
    elif group.need:
        rows = _entered(group, case)
        yield from _rows(group, rows)
        for place, therapy in enumerate(_therapies(group, case, len(rows)), len(rows)):
            yield from _therapy(f"{group.id}.{place}", therapy, case.order.date_of_service)


def _diagnosis(group: Group, case: Case) -> Filled:
    chosen = case.indication
    listed = {c.code for c in group.fields[0].choices}
    codes = [c.code for c in chosen.diagnoses if c.system == "icd10cm" and c.code in listed]
    if chosen.answer != "chosen" or not chosen.certain or len(set(codes)) != 1:
        return
    seen = next(iter(chosen.evidence), None)
    reference = seen.reference if seen else ""
    yield "diagnosis.0.code", Prefill(codes[0], reference)
    if seen and seen.on:
        yield "diagnosis.0.date", Prefill(str(seen.on), reference)


def _total_ige(case: Case) -> Measured | None:
    """The value the rules rest on, else the one that only lacks its date."""
    baseline = baseline_total_ige(case)
    if not isinstance(baseline, Present):
        return None
    return baseline.value.value or next(iter(baseline.value.of("undated")), None)


def _weight(case: Case, standing_now: GroupState) -> Measured | None:
    newest = current_weight(case)
    if not isinstance(newest, Present) or doubtful_weight(case):
        return None
    fresh = standing_now.state == "on file" or newest.value.on is None
    return newest.value if fresh else None


def _newest(group: Group, case: Case) -> Measured | None:
    kind = next((f.kind_of_result for f in group.fields if f.kind_of_result), "")
    results = case.chart.results.value if isinstance(case.chart.results, Present) else ()
    on = case.order.date_of_service
    fitting = [
        r
        for r in results
        if r.value and r.on and r.on <= on and case.terms.is_kind(r, kind) == "yes"
    ]
    return max(fitting, key=lambda r: r.on or date.min, default=None)


def _measured(group: Group, found: Measured | None) -> Filled:
    if found is None or found.value is None:
        return
    asked = next(f for f in group.fields if f.kind == "quantity")
    unit = _unit(asked, found)
    if unit is None:
        return
    text = f"{found.comparator}{plain(found.value.value)}".replace(",", "")
    yield f"{group.id}.0.value", Prefill(text, found.reference, unit)
    if found.on:
        yield f"{group.id}.0.date", Prefill(str(found.on), found.reference)


def _unit(asked: Field, found: Measured) -> str | None:
    """The unit as the chart wrote it, else the one its value was read in; never another."""
    assert found.value is not None
    written = found.as_written.rpartition(" ")[2]
    by_words = next((c.code for c in asked.choices if written in (c.code, c.words)), None)
    read_in = next((c.code for c in asked.choices if c.code == found.value.unit), None)
    return by_words or read_in


def _authorization(case: Case) -> Filled:
    on_file = standing(case)
    if not isinstance(on_file, Present):
        return
    grant = on_file.value.latest_grant
    said = grant or next(iter(on_file.value.pending), None)
    if said:
        yield from _said_of(said, "granted" if grant else "pending")


def _said_of(said: Authorization, answer: str) -> Filled:
    stated = {
        "number": said.number,
        "answer": answer,
        "start": str(said.start or ""),
        "end": str(said.end or ""),
    }
    for name, text in stated.items():
        if text:
            yield f"authorization.0.{name}", Prefill(text, said.reference)


def _therapies(group: Group, case: Case, entered: int) -> tuple[Therapy, ...]:
    """The newest records of the EHR that are certainly of the class, and one row left free."""
    on_file = case.chart.therapies
    every = on_file.value if isinstance(on_file, Present) else ()
    known = [t for t in every if not t.entered_on]
    sure = [t for t in known if t.start and case.terms.in_class(t, group.need) == "yes"]
    newest = sorted(sure, key=lambda t: t.start or date.min, reverse=True)
    return tuple(newest[: max(group.rows - 1 - entered, 0)])


def _therapy(row: str, therapy: Therapy, on: date) -> Filled:
    """A supply that lasts beyond the order's day says it is still taken, and not until when."""
    yield f"{row}.drug", Prefill(therapy.text, therapy.reference)
    yield f"{row}.start", Prefill(str(therapy.start), therapy.reference)
    if therapy.end and therapy.end <= on:
        yield f"{row}.end", Prefill(str(therapy.end), therapy.reference)
