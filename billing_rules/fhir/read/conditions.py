"""Condition, FamilyMemberHistory, AllergyIntolerance and Procedure to problems.

Refuted and entered-in-error ones are never read. What says that it is family history is family
history, whatever its resource type: "Family history of asthma" is no asthma."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from billing_rules.fhir.json.decoding import among, contained, of_types, reference, unversioned
from billing_rules.fhir.json.shapes import (
    AllergyIntoleranceResource,
    CodeableConcept,
    ConditionResource,
    FamilyMemberHistoryResource,
    Period,
    ProcedureResource,
    Reference,
    ResearchStudyResource,
    ResearchSubjectResource,
    Resource,
    Status,
    unreadable,
)
from billing_rules.fhir.json.values import (
    BILLING_SYSTEMS,
    CodeSystems,
    Concept,
    absent,
    as_day,
    concept,
    joined,
    shown,
)
from billing_rules.fhir.read.medications import day, earliest, latest
from billing_rules.model.chart import Problem, Study
from billing_rules.model.entities import Code

_CONDITIONS_ACTIVE, _INACTIVE = (
    {"active", "recurrence", "relapse"},
    {"inactive", "remission", "resolved"},
)
_UNCERTAIN = {"provisional", "differential", "unconfirmed", "presumed"}
_NEVER = {"entered-in-error", "refuted"}
_NOT_PERFORMED = ("preparation", "not-done", "on-hold", "in-progress", "stopped", "aborted")
# ICD-10-CM Z80 to Z84: family history of diseases.
_FAMILY_ICD10 = re.compile(r"Z8[0-4](\..*)?")
_FAMILY_WORDS = re.compile(r"\s*(family history|family hx|fam hx|fhx?\b|fh:)", re.IGNORECASE)
_DOUBT_WORDS = re.compile(r"\b(rule out|r/o|suspected|possible|probable|likely)\b", re.IGNORECASE)
_ICD10 = re.compile(r"[A-TV-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?", re.ASCII)


def conditions(found: Iterable[Resource], systems: CodeSystems) -> Iterator[Problem]:
    """Conditions, and family histories where they were delivered with them."""
    named: dict[CodeableConcept | None, _Diagnosis] = {}  # a chart repeats its diagnoses
    for one in found:
        if isinstance(one, FamilyMemberHistoryResource):
            for each in one.condition:
                history = _diagnosis(each.code, systems)
                yield Problem(
                    reference(one), "family history", history.codes, history.text, as_day(one.date)
                )
        if not isinstance(one, ConditionResource):
            continue
        verified = _said(one.verificationStatus)
        if verified & _NEVER:
            continue
        diagnosis = named.get(one.code)
        if diagnosis is None:
            diagnosis = named[one.code] = _diagnosis(one.code, systems)
        yield Problem(
            reference=reference(one),
            kind=diagnosis.kind,
            codes=diagnosis.codes,
            text=diagnosis.text,
            on=_onset(one),
            active=_active(_said(one.clinicalStatus), _has_abated(one)),
            certain=not diagnosis.doubted and not verified & _UNCERTAIN,
        )


@dataclass(frozen=True, slots=True)
class _Diagnosis:
    """What the name of a condition says, whenever it was."""

    codes: tuple[Code, ...]
    text: str
    kind: Literal["condition", "family history"]
    doubted: bool


def _diagnosis(code: CodeableConcept | None, systems: CodeSystems) -> _Diagnosis:
    said = concept(code, systems)
    codes = _diagnosis_codes(code, said)
    coded = any(c.system in ("icd10cm", "snomed") for c in codes)
    doubted = not coded and any(_DOUBT_WORDS.search(name) for name in said.names)
    kind: Literal["condition", "family history"] = (
        "family history" if _is_family(said, codes) else "condition"
    )
    return _Diagnosis(codes, _text(said), kind, doubted)


def _has_abated(condition: ConditionResource) -> bool:
    for written in (
        condition.abatementDateTime,
        condition.abatementAge,
        condition.abatementPeriod,
        condition.abatementRange,
        condition.abatementString,
        condition.abatementBoolean,
    ):
        if written is not None and written is not False and not absent(written):
            return True
    return False


def allergies(found: Iterable[Resource], systems: CodeSystems) -> Iterator[Problem]:
    """Allergies; the substances of their reactions name the allergen too."""
    for one in of_types(found, AllergyIntoleranceResource):
        verified = _said(one.verificationStatus)
        if verified & _NEVER:
            continue
        substances = (concept(reaction.substance, systems) for reaction in one.reaction)
        said = joined([concept(one.code, systems), *substances])
        yield Problem(
            reference=reference(one),
            kind="allergy",
            codes=_clinical(said),
            text=_text(said),
            on=_onset(one),
            active=_active(_said(one.clinicalStatus), abated=False),
            certain=not verified & _UNCERTAIN,
        )


def procedures(found: Iterable[Resource], systems: CodeSystems) -> Iterator[Problem]:
    """Procedures that were done. One whose status says nothing of that is not certain."""
    for one in of_types(found, ProcedureResource):
        status = one.status.strip().lower()
        if status in _NOT_PERFORMED:
            continue
        said = concept(one.code, systems)
        yield Problem(
            reference=reference(one),
            kind="procedure",
            codes=said.codes,
            text=_text(said),
            on=as_day(one.performedDateTime) or day(one.performedPeriod, "start"),
            certain=status == "completed",
        )


# ---------------------------------------------------------------- codes and words


def _text(said: Concept) -> str:
    return shown(said.names[0]) if said.names else ""


def _clinical(said: Concept) -> tuple[Code, ...]:
    """The codes; one that only has the shape of a billing code is in no system."""
    return tuple(
        Code("" if c.system in BILLING_SYSTEMS else c.system, c.code, c.display) for c in said.codes
    )


def _diagnosis_codes(written: CodeableConcept | None, said: Concept) -> tuple[Code, ...]:
    """The codes, ICD-10-CM as it is printed: "J4550" is J45.50. A diagnosis whose coding names no
    system is one of ICD-10-CM by its shape."""
    codings = written.coding if written else ()
    bare = {
        c.code.strip().upper()
        for c in codings
        if not c.system.strip() and not unreadable(c, "system")
    }
    return tuple(_as_icd10(code, code.code.upper() in bare) for code in _clinical(said))


def _as_icd10(code: Code, bare: bool) -> Code:
    upper = code.code.upper()
    if code.system != "icd10cm" and not (bare and not code.system and _ICD10.fullmatch(upper)):
        return code
    dotted = upper if "." in upper or len(upper) <= 3 else f"{upper[:3]}.{upper[3:]}"
    return Code("icd10cm", dotted, code.display)


def _is_family(said: Concept, codes: tuple[Code, ...]) -> bool:
    icd10 = [c.code for c in codes if c.system == "icd10cm"]
    if icd10:
        return all(_FAMILY_ICD10.fullmatch(code) for code in icd10)
    return any(_FAMILY_WORDS.match(name) for name in said.names)


# ---------------------------------------------------------------- status and date


def _said(status: Status) -> set[str]:
    """The status codes in lower case; before R4 a status was a plain string."""
    if status is None or isinstance(status, str):
        return {(status or "").strip().lower()}
    codes = {coding.code.strip().lower() for coding in status.coding} - {""}
    return codes or {status.text.strip().lower()}


def _active(said: set[str], abated: bool) -> bool:
    """By the clinical status; without one, unless it has abated."""
    if said & (_CONDITIONS_ACTIVE | _INACTIVE):
        return not said & _INACTIVE
    return not abated


def _onset(one: ConditionResource | AllergyIntoleranceResource) -> date | None:
    return (
        as_day(one.onsetDateTime)
        or day(one.onsetPeriod, "start")
        or as_day(one.recordedDate)
        or as_day(one.assertedDate)
    )


# ----------------------------------------------------------------------
# ResearchSubject to the patient's part in a study.


# FHIR R4 ResearchSubjectStatus, from candidate to on-study; the others have left or never began.
_STUDIES_ACTIVE = (
    "candidate",
    "eligible",
    "follow-up",
    "on-study",
    "on-study-intervention",
    "on-study-observation",
    "pending-on-study",
    "screening",
)


def studies(found: Sequence[Resource]) -> Iterator[Study]:
    """The studies, named by their title where it was sent."""
    along = among(of_types(found, ResearchStudyResource))
    for one in of_types(found, ResearchSubjectResource):
        study, period = one.study or Reference(), one.period or Period()
        target = study.reference.strip()
        inside = target.startswith("#")
        own = contained(one, target, assumed="ResearchStudy") if inside else along(target)
        title = own.title.strip() if isinstance(own, ResearchStudyResource) else ""
        yield Study(
            reference=reference(one),
            study=shown(study.display.strip() or title or unversioned(target)),
            active=one.status.strip().lower() in _STUDIES_ACTIVE,
            start=earliest(period.start.strip()),
            end=latest(period.end.strip()),
        )
