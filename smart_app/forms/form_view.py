"""A form as its page shows it: every field with its text, fault, question and origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from billing_rules.forms.answers import Checked, Prefill, Typed, day_of, name_of
from billing_rules.model.form import Choice, Field, Form, Group

_FROM_CHART = "From the chart."
_ENTERED = "Entered in this form before."
_INPUTS = {"date": "date", "time": "time", "quantity": "text", "number": "text", "text": "text"}


@dataclass(frozen=True, slots=True)
class ShownField:
    """One field of one row. `origin` is a sentence on where its text comes from, "" for none."""

    name: str
    field: Field
    text: str
    unit: str
    error: str
    unit_error: str
    question: str
    origin: str
    confirmed: str = ""  # what "yes, this is right" was said of before

    @property
    def id(self) -> str:
        return self.name.replace(".", "-")

    @property
    def input_type(self) -> str:
        return _INPUTS.get(self.field.kind, "text")

    @property
    def sure(self) -> str:
        """What "yes, this is right" is said of: this number in this unit and no other."""
        return f"{self.text.lstrip('<>= ')} {self.unit or self.only_unit}"

    @property
    def only_unit(self) -> str:
        return self.field.choices[0].code if len(self.field.choices) == 1 else ""

    @property
    def choices(self) -> tuple[Choice, ...]:
        return self.field.choices

    @property
    def described_by(self) -> str:
        """The ids of what a screen reader reads with the field."""
        parts = [("hint", self.field.hint), ("error", self.error), ("question", self.question)]
        parts += [("origin", self.origin)]
        return " ".join(f"{self.id}-{end}" for end, text in parts if text)


@dataclass(frozen=True, slots=True)
class ShownGroup:
    group: Group
    rows: tuple[tuple[ShownField, ...], ...]
    may_add: bool
    is_added: bool = False

    @property
    def is_touched(self) -> bool:
        """Whether there is something in it to look at: typed, at fault, or asked for."""
        fields = [field for row in self.rows for field in row]
        typed = any(f.text and f.origin != _FROM_CHART for f in fields)
        return self.is_added or typed or any(f.error or f.question for f in fields)


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of the error summary: the id it leads to, and its sentence."""

    id: str
    text: str


def typed_in(form: Form, sent: Mapping[str, str]) -> dict[str, str]:
    """The fields of `form` among what was sent, and nothing else."""
    known = {name_of(g, n, f) for g in form.groups for n in range(g.rows) for f in g.fields}
    allowed = known | {f"{name}.unit" for name in known} | {f"{name}.sure" for name in known}
    return {name: text for name, text in sent.items() if name in allowed}


def filled_in(prefill: Mapping[str, Prefill]) -> dict[str, str]:
    """The chart's answers as if they had been typed."""
    typed = {name: p.text for name, p in prefill.items()}
    return typed | {f"{name}.unit": p.unit for name, p in prefill.items() if p.unit}


def shown(
    form: Form,
    typed: Typed,
    prefill: Mapping[str, Prefill],
    checked: Checked | None = None,
    added: str = "",
) -> tuple[ShownGroup, ...]:
    """Every group with the rows that are filled; `added` names a group to get one more."""
    return tuple(_group(group, typed, prefill, checked, added) for group in form.groups)


def _group(
    group: Group, typed: Typed, prefill: Mapping[str, Prefill], checked: Checked | None, added: str
) -> ShownGroup:
    places = range(group.rows)
    filled = [n for n in places if any(typed.get(name_of(group, n, f)) for f in group.fields)]
    count = min(max(filled, default=0) + 1 + (group.id == added), group.rows)
    rows = tuple(
        tuple(_field(group, place, f, typed, prefill, checked) for f in group.fields)
        for place in range(count)
    )
    return ShownGroup(group, rows, count < group.rows, group.id == added)


def _field(
    group: Group,
    place: int,
    field: Field,
    typed: Typed,
    prefill: Mapping[str, Prefill],
    checked: Checked | None,
) -> ShownField:
    name = name_of(group, place, field)
    text, unit = typed.get(name, ""), typed.get(f"{name}.unit", "")
    day = day_of(text) if field.kind == "date" else None  # as a date input takes it
    errors = checked.errors if checked else {}
    questions = checked.questions if checked else {}
    return ShownField(
        name,
        field,
        day.isoformat() if day else text,
        unit,
        errors.get(name, "") or errors.get(f"{name}.unit", ""),
        errors.get(f"{name}.unit", ""),
        questions.get(name, ""),
        _origin(text, unit, prefill.get(name)),
        typed.get(f"{name}.sure", ""),
    )


def _origin(text: str, unit: str, was: Prefill | None) -> str:
    if was is None or not text:
        return ""
    if (text, unit) == (was.text, was.unit):
        return _ENTERED if was.is_entered else _FROM_CHART
    unit_words = f" {was.unit}" if was.unit else ""
    source = "before, it was entered as" if was.is_entered else "the chart says"
    return f"Changed here; {source} {was.text}{unit_words}."


def summary(groups: tuple[ShownGroup, ...]) -> tuple[Summary, ...]:
    """Every fault and question, in the order of the page."""
    fields = (shown for group in groups for row in group.rows for shown in row)
    return tuple(
        Summary(one.id, f"{one.field.label}: {text}")
        for one in fields
        if (text := one.error or one.question)
    )
