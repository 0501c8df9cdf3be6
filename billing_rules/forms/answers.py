"""What was typed into the documentation form, checked field by field; nothing is guessed.

Typed text is kept by its field's name, "total-ige.0.value" (group, row, field), a quantity's unit
under the same name with ".unit". Each fault is a sentence at its field. What can be true and is
doubtful is a question, answered by ".sure" beside it. A unit is kept as it was chosen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import structs

from billing_rules.evidence.pretreatment import HEAVIEST_KG, LIGHTEST_KG
from billing_rules.forms.documentation_form import RESULT_NAMES, form_for
from billing_rules.model.chart import Authorization, Chart, FormAnswers, Measured, Therapy
from billing_rules.model.entities import Amount, UnitNotUnderstood, plain
from billing_rules.model.form import (
    Answer,
    EnteredRow,
    Field,
    Form,
    Group,
    Measure,
    Origin,
    Row,
    Value,
    is_answer,
)
from billing_rules.model.states import Present, State, Unknown
from billing_rules.orders.case import Case, DrugAuthorization, History

Typed = Mapping[str, str]
MOST_SHORT, MOST_LONG = 200, 4000
_NUMBER = re.compile(r"(<=|>=|<|>)?\s*(\d{1,7}(?:\.\d{1,4})?)", re.ASCII)
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_US_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_TAG = re.compile(r"<\s*[a-zA-Z/!?]")
# Above these a typing error is the likelier story; ours, and asked about only.
_MOST = {"total_ige": Decimal(20_000), "specific_ige": Decimal(1000), "act": Decimal(25)}
_EARLIEST = date(1900, 1, 1)
# "none", "not tried", "n/a": said of a drug that nobody took.
_NO_DRUG = re.compile(
    r"\b(no|non|none|nothing|not|never|nil|without|n/?a|unknown|denie[sd]|declin\w+|refus\w+"
    r"|untried)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Prefill:
    """What the chart says for a field: the text as it is put there, and where it stands."""

    text: str
    reference: str
    unit: str = ""

    @property
    def is_entered(self) -> bool:
        """Whether no record says it but an earlier answer to this form."""
        return is_answer(self.reference)


@dataclass(frozen=True, slots=True)
class Checked:
    """`typed` is what is shown again: as it was typed, without invisible characters."""

    rows: tuple[Row, ...]
    errors: Mapping[str, str]
    questions: Mapping[str, str]
    typed: Typed

    @property
    def fine(self) -> bool:
        return not self.errors and not self.questions


@dataclass(frozen=True, slots=True)
class Patient:
    """What dates and weights are compared with; None where it is not known."""

    today: date
    born: date | None = None
    last_weight_kg: Decimal | None = None


def name_of(group: Group, place: int, asked: Field) -> str:
    """A field's name in the page: "total-ige.0.value"."""
    return f"{group.id}.{place}.{asked.id.rpartition('.')[2]}"


def check_answers(
    form: Form, typed: Typed, patient: Patient, chart: Mapping[str, Prefill] | None = None
) -> Checked:
    """The answers in `typed`, and what is wrong with them. `chart` is what was filled in from the
    chart: an answer left as it was is "auto", a changed one "override"."""
    found = _Found(patient, {name: text.strip() for name, text in typed.items()}, chart or {})
    rows = tuple(row for group in form.groups for row in found.rows(group))
    return Checked(rows, found.errors, found.questions, found.typed)


@dataclass(slots=True)
class _Found:
    patient: Patient
    typed: dict[str, str]
    chart: Mapping[str, Prefill]
    errors: dict[str, str] = field(default_factory=dict)
    questions: dict[str, str] = field(default_factory=dict)

    def rows(self, group: Group) -> Iterator[Row]:
        for place in range(group.rows):
            names = {f.id: name_of(group, place, f) for f in group.fields}
            if not any(self.typed.get(name) for name in names.values()):
                continue
            answers = [a for f in group.fields if (a := self._answer(f, names[f.id]))]
            row = Row(group, place, tuple(answers))
            if not self._as_the_chart_has_it(names.values()):
                self._together(row, names)
            yield row

    def _as_the_chart_has_it(self, names: Iterable[str]) -> bool:
        """Whether nothing was typed into a row: what the chart lacks is then no fault."""
        filled = [name for name in names if self.typed.get(name)]
        return all(self._origin(name, self.typed[name])[0] == "auto" for name in filled)

    def _answer(self, asked: Field, name: str) -> Answer | None:
        text = self._visible(name)
        if not text:
            return None
        value = self._value(asked, name, text)
        if value is None:
            return None
        origin, reference = self._origin(name, text)
        return Answer(asked, value, origin, reference)

    def _origin(self, name: str, text: str) -> tuple[Origin, str]:
        was = self.chart.get(name)
        if was is None:
            return "manual", ""
        same = (text, self.typed.get(f"{name}.unit", "")) == (was.text, was.unit)
        return ("auto", was.reference) if same else ("override", was.reference)

    def _visible(self, name: str) -> str:
        """The text without invisible characters; where there were any it has to be looked at."""
        text = self.typed.get(name, "")
        seen = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _INVISIBLE)
        if seen != text:
            self.typed[name] = seen.strip()
            self._fault(
                name,
                "Invisible characters (such as marks for the reading direction) were taken out. "
                "Compare the text and save again.",
            )
        return seen.strip()

    def _value(self, asked: Field, name: str, text: str) -> Value | None:
        if asked.kind == "quantity":
            return self._measure(asked, name, text)
        if asked.kind == "number":
            return self._count(asked, name, text)
        if asked.kind == "date":
            return self._date(asked, name, text)
        if asked.kind == "time":
            return self._time(name, text)
        if asked.kind == "choice":
            return self._chosen(asked, name, text)
        return self._words(asked, name, text)

    # ------------------------------------------------------------ each kind

    def _measure(self, asked: Field, name: str, text: str) -> Measure | None:
        number = _NUMBER.fullmatch(text)
        if number is None:
            self._fault(name, _why_no_number(text))
            return None
        value = Decimal(number[2])
        if value == 0 and not asked.may_be_zero:
            self._fault(name, "The number must be more than 0.")
            return None
        chosen = self.typed.get(f"{name}.unit", "")
        unit = next((c for c in asked.choices if c.code == chosen), None)
        if unit is None and len(asked.choices) == 1:
            unit = asked.choices[0]
        if unit is None:
            self._fault(f"{name}.unit", "Choose the unit that stands beside the number.")
            return None
        measure = Measure(value, unit.code, unit.words, number[1] or "")
        self._doubt(asked, name, measure)
        return measure

    def _doubt(self, asked: Field, name: str, measure: Measure) -> None:
        """A question where the number is hard to believe, unless it was answered."""
        asks = _weight_doubt(measure, self.patient) if asked.kind_of_result == "weight" else ""
        most = _MOST.get(asked.kind_of_result)
        if most is not None and measure.value > most:
            asks = f"{measure} is unusually high. Is the number right?"
        if asks and self.typed.get(f"{name}.sure") != f"{measure.value} {measure.unit}":
            self.questions.setdefault(name, asks)

    def _count(self, asked: Field, name: str, text: str) -> Decimal | None:
        least = 0 if asked.may_be_zero else 1
        if re.fullmatch(r"\d{1,3}", text, re.ASCII) and int(text) >= least:
            return Decimal(text)
        self._fault(name, f"'{_short(text)}' is no whole number from {least} to 999.")
        return None

    def _date(self, asked: Field, name: str, text: str) -> date | None:
        day = day_of(text)
        if day is None:
            self._fault(name, f"'{_short(text)}' is no date. Write 2026-11-23 or 11/23/2026.")
        elif self._origin(name, text)[0] == "auto":
            return day  # the chart says so, and what the chart says is not corrected here
        elif day > self.patient.today and not asked.may_be_ahead:
            self._fault(name, f"{day} is in the future.")
        elif self.patient.born and day < self.patient.born:
            self._fault(name, f"{day} is before the patient was born.")
        elif day < _EARLIEST or day.year > self.patient.today.year + 10:
            self._fault(name, f"{day}: compare the year.")
        else:
            return day
        return None

    def _time(self, name: str, text: str) -> str | None:
        """As a browser sends it: hours from 0 to 23."""
        if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
            return text
        self._fault(name, f"'{_short(text)}' is no time. Write hours from 0 to 23: 14:05.")
        return None

    def _chosen(self, asked: Field, name: str, text: str) -> str | None:
        if any(c.code == text for c in asked.choices):
            return text
        self._fault(name, "Choose one of the answers.")
        return None

    def _words(self, asked: Field, name: str, text: str) -> str | None:
        most = MOST_LONG if asked.kind == "long text" else MOST_SHORT
        if len(text) > most:
            self._fault(name, f"The text has {len(text):,} characters; {most:,} fit. Shorten it.")
        elif _TAG.search(text):
            self._fault(name, "The text holds markup such as <b>. Write it in plain words.")
        else:
            return text
        return None

    # ------------------------------------------------------------ answers that go together

    def _together(self, row: Row, names: Mapping[str, str]) -> None:
        for asked in row.group.fields:
            if asked.needed and not self.typed.get(names[asked.id]):
                self._fault(names[asked.id], f"“{asked.label}” is missing.")
        start, end = row.value("start"), row.value("end")
        if isinstance(start, date) and isinstance(end, date) and end < start:
            self._fault(names[f"{row.group.id}.end"], "The end lies before the beginning.")
        begun, ended = row.value("from"), row.value("to")
        if begun and ended and str(ended) < str(begun):
            self._fault(names[f"{row.group.id}.to"], "The end lies before the beginning.")
        for which in ("code", "allergen", "container"):
            other = f"{row.group.id}.other"
            if row.value(which) == "other" and other in names and not row.value("other"):
                self._fault(names[other], "Say which.")
        if row.group.need and _NO_DRUG.search(str(row.value("drug") or "")):
            self._fault(
                names[f"{row.group.id}.drug"],
                "Name the drug that was taken. If none was taken, leave this part empty.",
            )
        if row.value("test") == "specific-ige" and not row.value("value"):
            self._fault(names[f"{row.group.id}.value"], "Enter the value of the specific IgE.")

    def _fault(self, name: str, sentence: str) -> None:
        self.errors.setdefault(name, sentence)


_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def _short(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:30]}..."


def _why_no_number(text: str) -> str:
    shown = _short(text)
    if re.fullmatch(r"[<>=\s]*\d{1,3}(,\d{3})+(\.\d+)?", text):
        return f"'{shown}': leave the comma out. 1,200 is written 1200, one and a half 1.5."
    if "," in text:
        return f"'{shown}': write decimals with a point, as in 1.5."
    if text.startswith(("-", "−")):
        return f"'{shown}': the number must be more than 0."
    if re.search(r"\d\s*[a-zA-Z\[%]", text):
        return f"'{shown}': write the number alone and choose the unit beside it."
    if re.fullmatch(r"[<>=\s]*\d+(\.\d+)?", text, re.ASCII):
        return f"'{shown}' has more digits than a result has. Compare the number."
    return f"'{shown}' is no number. Write digits, as in 350 or 1.5."


def _weight_doubt(measure: Measure, patient: Patient) -> str:
    try:
        kilograms = Amount(measure.value, measure.unit).to("kg").value
    except UnitNotUnderstood:
        return ""
    if not LIGHTEST_KG <= kilograms <= HEAVIEST_KG:
        return f"{measure} is outside what a patient weighs. Is the unit right?"
    before = patient.last_weight_kg
    if before and not Decimal("0.53") < kilograms / before < Decimal("1.9"):
        return (
            f"{measure} differs from the last weight on file ({plain(round(before, 1))} kg) by "
            "about the factor between pounds and kilograms. Is the unit right?"
        )
    return ""


def day_of(text: str) -> date | None:
    """A day as a browser sends it (2026-11-23) or as people here write it (11/23/2026)."""
    iso, us = _DAY.fullmatch(text), _US_DAY.fullmatch(text)
    try:
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        return date(int(us[3]), int(us[1]), int(us[2])) if us else None
    except ValueError:
        return None


# ----------------------------------------------------------------------
# What was entered in Vialwise's form and saved counts as evidence, marked as entered.
#
# An answer counts where the form of today still asks that very question for the same drug and
# indication (an authorization: for the same payer), and still takes that answer: it goes through
# the checks of the form once more. The newest form that answered a group decides about it. What
# became an Observation counts as that Observation alone, so that whoever withdraws it in the EHR
# withdraws it here too. The EHR's own verdict on an authorization wins unless it is older than
# the entry.


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
    checked = check_answers(replace(form, groups=(group,)), own, patient)
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
