"""The chart of a scenario: short readable words to the core's Chart. Keys: see tests.scenario.

Every part is a list (or one item) of strings or maps; "none" was asked and is empty, "unknown:
reason" could not be asked, and a part that is not named was never asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from billing_rules.catalogue.terms import Terms
from billing_rules.model.chart import (
    NOT_ASKED,
    Authorization,
    Chart,
    Coverage,
    FormAnswers,
    Measured,
    Problem,
    Study,
    Therapy,
)
from billing_rules.model.entities import Amount, Code, OrderLine, UnitNotUnderstood, canonical_unit
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown

T = TypeVar("T")
Words = dict[str, Any]
_DAY = r"(\d{4}-\d\d-\d\d)"
_ICD10CM = re.compile(r"[A-TV-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?")

# What a kind is called when the catalogue's own vocabulary does not have it: LOINC and words.
_KINDS = {
    "total_ige": ("19113-0", "IgE [Units/volume] in Serum or Plasma"),
    "weight": ("29463-7", "Body weight"),
    "act": ("82668-5", "Asthma control test total score"),
    "fev1": ("20150-9", "FEV1"),
    "fev1_percent": ("20152-5", "FEV1 measured/predicted"),
    "eosinophils": ("711-2", "Eosinophils [#/volume] in Blood by Automated count"),
}
_CLASSES = {
    "inhaled_corticosteroid": "fluticasone 110 mcg inhaler",
    "nasal_corticosteroid": "fluticasone nasal spray",
    "h1_antihistamine": "cetirizine 10 mg tablet",
}


def chart(words: Words, terms: Terms, on: date, given: Callable[..., OrderLine]) -> Chart:
    """The chart `words` tell, on the date of service `on`. `given` makes an OrderLine."""
    unknown = set(words) - KNOWN
    assert not unknown, f"unknown keys in the scenario's chart: {unknown}"

    def each(name: str, one: Callable[[Any, int], T]) -> State[tuple[T, ...]]:
        return _part(words.get(name), one)

    return Chart(
        birth_date=_single(words.get("born"), _date),
        coverages=each("coverage", _coverage),
        weights=each("weight", lambda w, n: _weight(w, n, on)),
        results=each("results", lambda w, n: _result(w, n, terms)),
        conditions=each("conditions", lambda w, n: _problem(w, n, "condition")),
        allergies=each("allergies", lambda w, n: _problem(w, n, "allergy")),
        procedures=each("procedures", lambda w, n: _problem(w, n, "procedure")),
        therapies=each("therapies", lambda w, n: _therapy(w, n, terms)),
        administrations=each("given", given),
        authorizations=each("authorizations", _authorization),
        studies=each("studies", _study),
        setting=_single(words.get("setting"), str),
        answers=each("entered", _entered),
    )


KNOWN = {
    "born",
    "coverage",
    "weight",
    "results",
    "conditions",
    "allergies",
    "procedures",
    "therapies",
    "given",
    "authorizations",
    "studies",
    "setting",
    "entered",
}


def _state(words: Any) -> Nothing | Unknown | None:
    if words is None:
        return NOT_ASKED
    if words == "none":
        return NOTHING
    if isinstance(words, str) and words.startswith("unknown:"):
        return Unknown(words.removeprefix("unknown:").strip())
    return None


def _single(words: Any, one: Callable[[Any], T]) -> State[T]:
    return _state(words) or Present(one(words))


def _part(words: Any, one: Callable[[Any, int], T]) -> State[tuple[T, ...]]:
    items = words if isinstance(words, list) else [words]
    return _state(words) or Present(tuple(one(item, place) for place, item in enumerate(items)))


def _date(words: Any) -> date:
    return words if isinstance(words, date) else date.fromisoformat(str(words))


def _day(words: Words, key: str = "date") -> date | None:
    return _date(words[key]) if words.get(key) is not None else None


def _known(words: Words, *keys: str) -> Words:
    unknown = set(words) - set(keys)
    assert not unknown, f"unknown keys {unknown} in {words}; known: {sorted(keys)}"
    return words


def _dated(text: str) -> tuple[str, date | None]:
    """The words without the date they end with, and that date."""
    found = re.fullmatch(rf"(.+?)(?: {_DAY})?", text)
    assert found, text
    return found[1], _date(found[2]) if found[2] else None


def _period(text: str) -> tuple[str, date | None, date | None]:
    """The words without "2026-01-01 to 2026-06-30" at their end, and both dates."""
    found = re.fullmatch(rf"(.+?)(?: {_DAY})?(?: to {_DAY})?", text)
    assert found, text
    start, end = (_date(day) if day else None for day in (found[2], found[3]))
    return found[1], start, end


def codes(text: str) -> tuple[tuple[Code, ...], str]:
    """ "J45.50 Severe persistent asthma" as its coding and its text."""
    first, _, rest = text.strip().partition(" ")
    if _ICD10CM.fullmatch(first):
        return (Code("icd10cm", first, rest),), rest
    if re.fullmatch(r"\d{6,18}", first):
        return (Code("snomed", first, rest),), rest
    return (), text


# ---------------------------------------------------------------- measured


def _weight(words: Any, place: int, on: date) -> Measured:
    if isinstance(words, str):
        value, day = _dated(words)
        words = {"value": value, "date": day or on}
    _known(words, "value", "date", "id", "final")
    return _measured(words, f"weight-{place}", (Code("loinc", "29463-7"),), "Body weight")


def _result(words: Any, place: int, terms: Terms) -> Measured:
    if isinstance(words, str):
        kind, _, rest = words.partition(" ")
        value, day = _dated(rest)
        words = {"kind": kind, "value": value, "date": day}
    _known(words, "kind", "loinc", "text", "value", "date", "interpretation", "final", "id")
    loinc, text = _kind(words["kind"], terms) if "kind" in words else ("", "")
    loinc, text = words.get("loinc", loinc), words.get("text", text)
    coded = (Code("loinc", loinc),) if loinc else ()
    return _measured(words, f"result-{place}", coded, text)


def _kind(kind: str, terms: Terms) -> tuple[str, str]:
    if kind in terms.observations:
        known = terms.observations[kind]
        return (min(known.loinc) if known.loinc else ""), known.words[0]
    known_kinds = sorted({*terms.observations, *_KINDS})
    assert kind in _KINDS, f"'{kind}' is no kind of result: {known_kinds}"
    return _KINDS[kind]


def _measured(words: Words, name: str, coded: tuple[Code, ...], text: str) -> Measured:
    written = str(words["value"])
    comparator, value = _value(written)
    interpretation = words.get("interpretation", [])
    marks = [interpretation] if isinstance(interpretation, str) else interpretation
    marks = [*marks, *([written] if written in ("POS", "NEG", "IND") else [])]
    return Measured(
        reference=f"Observation/{words.get('id', name)}",
        codes=coded,
        text=text,
        value=value,
        as_written=written,
        on=_day(words),
        comparator=comparator,
        interpretation=tuple(marks),
        final=words.get("final", True),
    )


def _value(written: str) -> tuple[str, Amount | None]:
    found = re.fullmatch(r"(<=|>=|<|>)?\s*(\d+(?:\.\d+)?) (\S.*)", written)
    if not found:
        return "", None
    try:
        return found[1] or "", Amount(Decimal(found[2]), canonical_unit(found[3]))
    except UnitNotUnderstood:
        return found[1] or "", None


# ---------------------------------------------------------------- problems and therapies


def _problem(words: Any, place: int, kind: Any) -> Problem:
    if isinstance(words, str):
        said, day = _dated(words)
        coded, text = codes(said)
        return Problem(f"{_RESOURCES[kind]}/{place}", kind, coded, text, day)
    _known(
        words,
        "icd10cm",
        "snomed",
        "cpt",
        "loinc",
        "text",
        "date",
        "resolved",
        "provisional",
        "kind",
        "id",
    )
    text = words.get("text", "")
    kind = words.get("kind", kind)
    return Problem(
        reference=f"{_RESOURCES[kind]}/{words.get('id', place)}",
        kind=kind,
        codes=tuple(
            Code(system, str(words[system]), text)
            for system in ("icd10cm", "snomed", "cpt", "loinc")
            if system in words
        ),
        text=text,
        on=_day(words),
        active=not words.get("resolved", False),
        certain=not words.get("provisional", False),
    )


_RESOURCES = {
    "condition": "Condition",
    "allergy": "AllergyIntolerance",
    "procedure": "Procedure",
    "family history": "FamilyMemberHistory",
}
_RECORDS = {
    "request": "MedicationRequest",
    "statement": "MedicationStatement",
    "dispense": "MedicationDispense",
    "administration": "MedicationAdministration",
}


def _therapy(words: Any, place: int, terms: Terms) -> Therapy:
    if isinstance(words, str):
        said, start, end = _period(words)
        kind = said.rpartition(" ")[2]
        if kind in _RECORDS:
            said = said.removesuffix(f" {kind}")
        known = said in terms.drug_classes or said in _CLASSES
        words = {"class" if known else "text": said, "from": start, "to": end}
        words |= {"kind": kind} if kind in _RECORDS else {}
    _known(words, "class", "text", "rxnorm", "kind", "from", "to", "active", "id")
    kind = words.get("kind", "dispense")
    rxnorm, text = _drug_class(words["class"], terms) if "class" in words else ("", "")
    rxnorm, text = str(words.get("rxnorm", rxnorm)), words.get("text", text)
    return Therapy(
        reference=f"{_RECORDS[kind]}/{words.get('id', f'therapy-{place}')}",
        kind=kind,
        codes=(Code("rxnorm", rxnorm),) if rxnorm else (),
        text=text,
        start=_day(words, "from"),
        end=_day(words, "to"),
        active=words.get("active", True),
    )


def _drug_class(name: str, terms: Terms) -> tuple[str, str]:
    if name not in terms.drug_classes:
        assert name in _CLASSES, f"'{name}' is no drug class: {sorted(terms.drug_classes)}"
        return "", _CLASSES[name]
    known = terms.drug_classes[name]
    words = [next(iter(known.names), ""), next(iter(known.form_words), "")]
    return (min(known.rxnorm) if known.rxnorm else ""), " ".join(words).strip()


# ---------------------------------------------------------------- payer, authorization, study


def _coverage(words: Any, place: int) -> Coverage:
    if isinstance(words, str):
        words = {"name": words}
    _known(words, "name", "types", "identifier", "class", "order", "active", "id")
    return Coverage(
        reference=f"Coverage/{words.get('id', place)}",
        types=tuple(_type(text) for text in words.get("types", [])),
        payor_names=_texts(words.get("name")),
        payor_identifiers=_texts(words.get("identifier")),
        class_names=_texts(words.get("class")),
        order=words.get("order"),
        active=words.get("active", True),
    )


def _type(text: str) -> Code:
    system, _, code = text.rpartition(" ")
    return Code(system, code)


def _texts(value: Any) -> tuple[str, ...]:
    return () if value is None else (value,) if isinstance(value, str) else tuple(value)


_ANSWERS = {"granted": True, "denied": False, "pending": None}


def _authorization(words: Any, place: int) -> Authorization:
    if isinstance(words, str):
        said, start, end = _period(words)
        answer, _, rest = said.partition(" ")
        words = {"answer": answer, "codes": rest.split(), "from": start, "to": end}
    _known(
        words, "answer", "codes", "number", "text", "insurer", "from", "to", "date", "id", "kind"
    )
    start = _day(words, "from")
    return Authorization(
        reference=f"{words.get('kind', 'ClaimResponse')}/{words.get('id', f'auth-{place}')}",
        number=str(words.get("number", f"PA-{place}")),
        granted=_ANSWERS[words.get("answer", "granted")],
        codes=tuple(Code("hcpcs", code) for code in words.get("codes", [])),
        text=words.get("text", ""),
        insurer=words.get("insurer", ""),
        start=start,
        end=_day(words, "to"),
        on=_day(words) or start,
    )


def _entered(words: Any, place: int) -> FormAnswers:
    typed = {k: str(text) for k, text in words.items() if k not in ("form", "saved", "id", "auto")}
    auto = words.get("auto", ())
    return FormAnswers(
        reference=f"QuestionnaireResponse/{words.get('id', place)}",
        form=words["form"],
        on=_date(words["saved"]),
        saved="",
        groups=frozenset(name.partition(".")[0] for name in typed),
        typed={name: text for name, text in typed.items() if "." in name},
        by_hand=frozenset(typed) - set(auto),
    )


def _study(words: Any, place: int) -> Study:
    if isinstance(words, str):
        said, start, end = _period(words)
        words = {"study": said, "from": start, "to": end}
    _known(words, "study", "active", "from", "to", "id")
    return Study(
        reference=f"ResearchSubject/{words.get('id', place)}",
        study=words["study"],
        active=words.get("active", True),
        start=_day(words, "from"),
        end=_day(words, "to"),
    )
