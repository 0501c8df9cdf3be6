"""The form for what a chart lacks: its questions, by drug, indication and payer alone.

The questions are those of what label and payer want, so that one drug, indication and payer always
give one form with one version; which of them are still open is told by the rules' outcomes. Ids
are stable: they are the linkIds of the Questionnaire and stand in stored answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from billing_rules.catalogue.terms import Terms
from billing_rules.evidence.pretreatment import TOTAL_IGE
from billing_rules.model.entities import Source
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, standing
from billing_rules.model.form import Choice, Field, Form, Group, Kind
from billing_rules.orders.case import Case
from billing_rules.rules import rule_of_form_group
from billing_rules.rules.documentation import prior_therapy

# What a kind of result is called, in words that agree with its code in the catalogue's terms: a
# result is believed only where both do.
RESULT_NAMES = {
    "total_ige": "Total IgE",
    "weight": "Body weight",
    "eosinophils": "Eosinophils",
    "fev1": "FEV1",
    "fev1_percent": "FEV1, percent predicted",
    "act": "Asthma control test",
    "uas7": "Weekly urticaria activity score (UAS7)",
    "allergen_dust_mite": "House dust mite",
    "allergen_cat": "Cat dander",
    "allergen_dog": "Dog dander",
    "allergen_cockroach": "Cockroach",
    "allergen_cladosporium": "Cladosporium",
    "allergen_aspergillus": "Aspergillus",
}


def form_for(case: Case) -> Form:
    """The form of a case: the same for every patient with this drug, indication and payer."""
    chosen = case.indication.indication
    return Form(
        case.drug.id,
        case.drug.name,
        chosen.id if chosen else "any",
        chosen.name if chosen else "any indication",
        case.payer.id,
        case.payer.name,
        tuple(_groups(case)),
    )


def _groups(case: Case) -> Iterator[Group]:
    chosen = case.indication.indication
    wanted = _wanted(case)
    if case.drug.indications:
        yield _diagnosis(case)
    if chosen and chosen.icd10cm_unspecified:
        yield _SEVERITY
    yield from _results(case, wanted)
    for need in prior_therapy.needs(case):
        yield _therapy(need.what)
    yield from _for_the_payer(case)
    if TOTAL_IGE in wanted or (chosen and chosen.age_at_start):
        yield _START
    yield _PAST_DOSES
    yield _NOTE


def _results(case: Case, wanted: frozenset[str]) -> Iterator[Group]:
    if TOTAL_IGE in wanted:
        yield _TOTAL_IGE
    if "weight" in wanted or case.drug.labelled_dose_per_weight is not None:
        yield _WEIGHT
    if "sensitisation" in wanted:
        yield _sensitisation(case.terms)
    if "eosinophils" in wanted:
        yield _EOSINOPHILS


def _for_the_payer(case: Case) -> Iterator[Group]:
    criteria = case.criteria
    if criteria is None:
        return
    if criteria.authorization:
        yield _AUTHORIZATION
    for kind in criteria.reassessment:
        if kind in case.terms.observations:
            yield _assessment(kind, case.terms)
    if criteria.authorization or criteria.reassessment:
        yield _RESPONSE


def _wanted(case: Case) -> frozenset[str]:
    chosen = case.indication.indication
    payer = case.criteria.needs if case.criteria else ()
    return frozenset(need.what for need in (*payer, *(chosen.needs if chosen else ())))


# ---------------------------------------------------------------- which are open


_WORST_FIRST: tuple[Literal["missing", "to do", "to confirm"], ...] = (
    "missing",
    "to do",
    "to confirm",
)


@dataclass(frozen=True, slots=True)
class GroupState:
    """How a group stands, in the words of the worksheet: `words` say what is missing or asked, why
    it could not be checked, or what is there."""

    state: Literal[
        "missing", "to do", "could not be checked", "to confirm", "on file", "if you like"
    ]
    words: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


def rule_of(group: Group) -> str:
    """The rule that finds the questions open or answered, as its row states; "" without one."""
    return rule_of_form_group(group.kind or group.id)


def standing_of(group: Group, outcomes: Sequence[Outcome], case: Case) -> GroupState:
    """What the rules said of a group's need; the rules that do not apply say nothing."""
    said = [o for o in outcomes if o.rule == rule_of(group)]
    if group.need:
        said = [
            o
            for need, o in zip(prior_therapy.needs(case), said, strict=False)
            if need.what == group.need
        ]
    found = [o for o in said if isinstance(o, Finding)]
    if found:
        sources = tuple(dict.fromkeys(s for o in found for s in o.sources))
        states = {standing(o) for o in found}
        worst = next(state for state in _WORST_FIRST if state in states)
        return GroupState(worst, tuple(o.summary for o in found), sources)
    gaps = [o.because for o in said if isinstance(o, NotChecked)]
    if gaps:
        return GroupState("could not be checked", tuple(gaps))
    there = tuple(o.because for o in said if isinstance(o, Silent) and o.applies)
    if group is _PAST_DOSES:  # what was given can always be told more of
        return GroupState("if you like", there)
    return GroupState("on file", there) if there else GroupState("if you like")


# ---------------------------------------------------------------- the questions

_IGE_UNITS = (
    Choice("[IU]/mL", "IU/mL"),
    Choice("k[IU]/L", "kIU/L"),
    Choice("kU/L", "kU/L"),
    Choice("ng/mL", "ng/mL"),
)
_LABORATORY = "Laboratory, as the report names it"
_YES_NO = (Choice("yes", "Yes"), Choice("no", "No"), Choice("unknown", "Not known"))


def _field(id_: str, label: str, kind: Kind, *choices: Choice, **more: object) -> Field:
    return Field(id_, label, kind, choices, **more)  # type: ignore[arg-type]


def _date(group: str, label: str, needed: bool = True) -> Field:
    return Field(f"{group}.date", label, "date", needed=needed)


_TOTAL_IGE = Group(
    "total-ige",
    "Total IgE",
    (
        Field(
            "total-ige.value",
            "Total IgE, as the report has it",
            "quantity",
            _IGE_UNITS,
            needed=True,
            hint="Only the total, not the IgE to one allergen. If the report says less than or "
            "more than, write it so: <2 or >2000.",
            kind_of_result=TOTAL_IGE,
        ),
        _date("total-ige", "Day the blood was drawn"),
        Field("total-ige.laboratory", _LABORATORY, "text"),
    ),
)

_WEIGHT = Group(
    "weight",
    "Weight",
    (
        Field(
            "weight.value",
            "Weight",
            "quantity",
            (Choice("kg", "kg"), Choice("[lb_av]", "lb")),
            needed=True,
            kind_of_result="weight",
        ),
        _date("weight", "Day it was measured"),
    ),
)

_EOSINOPHILS = Group(
    "eosinophils",
    "Eosinophils in blood",
    (
        Field(
            "eosinophils.value",
            "Eosinophils, as the report has them",
            "quantity",
            (
                Choice("/uL", "cells/uL"),
                Choice("10*3/uL", "10^3/uL (thousand per microliter)"),
                Choice("10*9/L", "10^9/L"),
            ),
            needed=True,
            hint="The count, not the percentage.",
            kind_of_result="eosinophils",
        ),
        _date("eosinophils", "Day the blood was drawn"),
        Field("eosinophils.laboratory", _LABORATORY, "text"),
    ),
)

_SEVERITY = Group(
    "severity",
    "Severity or kind of the disease",
    (
        Field(
            "severity.words",
            "Severity or kind, in the physician's words",
            "text",
            needed=True,
            hint="For example: severe persistent.",
        ),
        Field(
            "severity.exacerbations",
            "Exacerbations in the past 12 months",
            "number",
            may_be_zero=True,
        ),
        _date("severity", "Day it was documented"),
    ),
)

_AUTHORIZATION = Group(
    "authorization",
    "Prior authorization",
    (
        Field("authorization.number", "Authorization number", "text", needed=True),
        _field(
            "authorization.answer",
            "The payer's answer",
            "choice",
            Choice("granted", "Granted"),
            Choice("pending", "Still pending"),
            Choice("denied", "Denied"),
            needed=True,
        ),
        Field("authorization.start", "Valid from", "date", may_be_ahead=True),
        Field(
            "authorization.end",
            "Valid to",
            "date",
            may_be_ahead=True,
            hint="Without its period nobody can tell whether it covers a dose.",
        ),
    ),
)

_RESPONSE = Group(
    "response",
    "Response to treatment, for reauthorization",
    (
        _field(
            "response.answer",
            "Since treatment began",
            "choice",
            Choice("better", "Better"),
            Choice("same", "Unchanged"),
            Choice("worse", "Worse"),
            needed=True,
        ),
        Field("response.words", "What changed, in the physician's words", "long text"),
        _date("response", "Day it was assessed"),
    ),
)

_START = Group(
    "start-of-therapy",
    "Start of therapy",
    (
        _date("start-of-therapy", "Day of the first dose"),
        Field(
            "start-of-therapy.source",
            "How this is known",
            "text",
            hint="For example: records of the previous clinic.",
        ),
    ),
)

_PAST_DOSES = Group(
    "past-dose",
    "Doses given before, here or elsewhere",
    (
        _date("past-dose", "Day it was given"),
        Field("past-dose.dose", "Dose", "quantity", (Choice("mg", "mg"),), needed=True),
        Field("past-dose.lot", "Lot number", "text"),
        Field("past-dose.ndc", "NDC on the box", "text"),
        Field("past-dose.site", "Where it was given", "text", hint="For example: left upper arm."),
        Field("past-dose.observed", "Observation after the dose", "text"),
    ),
    rows=4,
)

_NOTE = Group(
    "note",
    "Anything else the payer asked for",
    (Field("note.words", "Note", "long text", needed=True),),
)


def _diagnosis(case: Case) -> Group:
    chosen = case.indication.indication
    of = (chosen,) if chosen else case.drug.indications
    codes = [Choice(code, f"{code} ({i.name})") for i in of for code in sorted(i.icd10cm)]
    return Group(
        "diagnosis",
        "Diagnosis",
        (
            _field(
                "diagnosis.code",
                "ICD-10-CM code",
                "choice",
                *codes,
                Choice("other", "Another code"),
                needed=True,
            ),
            Field("diagnosis.other", "Another code and what it stands for", "text"),
            _date("diagnosis", "Day it was documented"),
            Field("diagnosis.by", "Who made the diagnosis", "text"),
        ),
    )


def _sensitisation(terms: Terms) -> Group:
    allergens = [
        Choice(kind.id.replace("_", "-"), RESULT_NAMES[kind.id])
        for kind in terms.observations.values()
        if kind.perennial and kind.id in RESULT_NAMES
    ]
    return Group(
        "sensitisation",
        "Test for a perennial allergen",
        (
            _field(
                "sensitisation.test",
                "Kind of test",
                "choice",
                Choice("specific-ige", "Specific IgE in blood"),
                Choice("skin-test", "Skin test"),
                needed=True,
            ),
            _field(
                "sensitisation.allergen",
                "Allergen",
                "choice",
                *allergens,
                Choice("other", "Another"),
                needed=True,
            ),
            Field("sensitisation.other", "Another allergen", "text"),
            _field(
                "sensitisation.result",
                "Result",
                "choice",
                Choice("positive", "Positive"),
                Choice("negative", "Negative"),
                needed=True,
            ),
            Field(
                "sensitisation.value",
                "Specific IgE, as the report has it",
                "quantity",
                (Choice("kU/L", "kU/L"), Choice("[IU]/mL", "IU/mL")),
                hint="Leave empty for a skin test.",
                kind_of_result="specific_ige",
            ),
            _date("sensitisation", "Day of the test"),
            Field("sensitisation.laboratory", "Laboratory or clinic that tested", "text"),
        ),
        rows=3,
    )


def _therapy(drug_class: str) -> Group:
    id_, name = drug_class.replace("_", "-"), drug_class.replace("_", " ")
    return Group(
        id_,
        f"Prior therapy: {name}",
        (
            Field(f"{id_}.drug", "Drug and strength", "text", needed=True),
            Field(f"{id_}.start", "Taken from", "date", needed=True),
            Field(f"{id_}.end", "Taken until", "date", hint="Leave empty if it is still taken."),
            _field(
                f"{id_}.outcome",
                "Outcome",
                "choice",
                Choice("not-controlled", "Disease not controlled"),
                Choice("not-tolerated", "Not tolerated"),
                Choice("contraindicated", "Not allowed for this patient"),
                Choice("helped", "Helped"),
                needed=True,
            ),
            Field(f"{id_}.words", "Remarks", "text"),
        ),
        kind="therapy",
        need=drug_class,
        rows=4,
    )


def _assessment(kind: str, terms: Terms) -> Group:
    known = terms.observations[kind]
    id_ = f"assessment-{kind.replace('_', '-')}"
    unit = Choice(known.unit, {"{score}": "points"}.get(known.unit, known.unit))
    name = RESULT_NAMES.get(kind, kind.replace("_", " "))
    return Group(
        id_,
        f"{name}, for reauthorization",
        (
            Field(f"{id_}.value", name, "quantity", (unit,), needed=True, kind_of_result=kind),
            _date(id_, "Day of the assessment"),
        ),
        kind="assessment",
    )
