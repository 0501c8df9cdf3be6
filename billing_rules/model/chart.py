"""The nouns of the chart: what is known of the patient, each part present, none or unknown.

Frozen values only, already read from FHIR (billing_rules.fhir.read.chart). Every item keeps the
reference of its resource and its date, so that a finding can show what it saw. `entered_on` is set
on what no record of the EHR says, but somebody entered in Vialwise's form on that day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import msgspec

from billing_rules.model.entities import Amount, Code, OrderLine
from billing_rules.model.states import State, Unknown

# Whether a record is of a kind: its code and its words are heard together.
Agreement = Literal["yes", "no", "code and words disagree"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """One insurance coverage, with what a payer can be recognised by."""

    reference: str
    types: tuple[Code, ...] = ()
    payor_names: tuple[str, ...] = ()
    payor_identifiers: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    order: int | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """One observation: a body weight, a laboratory value, a questionnaire score.

    `value` is None when the result is no amount Vialwise computes with; `as_written` always says
    what stood there. `comparator` is "<", "<=", ">=", ">" or "". `interpretation` holds the
    interpretation codes ("POS", "H"). `final` is False for preliminary results.
    """

    reference: str
    codes: tuple[Code, ...]
    text: str
    value: Amount | None
    as_written: str
    on: date | None
    comparator: str = ""
    interpretation: tuple[str, ...] = ()
    final: bool = True
    entered_on: date | None = None


class Problem(msgspec.Struct, frozen=True):
    """A condition, allergy, procedure or family history entry.

    `active` is False for resolved, remitted or inactive ones; `certain` is False for provisional,
    differential or unconfirmed ones. Refuted and entered-in-error ones are never read.
    """

    reference: str
    kind: Literal["condition", "allergy", "procedure", "family history"]
    codes: tuple[Code, ...]
    text: str
    on: date | None
    active: bool = True
    certain: bool = True


class Therapy(msgspec.Struct, frozen=True):
    """A drug the patient was ordered, said to take, dispensed or given.

    `start` and `end` bound what the record covers: a dispense covers its days of supply, an
    administration its day, a statement or request its period. None is an open or unknown bound.
    What was "entered" in Vialwise's form names the drug class it was asked for in `stated_as`, and
    how it ended in `outcome`; "contraindicated" was never taken.
    """

    reference: str
    kind: Literal["request", "statement", "dispense", "administration", "entered"]
    codes: tuple[Code, ...]
    text: str
    start: date | None
    end: date | None
    active: bool = True
    entered_on: date | None = None
    stated_as: str = ""
    outcome: str = ""


class Authorization(msgspec.Struct, frozen=True):
    """A payer's answer to a prior authorization request.

    `granted` is False for denied or cancelled ones, None when the answer is still pending or
    cannot be told. `codes` are the HCPCS codes or drugs it names; empty when it names none.
    """

    reference: str
    number: str
    granted: bool | None
    codes: tuple[Code, ...]
    text: str
    insurer: str
    start: date | None
    end: date | None
    on: date | None
    entered_on: date | None = None


@dataclass(frozen=True, slots=True)
class FormAnswers:
    """What somebody entered in Vialwise's documentation form and saved in the EHR.

    `form` is the form's id. `typed` goes by the names of form_answers ("weight.0.value"); `by_hand`
    are those that a person entered or changed, the others were the chart's own. `groups` are all
    that were answered, emptied ones too. `saved` tells forms of one day apart.
    """

    reference: str
    form: str
    on: date
    saved: str
    groups: frozenset[str]
    typed: Mapping[str, str] = field(hash=False)
    by_hand: frozenset[str] = frozenset()


class Study(msgspec.Struct, frozen=True):
    """The patient's part in a research study."""

    reference: str
    study: str
    active: bool
    start: date | None
    end: date | None


NOT_ASKED: Unknown = Unknown("the chart was not asked for it")


@dataclass(frozen=True, slots=True)
class Chart:
    """What is known of the patient. A part nobody asked for is unknown, never none.

    `incomplete` says, by the name of a part that is present, why there may be more of it than was
    read: an unreadable entry, a page that was not fetched, a query that was not answered.
    `asked_by_code` names parts of which only certain codes were asked for: what has a local code
    or none would not have been seen, and a finding says so.
    """

    birth_date: State[date] = NOT_ASKED
    coverages: State[tuple[Coverage, ...]] = NOT_ASKED
    weights: State[tuple[Measured, ...]] = NOT_ASKED
    results: State[tuple[Measured, ...]] = NOT_ASKED
    conditions: State[tuple[Problem, ...]] = NOT_ASKED
    allergies: State[tuple[Problem, ...]] = NOT_ASKED
    procedures: State[tuple[Problem, ...]] = NOT_ASKED
    therapies: State[tuple[Therapy, ...]] = NOT_ASKED
    administrations: State[tuple[OrderLine, ...]] = NOT_ASKED
    authorizations: State[tuple[Authorization, ...]] = NOT_ASKED
    studies: State[tuple[Study, ...]] = NOT_ASKED
    answers: State[tuple[FormAnswers, ...]] = NOT_ASKED
    setting: State[str] = NOT_ASKED
    incomplete: Mapping[str, str] = field(default_factory=dict, hash=False)
    asked_by_code: frozenset[str] = frozenset()

    def why_not(self, part: str) -> str:
        """Why nothing may be concluded from what is not in `part`; "" when it may."""
        state: State[object] = getattr(self, part)
        return state.because if isinstance(state, Unknown) else self.incomplete.get(part, "")

    def missing_is_sure(self, part: str) -> bool:
        """Whether what is not in `part` is missing: it was asked for and read completely."""
        return not self.why_not(part)
