"""What was entered in Vialwise's form and saved counts as evidence, marked as entered.

An answer counts where the form of today still asks that very question for the same drug and
indication (an authorization: for the same payer), and still takes that answer: it goes through the
checks of the form once more. The newest form that answered a group decides about it. What became
an Observation counts as that Observation alone, so that whoever withdraws it in the EHR withdraws
it here too. The EHR's own verdict on an authorization wins unless it is older than the entry.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from msgspec import structs

from billing_rules.forms import answers as form_answers
from billing_rules.forms.answers import Patient
from billing_rules.forms.documentation_form import RESULT_NAMES, form_for
from billing_rules.model.amounts import Amount, UnitNotUnderstood
from billing_rules.model.chart import Authorization, Chart, FormAnswers, Measured, Therapy
from billing_rules.model.form import EnteredRow, Form, Group, Measure
from billing_rules.model.states import Present, State, Unknown
from billing_rules.orders.case import Case
from billing_rules.orders.history import DrugAuthorization, History

# Of one payer; every other group is about the patient, whoever pays.
_OF_THE_PAYER = ("authorization", "note")
_VERDICTS = {"granted": True, "denied": False}


def with_entered(case: Case, payer_ids: Collection[str]) -> Case:
    """The case with what was entered for its drug and indication put beside the chart's records."""
    if not isinstance(case.chart.answers, Present):
        return case
    rows = tuple(_rows(case, case.chart.answers.value, payer_ids))
    chart = _added(case.chart, "therapies", [t for r in rows for t in _therapies(r)])
    chart = _added(chart, "results", [m for r in rows for m in _results(r, case)])
    granted = [a for r in rows for a in _authorizations(r, case)]
    return structs.replace(case, chart=chart, history=_authorized(case, granted), entered=rows)


# ---------------------------------------------------------------- which answers count


def _rows(
    case: Case, saved: Sequence[FormAnswers], payer_ids: Collection[str]
) -> Iterator[EnteredRow]:
    form = form_for(case)
    of_patient = {replace(form, payer_id=payer).id for payer in payer_ids} | {form.id}
    newest_last = sorted(saved, key=lambda answers: (answers.on, answers.saved))
    for group in form.groups:
        forms = {form.id} if group.id in _OF_THE_PAYER else of_patient
        told = [a for a in newest_last if a.form in forms and group.id in a.groups]
        if told:
            yield from _rows_of(group, form, told[-1], case)


def _rows_of(group: Group, form: Form, said: FormAnswers, case: Case) -> Iterator[EnteredRow]:
    own = {n: text for n, text in said.typed.items() if n.startswith(f"{group.id}.")}
    born = case.chart.birth_date
    patient = Patient(said.on, born.value if isinstance(born, Present) else None)
    checked = form_answers.check(replace(form, groups=(group,)), own, patient)
    for row in checked.rows:
        start = f"{group.id}.{row.place}."
        by_hand = frozenset(n.removeprefix(start) for n in said.by_hand if n.startswith(start))
        if by_hand and not any(name.startswith(start) for name in checked.errors):
            typed = {n.removeprefix(start): t for n, t in own.items() if n.startswith(start)}
            yield EnteredRow(group, row, typed, by_hand, said.reference, said.on)


# ---------------------------------------------------------------- each as what it is evidence of


def _therapies(found: EnteredRow) -> Iterator[Therapy]:
    """Where no end was entered it was still taken that day; later is not known."""
    if found.group.need and found.is_by_hand("drug", "start", "end"):
        stated = found.group.need.replace("_", " ")
        yield Therapy(
            found.reference,
            "entered",
            (),
            f"{found['drug']} ({stated})",
            found["start"],
            found["end"] or found.on,
            active=False,
            entered_on=found.on,
            stated_as=found.group.need,
            outcome=str(found["outcome"]),
        )


def _results(found: EnteredRow, case: Case) -> Iterator[Measured]:
    """Skin tests, and results that the catalogue has no code to write an Observation with."""
    if found.group.id == "sensitisation" and found["test"] == "skin-test":
        if found.is_by_hand("test", "allergen", "other", "result", "date"):
            yield _skin_test(found)
        return
    kind = next((f.kind_of_result for f in found.group.fields if f.kind_of_result), "")
    known = case.terms.observations.get(kind)
    measure = found["value"]
    if known and not known.loinc and isinstance(measure, Measure) and found.is_by_hand("value"):
        yield Measured(
            found.reference,
            (),
            RESULT_NAMES.get(kind, kind),
            _amount(measure),
            str(measure),
            found["date"],
            measure.comparator,
            entered_on=found.on,
        )


def _skin_test(found: EnteredRow) -> Measured:
    chosen = next(c for c in found.group.fields[1].choices if c.code == found["allergen"])
    allergen = str(found["other"] or "") if chosen.code == "other" else chosen.words
    result = str(found["result"])
    mark = ("POS",) if result == "positive" else ("NEG",)
    return Measured(
        found.reference,
        (),
        f"Skin test, {allergen}",
        None,
        result,
        found["date"],
        interpretation=mark,
        entered_on=found.on,
    )


def _amount(measure: Measure) -> Amount | None:
    try:
        return Amount(measure.value, measure.unit)
    except UnitNotUnderstood:
        return None


def _authorizations(found: EnteredRow, case: Case) -> Iterator[Authorization]:
    if found.group.id == "authorization":
        yield Authorization(
            found.reference,
            str(found["number"]),
            _VERDICTS.get(str(found["answer"])),
            (),
            case.drug.name,
            "",
            found["start"],
            found["end"],
            found.on,
            entered_on=found.on,
        )


# ---------------------------------------------------------------- beside the chart's own


def _added(chart: Chart, part: str, entered: Sequence[Any]) -> Chart:
    """The part with what was entered. Why it may not be all of the chart's own stays beside it."""
    if not entered:
        return chart
    state: State[tuple[Any, ...]] = getattr(chart, part)
    own = state.value if isinstance(state, Present) else ()
    gap = {part: state.because} if isinstance(state, Unknown) else {}
    changed: dict[str, Any] = {part: Present((*own, *entered))}
    return replace(chart, incomplete={**chart.incomplete, **gap}, **changed)


def _authorized(case: Case, entered: Sequence[Authorization]) -> History:
    if not entered:
        return case.history
    state = case.history.authorizations
    own = state.value if isinstance(state, Present) else ()
    verdicts = [
        d.authorization
        for d in own
        if d.authorization.granted is not None and (d.unclear or case.drug.id in d.drug_ids)
    ]
    added = (
        DrugAuthorization(
            a, frozenset({case.drug.id}), False, outdone=any(_wins(own, a) for own in verdicts)
        )
        for a in entered
    )
    return structs.replace(case.history, authorizations=Present((*own, *added)))


def _wins(own: Authorization, entered: Authorization) -> bool:
    """Whether the EHR's verdict stands instead of what was entered: of the same number always, a
    denial where it is not older."""
    if own.number and own.number.strip().lower() == entered.number.strip().lower():
        return True
    decided = own.on or own.end
    older = decided is not None and entered.on is not None and decided < entered.on
    return own.granted is False and not older
