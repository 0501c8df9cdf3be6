"""The nouns of a form: its questions, and answers to them as they were entered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from billing_rules.model.entities import plain

Kind = Literal["quantity", "number", "choice", "date", "time", "text", "long text"]
Origin = Literal["auto", "override", "manual"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose: `code` is kept, `words` are read."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `choices` are the units of a quantity (UCUM codes), else the answers.

    `needed`: the answers of its group are of no use without it. `kind_of_result` names the kind of
    the catalogue's terms that a quantity is. Dates lie in the past unless `may_be_ahead`, and
    numbers are more than 0 unless `may_be_zero`.
    """

    id: str
    label: str
    kind: Kind
    choices: tuple[Choice, ...] = ()
    needed: bool = False
    hint: str = ""
    kind_of_result: str = ""
    may_be_ahead: bool = False
    may_be_zero: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Questions that are answered together. `kind` is what the group is one of, where a form has
    several; `need` the evidence it is on, where its rule looks at several. `rows` can be filled at
    most."""

    id: str
    title: str
    fields: tuple[Field, ...]
    kind: str = ""
    need: str = ""
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Form:
    """All questions for one drug, indication and payer; "any" where no indication was chosen."""

    drug_id: str
    drug_name: str
    indication_id: str
    indication_name: str
    payer_id: str
    payer_name: str
    groups: tuple[Group, ...]

    @property
    def id(self) -> str:
        return f"{self.drug_id}-{self.indication_id}-{self.payer_id}"


@dataclass(frozen=True, slots=True)
class Measure:
    """A quantity as it was entered: the unit is the UCUM code that was chosen."""

    value: Decimal
    unit: str
    unit_words: str
    comparator: str = ""

    def __str__(self) -> str:
        return f"{self.comparator}{plain(self.value)} {self.unit_words}"


Value = Measure | Decimal | date | str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered question. `origin` as in Da Vinci DTR: from the chart, changed, or entered."""

    field: Field
    value: Value
    origin: Origin = "manual"
    reference: str = ""

    @property
    def told_origin(self) -> Origin:
        """The origin to keep: what was entered before and left as it was is still entered."""
        return "manual" if is_answer(self.reference) and self.origin == "auto" else self.origin


def is_answer(reference: str) -> bool:
    """Whether a reference is to an answer to a form, not to a record of the EHR."""
    return reference.startswith("QuestionnaireResponse/")


@dataclass(frozen=True, slots=True)
class Row:
    """The answers of one group that belong together. `place` counts a group's rows from 0."""

    group: Group
    place: int
    answers: tuple[Answer, ...]

    def value(self, name: str) -> Value | None:
        """The value of the field of that last name: "date"."""
        return next((a.value for a in self.answers if a.field.id.endswith(f".{name}")), None)


@dataclass(frozen=True, slots=True)
class EnteredRow:
    """One row of answers as it was saved, every answer one that its question takes.

    `typed` is by the last names of the fields: "drug", "value", "value.unit".
    """

    group: Group
    row: Row
    typed: Mapping[str, str]
    by_hand: frozenset[str]
    reference: str
    on: date

    def __getitem__(self, name: str) -> Any:
        return self.row.value(name)

    def is_by_hand(self, *names: str) -> bool:
        """Whether a person entered any of these; the others repeat what the chart said."""
        return not self.by_hand.isdisjoint(names)
