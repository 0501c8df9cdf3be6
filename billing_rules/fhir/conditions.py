"""Condition, FamilyMemberHistory, AllergyIntolerance and Procedure to problems.

Refuted and entered-in-error ones are never read. What says that it is family history is family
history, whatever its resource type: "Family history of asthma" is no asthma.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from billing_rules.chart import Problem
from billing_rules.fhir import plain
from billing_rules.fhir.codes import BILLING_SYSTEMS, CodeSystems, Concept, concept, joined
from billing_rules.fhir.decoding import Slim, of_type, reference
from billing_rules.fhir.plain import PlainConcept, PlainCondition
from billing_rules.fhir.tolerant import Node, as_day, shown
from billing_rules.model import Code

_ACTIVE, _INACTIVE = {"active", "recurrence", "relapse"}, {"inactive", "remission", "resolved"}
_UNCERTAIN = {"provisional", "differential", "unconfirmed", "presumed"}
_NEVER = {"entered-in-error", "refuted"}
_ABATEMENT = tuple(
    f"abatement{kind}" for kind in ("DateTime", "Age", "Period", "Range", "String", "Boolean")
)
_NOT_PERFORMED = ("preparation", "not-done", "on-hold", "in-progress", "stopped", "aborted")
# ICD-10-CM Z80 to Z84: family history of diseases.
_FAMILY_ICD10 = re.compile(r"Z8[0-4](\..*)?")
_FAMILY_WORDS = re.compile(r"\s*(family history|family hx|fam hx|fhx?\b|fh:)", re.IGNORECASE)
_DOUBT_WORDS = re.compile(r"\b(rule out|r/o|suspected|possible|probable|likely)\b", re.IGNORECASE)
_ICD10 = re.compile(r"[A-TV-Z]\d[0-9A-Z](\.?[0-9A-Z]{1,4})?", re.ASCII)


class SlimCondition(Slim):
    clinicalStatus: Any = None
    verificationStatus: Any = None
    code: Any = None
    onsetDateTime: Any = None
    onsetPeriod: Any = None
    abatementDateTime: Any = None
    abatementAge: Any = None
    abatementPeriod: Any = None
    abatementRange: Any = None
    abatementString: Any = None
    abatementBoolean: Any = None
    recordedDate: Any = None
    assertedDate: Any = None  # STU3
    condition: Any = None  # of a FamilyMemberHistory
    date: Any = None


class SlimAllergy(Slim):
    clinicalStatus: Any = None
    verificationStatus: Any = None
    code: Any = None
    reaction: Any = None
    onsetDateTime: Any = None
    onsetPeriod: Any = None
    recordedDate: Any = None
    assertedDate: Any = None


class SlimProcedure(Slim):
    code: Any = None
    performedDateTime: Any = None
    performedPeriod: Any = None


def conditions(found: Iterable[Node | PlainCondition], systems: CodeSystems) -> Iterator[Problem]:
    """Conditions, and family histories where they were delivered with them."""
    named: dict[Hashable, _Diagnosis] = {}  # a chart repeats its diagnoses
    for one in found:
        if isinstance(one, PlainCondition):
            yield from _plain(one, named, systems)
            continue
        for node in of_type([one], "Condition", "FamilyMemberHistory"):
            if node.text("resourceType") == "FamilyMemberHistory":
                yield from _family(node, systems)
            elif not _said(node, "verificationStatus") & _NEVER:
                yield _condition(node, systems)


@dataclass(frozen=True, slots=True)
class _Diagnosis:
    """What the name of a condition says, whenever it was."""

    codes: tuple[Code, ...]
    text: str
    kind: Literal["condition", "family history"]
    doubted: bool


def _diagnosis(code: Node, systems: CodeSystems) -> _Diagnosis:
    said = concept(code, systems)
    codes = _diagnosis_codes(code, said)
    coded = any(c.system in ("icd10cm", "snomed") for c in codes)
    doubted = not coded and any(_DOUBT_WORDS.search(name) for name in said.names)
    kind: Literal["condition", "family history"] = (
        "family history" if _is_family(said, codes) else "condition"
    )
    return _Diagnosis(codes, _text(said), kind, doubted)


def _condition(node: Node, systems: CodeSystems) -> Problem:
    named = _diagnosis(node.obj("code"), systems)
    abated = any(node.has(key) and node.value.get(key) is not False for key in _ABATEMENT)
    return Problem(
        reference=reference(node, "Condition"),
        kind=named.kind,
        codes=named.codes,
        text=named.text,
        on=_onset(node),
        active=_active(_said(node, "clinicalStatus"), abated),
        certain=not named.doubted and not _said(node, "verificationStatus") & _UNCERTAIN,
    )


def _plain(
    found: PlainCondition, known: dict[Hashable, _Diagnosis], systems: CodeSystems
) -> Iterator[Problem]:
    """The same of a Condition in its ordinary form; `known` are the diagnoses read so far."""
    verified = _plainly_said(found.verificationStatus)
    if verified & _NEVER:
        return
    key = found.code.all_it_says()
    named = known.get(key)
    if named is None:
        named = known[key] = _diagnosis(plain.as_node(found.code), systems)
    days = map(as_day, (found.onsetDateTime, found.recordedDate, found.assertedDate))
    yield Problem(
        reference=f"Condition/{plain.text(found.id)}" if plain.text(found.id) else "",
        kind=named.kind,
        codes=named.codes,
        text=named.text,
        on=next((day for day in days if day), None),
        active=_active(
            _plainly_said(found.clinicalStatus), bool(plain.text(found.abatementDateTime))
        ),
        certain=not named.doubted and not verified & _UNCERTAIN,
    )


def _family(node: Node, systems: CodeSystems) -> Iterator[Problem]:
    for each in node.objs("condition"):
        said = concept(each.obj("code"), systems)
        codes = _diagnosis_codes(each.obj("code"), said)
        where, on = reference(node, "FamilyMemberHistory"), node.day("date")
        yield Problem(where, "family history", codes, _text(said), on)


def allergies(nodes: Iterable[Node], systems: CodeSystems) -> Iterator[Problem]:
    """Allergies; the substances of their reactions name the allergen too."""
    for node in of_type(nodes, "AllergyIntolerance"):
        verified = _said(node, "verificationStatus")
        if verified & _NEVER:
            continue
        substances = (concept(r.obj("substance"), systems) for r in node.objs("reaction"))
        said = joined([concept(node.obj("code"), systems), *substances])
        yield Problem(
            reference=reference(node, "AllergyIntolerance"),
            kind="allergy",
            codes=_clinical(said),
            text=_text(said),
            on=_onset(node),
            active=_active(_said(node, "clinicalStatus"), abated=False),
            certain=not verified & _UNCERTAIN,
        )


def procedures(nodes: Iterable[Node], systems: CodeSystems) -> Iterator[Problem]:
    """Procedures that were done. One whose status says nothing of that is not certain."""
    for node in of_type(nodes, "Procedure"):
        status = node.text("status").lower()
        if status in _NOT_PERFORMED:
            continue
        said = concept(node.obj("code"), systems)
        yield Problem(
            reference=reference(node, "Procedure"),
            kind="procedure",
            codes=said.codes,
            text=_text(said),
            on=node.day("performedDateTime") or node.obj("performedPeriod").day("start"),
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


def _diagnosis_codes(node: Node, said: Concept) -> tuple[Code, ...]:
    """The codes, ICD-10-CM as it is printed: "J4550" is J45.50. A diagnosis whose coding names no
    system is one of ICD-10-CM by its shape."""
    bare = {c.text("code").upper() for c in node.objs("coding") if not c.has("system")}
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


def _said(node: Node, key: str) -> set[str]:
    """The status codes in lower case; before R4 a status was a plain string."""
    if isinstance(node.value.get(key), str):
        return {node.text(key).lower()}
    status = node.obj(key)
    codes = {coding.text("code").lower() for coding in status.objs("coding")} - {""}
    return codes or {status.text("text").lower()}


def _plainly_said(status: PlainConcept | None) -> set[str]:
    if status is None:
        return {""}
    codes = {plain.text(coding.code).lower() for coding in status.coding} - {""}
    return codes or {plain.text(status.text).lower()}


def _active(said: set[str], abated: bool) -> bool:
    """By the clinical status; without one, unless it has abated."""
    if said & (_ACTIVE | _INACTIVE):
        return not said & _INACTIVE
    return not abated


def _onset(node: Node) -> date | None:
    onset = node.day("onsetDateTime") or node.obj("onsetPeriod").day("start")
    return onset or node.day("recordedDate") or node.day("assertedDate")
