"""Texts, numbers, days, codes and quantities as FHIR means them, and notes on what was not read.

Nothing here raises for any JSON value. Numbers become Decimal, never float. The unit decides what a
number is, and it is never guessed. What each place counts is settled in docs/how-cards-decide.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

from billing_rules.fhir.json.shapes import (
    CodeableConcept,
    Coding,
    Element,
    Extension,
    WrittenQuantity,
    lost_of,
    unreadable,
)
from billing_rules.model.entities import (
    Amount,
    Code,
    Counted,
    Dose,
    UnitNotUnderstood,
    canonical_unit,
    ndc_candidates,
    plain,
)
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown

# ----------------------------------------------------------------------
# Texts, numbers and days as FHIR means them, and notes on what could not be read.
#
# Nothing here raises for any JSON value. Numbers become Decimal, never float.


SHOWN = 80  # characters of the chart that a sentence repeats
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?")
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(T.*)?", re.ASCII | re.DOTALL)
_MOST_SENTENCES = 20  # kept of one resource
_LARGEST, _SMALLEST = 12, -9  # powers of ten a quantity of a drug can have


def absent(value: object) -> bool:
    """Whether a JSON value says nothing: null, "", blank text, [] or {}."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == [] or value == {}


def as_objects(value: object) -> list[Mapping[str, object]]:
    """The objects in `value`: of a list its non-empty objects, of an object itself."""
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, dict) and v]


def as_number(value: object) -> Decimal | None:
    """A finite number of sane size as Decimal, from an int, float, Decimal or numeric text.

    None for bool, NaN, infinity and anything at or beyond 10^13, or closer to 0 than 10^-9.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        return None
    if isinstance(value, int) and abs(value) >= 10 ** (_LARGEST + 1):
        return None
    text = str(value).strip()
    if not text.isascii() or not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    if number == 0:
        return Decimal(0)
    return number if _SMALLEST <= number.adjusted() <= _LARGEST else None


def as_day(value: object) -> date | None:
    """The calendar day of a FHIR date or dateTime as written there, or None for partial dates.

    The day is taken in the time zone the value is written in: nothing is shifted.
    """
    if not isinstance(value, str) or not value:
        return None
    if len(value) == 10 and value[4] == value[7] == "-":  # a date, as most are written
        day = value
    elif match := _DAY.fullmatch(value.strip()):
        day = match[1]
    else:
        return None
    try:
        return date.fromisoformat(day)
    except ValueError:
        return None


def shown(text: str, limit: int = SHOWN) -> str:
    """`text` fit to stand in a sentence: one line, printable, at most `limit` characters."""
    if len(text) <= limit and text.isprintable() and "  " not in text:
        return text.strip()  # nearly every text; the rest is for the others
    start = text[: limit * 4]
    if not start.isprintable():
        start = "".join(c if c.isprintable() else " " for c in start)
    line = " ".join(start.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def copied(value: object) -> Any:
    """A deep copy of a JSON value, however deeply nested."""
    root = [value]
    waiting: list[Any] = [root]
    while waiting:
        parent = waiting.pop()
        for place, child in list(parent.items() if isinstance(parent, dict) else enumerate(parent)):
            if isinstance(child, (dict, list)):
                parent[place] = child.copy()
                waiting.append(parent[place])
    return root[0]


# ---------------------------------------------------------------- what could not be read


class Notes:
    """Plain sentences on what of one resource was there but could not be read.

    An element is found by where it stands in the resource, or in one that was `also` read.
    """

    __slots__ = ("_roots", "sentences")

    def __init__(self, root: Element) -> None:
        self._roots: list[tuple[str, Element]] = [("", root)]
        lost = lost_of(root)
        self.sentences: list[str] = []
        for sentence in lost.sentences if lost else ():
            self.add(sentence)

    def also(self, path: str, root: Element) -> None:
        """Take up another resource that is read as a part of this one, as standing at `path`."""
        if any(root is known for _, known in self._roots):
            return
        self._roots.append((path, root))
        lost = lost_of(root)
        for sentence in lost.sentences if lost else ():
            self.add(f"{path}.{sentence}" if path else sentence)

    def of_a_part(self, path: str) -> Notes:
        """The notes so far for one entry of a list ("item[0]"), without those on its siblings."""
        siblings = path.partition("[")[0] + "["
        part = Notes.__new__(Notes)
        part._roots = self._roots
        part.sentences = [
            sentence
            for sentence in self.sentences
            if not sentence.startswith(siblings) or sentence.startswith((f"{path}.", f"{path} "))
        ]
        return part

    def add(self, sentence: str) -> None:
        if sentence not in self.sentences and len(self.sentences) < _MOST_SENTENCES:
            self.sentences.append(sentence)

    def unread(self, element: Element, key: str) -> None:
        self.add(f"{self.at(element, key)} could not be read")

    def at(self, element: Element, key: str) -> str:
        """The path of `key` of an element as an analyst writes it:
        "dosageInstruction[0].doseAndRate"."""
        for path, root in self._roots:
            found = _path(root, element)
            if found is not None:
                return ".".join(part for part in (path, found, key) if part)
        return key


def _path(root: Element, wanted: Element) -> str | None:
    lost = lost_of(wanted)
    waiting: list[tuple[str, Element]] = [("", root)]
    while waiting:
        path, element = waiting.pop()
        if element is wanted:
            return lost.path if lost else path
        for name in element.__struct_fields__:
            value = getattr(element, name)
            own = f"{path}.{name}" if path else name
            if isinstance(value, Element):
                waiting.append((own, value))
            elif isinstance(value, tuple):
                places = ((f"{own}[{i}]", v) for i, v in enumerate(value))
                waiting += [(place, v) for place, v in places if isinstance(v, Element)]
    return None


# ----------------------------------------------------------------------
# CodeableConcept and Coding to codes, names and modifiers.
#
# HCPCS has four published URI spellings plus each Oracle site's own; HCPCS modifiers share the
# system of the codes (UTG hcpcs-level-ii, Da Vinci PAS), so a code of two characters there is a
# modifier. The Da Vinci CRD billing-options extension repeats a CodeableConcept for each billing
# code that could apply (CRD 2.2.1, ext-billing-options).


BILLING_SYSTEMS = ("hcpcs", "cpt")
BILLING_OPTIONS = "/ext-billing-options"
_SITE_OWN = {  # Oracle Millennium: https://fhir.cerner.com/<tenant>/CodeSystem/BillCodes-HCPCS
    "/codesystem/billcodes-hcpcs": "hcpcs",
    "/codesystem/billcodes-cpt": "cpt",
}
_MODIFIER = re.compile(r"[A-Z0-9]{2}", re.ASCII)
_GLUED = re.compile(r"([A-Z]\d{4}|\d{4}[A-Z0-9])((?:[\s:,-]+[A-Z0-9]{2})+)", re.ASCII)
_HCPCS = re.compile(r"[A-V]\d{4}", re.ASCII)
_NAME_LENGTH = 500
_DEPTH = 4  # extensions inside extensions

T = TypeVar("T")


def plain_uri(uri: str) -> str:
    """A system URI for comparison: case and a trailing slash make no difference."""
    return uri.strip().rstrip("/").lower()


class CodeSystems:
    """Short names of code systems by URI, from the catalogue's `systems`.

    `concepts` holds what was read with them, so that a name that a chart repeats is read once. It
    is of one patient, and so is this object: make one for each chart or list of orders.
    """

    __slots__ = ("_names", "concepts")

    def __init__(self, systems: Mapping[str, str]) -> None:
        self.concepts: dict[CodeableConcept, Concept] = {}
        self._names = _short_names(tuple(systems.items()))

    def name(self, uri: str) -> str:
        """The short name, or "" for a system that is not known here."""
        if uri in self._names:
            return self._names[uri]
        known = plain_uri(uri)
        if known in self._names:
            return self._names[known]
        return next((name for end, name in _SITE_OWN.items() if known.endswith(end)), "")


@lru_cache(maxsize=8)
def _short_names(systems: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Short names by the URIs as they are catalogued and as they are compared."""
    return {u: name for uri, name in systems for u in (uri, plain_uri(uri))}


@dataclass(frozen=True, slots=True)
class Concept:
    """What one or several CodeableConcepts say.

    `texts` are the texts and the displays of clinical codes; `billing_displays` those of HCPCS
    and CPT codes, which describe the code, not the order: a wrong code brings a wrong display.
    """

    codes: tuple[Code, ...] = ()
    texts: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ()
    billing_displays: tuple[str, ...] = ()

    def __add__(self, other: Concept) -> Concept:
        return joined((self, other))

    def __bool__(self) -> bool:
        return bool(self.codes or self.texts or self.modifiers or self.billing_displays)

    @property
    def names(self) -> tuple[str, ...]:
        """The words for what is ordered; a billing code's display where there are no others."""
        return self.texts or self.billing_displays

    @property
    def billed(self) -> bool:
        """Whether a HCPCS code is among the codes."""
        return any(code.system == "hcpcs" for code in self.codes)


_EMPTY = Concept()


def _once(values: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(values)))


def joined(concepts: Iterable[Concept]) -> Concept:
    """All concepts as one, in their order, nothing twice."""
    parts = [one for one in concepts if one is not _EMPTY and one]
    if len(parts) <= 1:
        return parts[0] if parts else _EMPTY
    return Concept(
        _once([c.codes for c in parts]),
        _once([c.texts for c in parts]),
        _once([c.modifiers for c in parts]),
        _once([c.billing_displays for c in parts]),
    )


def named(text: str) -> Concept:
    """A concept that is only a text."""
    name = text.strip()[:_NAME_LENGTH]
    return Concept(texts=(name,)) if name else _EMPTY


# A coding whose system was not taken at its word, with the sentence on its code
_Doubts = list[tuple[Coding, str]]


def concept(
    written: CodeableConcept | None, systems: CodeSystems, notes: Notes | None = None
) -> Concept:
    """A CodeableConcept with the billing options on it; an absent one is an empty Concept. What
    is not certain of it goes to `notes`."""
    if written is None:
        return _EMPTY
    known = systems.concepts.get(written)
    if known is not None:
        return known
    read, doubts = judged(written, systems)
    if not doubts:  # which belong to each resource that gives rise to them
        systems.concepts[written] = read
    elif notes is not None:
        _note(doubts, notes)
    return read


def judged(written: CodeableConcept, systems: CodeSystems) -> tuple[Concept, _Doubts]:
    """What a CodeableConcept says, and what is not certain of it."""
    doubts: _Doubts = []
    name = written.text.strip()[:_NAME_LENGTH]
    if not written.extension and len(written.coding) == 1:  # nearly every one
        read = coding(written.coding[0], systems, doubts)
        if name and name not in read.texts:
            texts = (name, *read.texts)
            read = Concept(read.codes, texts, read.modifiers, read.billing_displays)
        return read, doubts
    parts = [named(name)]
    parts += [coding(one, systems, doubts) for one in written.coding]
    for extension in extension_values(written.extension, BILLING_OPTIONS):
        parts.append(_value(extension, systems, doubts))
    return joined(parts), doubts


def _note(doubts: _Doubts, notes: Notes) -> None:
    for one, sentence in doubts:
        notes.add(f"{notes.at(one, 'code')} {sentence}")


def concepts(
    written: Iterable[CodeableConcept], systems: CodeSystems, notes: Notes | None = None
) -> Concept:
    """All CodeableConcepts of a list as one."""
    return joined(concept(one, systems, notes) for one in written)


def coding(written: Coding | None, systems: CodeSystems, doubts: _Doubts | None = None) -> Concept:
    """One Coding: a code, or a modifier when it has two characters in a billing system."""
    if written is None:
        return _EMPTY
    code, display = written.code.strip(), written.display.strip()[:_NAME_LENGTH]
    names = (display,) if display else ()
    if not code:
        return Concept(texts=names)
    system = systems.name(written.system.strip())
    if system in BILLING_SYSTEMS:
        return _billing_code(system, code, display)
    if system == "ndc":
        return Concept((Code("ndc", _ndc(code), display),), names)
    if system or not _HCPCS.fullmatch(code.upper()):
        return Concept((Code(system, code[:_NAME_LENGTH], display),), names)
    # A code shaped like HCPCS is read as one when it has no system, not when it has another.
    doubts = [] if doubts is None else doubts
    if not written.system.strip() and not unreadable(written, "system"):
        doubts.append((written, f"'{code}' has no code system: its shape is that of HCPCS"))
        return _billing_code("hcpcs", code, display)
    sentence = (
        f"'{code}' looks like a HCPCS code, but its code system "
        f"'{shown(written.system.strip())}' is not one we know"
    )
    doubts.append((written, sentence))
    return Concept((Code("", code, display),), names)


def _billing_code(system: str, code: str, display: str) -> Concept:
    if _MODIFIER.fullmatch(code.upper()):
        return Concept(modifiers=(code.upper(),))
    base, modifiers = unglued(code)
    displays = (display,) if display else ()
    return Concept((Code(system, base, display),), (), modifiers, displays)


def unglued(code: str) -> tuple[str, tuple[str, ...]]:
    """A billing code and the modifiers written behind it: "J2357-JW" is J2357 with JW."""
    upper = code.strip().upper()
    glued = _GLUED.fullmatch(upper)
    if glued is None:
        return upper[:_NAME_LENGTH], ()
    return glued[1], tuple(re.findall(r"[A-Z0-9]{2}", glued[2]))


def _ndc(code: str) -> str:
    """11 digits where `code` can mean only one NDC, else as given for the recogniser to try."""
    forms = ndc_candidates(code)
    return forms[0] if len(forms) == 1 else code[:_NAME_LENGTH]


def modifiers_in(
    codings: Iterable[Coding], text: str, notes: Notes | None = None
) -> tuple[str, ...]:
    """The modifiers of a CodeableConcept that can hold nothing else, in whatever code system."""
    found = []
    for single in codings:
        code = single.code.strip().upper()
        if _MODIFIER.fullmatch(code):
            found.append(code)
        elif code and notes:
            at = notes.at(single, "code")
            notes.add(f"{at} '{shown(code)}' is not a modifier of two characters")
    if not found and _MODIFIER.fullmatch(text.strip().upper()):
        found.append(text.strip().upper())
    return tuple(dict.fromkeys(found))


# ---------------------------------------------------------------- extensions


def extended(
    extensions: Iterable[Extension], systems: CodeSystems, ending: str, notes: Notes | None = None
) -> Concept:
    """All codes inside the extensions whose URL ends in `ending`, however nested."""
    doubts: _Doubts = []
    read = joined([_value(one, systems, doubts) for one in extension_values(extensions, ending)])
    if notes is not None:
        _note(doubts, notes)
    return read


def extension_values(extensions: Iterable[Extension], ending: str) -> Iterator[Extension]:
    """The extensions whose URL ends in `ending`, each followed by the ones inside it."""
    for extension in extensions:
        if extension.url.strip().rstrip("/").endswith(ending):
            yield from _nested(extension, _DEPTH)


def _nested(extension: Extension, depth: int) -> Iterator[Extension]:
    yield extension
    for inner in extension.extension if depth else ():
        yield from _nested(inner, depth - 1)


def _value(extension: Extension, systems: CodeSystems, doubts: _Doubts) -> Concept:
    whole = extension.valueCodeableConcept
    parts = [named(whole.text)] if whole else []
    parts += [coding(one, systems, doubts) for one in whole.coding] if whole else []
    return joined([*parts, coding(extension.valueCoding, systems, doubts)])


# ----------------------------------------------------------------------
# FHIR Quantity to amounts of drug, counts of containers and billing units.
#
# The unit decides what a number is, and it is never guessed: UCUM code first, then the unit text.
# Where code and text contradict each other the quantity is unknown and says so. What each place
# counts is settled in docs/how-cards-decide.md.


_UCUM = ("http://unitsofmeasure.org", "https://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8")
_DOSE_DIMENSIONS = ("mass", "volume", "dose per body weight", "international units")
_SUPPLY_DIMENSIONS = ("mass", "volume")
_CONTAINER_WORDS = frozenset(
    word + ending
    for word in (
        "vial",
        "syringe",
        "pen",
        "autoinjector",
        "injector",
        "cartridge",
        "container",
        "package",
        "pkg",
        "pack",
        "carton",
        "kit",
    )
    for ending in ("", "s")
) | {"box", "boxes", "each", "ea"}
_BILLING_WORDS = frozenset(
    ("unit", "units", "un", "billing unit", "billing units", "hcpcs unit", "hcpcs units")
)
# X12 837 CTP05, the unit of an NDC quantity on a claim.
_NDC_COUNT, _NDC_UNITS = frozenset(("un", "unit", "units")), {"ml": "mL", "gr": "g", "me": "mg"}


@dataclass(frozen=True, slots=True)
class ReadQuantity:
    """A number with its unit as written, and the amount it is when the unit is one.

    `contradiction` is a clause when the unit's code and its text say different things.
    """

    value: Decimal
    unit: str
    amount: Amount | None
    contradiction: str = ""
    comparator: str = ""

    @property
    def counted(self) -> Counted:
        return Counted(self.value, self.unit)

    def is_a(self, dimensions: tuple[str, ...]) -> bool:
        return self.amount is not None and self.amount.dimension in dimensions

    def __str__(self) -> str:
        return f"{plain(self.value)} {shown(self.unit, 40)}".strip()


def quantity(
    parent: Element, key: str, what: str, notes: Notes | None = None
) -> State[ReadQuantity]:
    """The exact Quantity under `key`. `what` names it in sentences: "the dose"."""
    found = compared(parent, key, what, notes)
    if isinstance(found, Present) and found.value.comparator:
        return Unknown(f"{what} is given as '{found.value.comparator} {found.value}', not exactly")
    return found


def compared(
    parent: Element, key: str, what: str, notes: Notes | None = None
) -> State[ReadQuantity]:
    """The Quantity under `key`, which a comparator may make a bound."""
    written: WrittenQuantity | None = getattr(parent, key)
    if written is None:
        return Unknown(f"{what} could not be read") if unreadable(parent, key) else NOTHING
    value = as_number(written.value)
    if value is None:
        if written.value is None and not unreadable(written, "value"):
            return Unknown(f"{what} has no number")
        if notes:
            notes.unread(written, "value")
        return Unknown(f"{what} could not be read")
    code, unit = written.code.strip(), written.unit.strip()
    canonical, contradiction = _amount_unit(code, plain_uri(written.system) in _UCUM, unit)
    as_written = unit or ("" if code == "1" else code)
    amount = Amount(value, canonical) if canonical else None
    comparator = shown(written.comparator.strip(), 5) if written.comparator else ""
    return Present(ReadQuantity(value, shown(as_written), amount, contradiction, comparator))


def _amount_unit(code: str, ucum: bool, written: str) -> tuple[str | None, str]:
    """The unit the two spellings agree on, or None, with the contradiction between them."""
    by_code = _known_unit(code)
    by_text = by_code if written == code else _known_unit(written)
    if by_code and by_code == by_text:
        return by_code, ""
    clash = f"the unit is coded as '{shown(code)}' but written as '{shown(written)}'"
    if by_code and by_text:
        return None, clash
    if not ucum or not code:
        return by_text or by_code, ""
    if by_code:
        return (None, clash) if _counts_something(written) else (by_code, "")
    return (None, clash) if by_text else (None, "")


def _known_unit(spelling: str) -> str | None:
    try:
        return canonical_unit(spelling) if spelling else None
    except UnitNotUnderstood:
        return None


def _words(unit: str) -> str:
    return " ".join(re.sub(r"[{}\[\]()]", "", unit.lower()).split())


def is_container_word(unit: str) -> bool:
    """Whether a unit counts containers: "{vial}", "pre-filled syringe(s)", "EA"."""
    return not _CONTAINER_WORDS.isdisjoint(re.findall(r"[a-z]+", _words(unit)))


def is_billing_word(unit: str) -> bool:
    """Whether a unit is the billing unit of a HCPCS code: "unit(s)", "{unit}", "UN"."""
    return _words(unit) in _BILLING_WORDS


def _counts_something(unit: str) -> bool:
    return is_container_word(unit) or is_billing_word(unit)


# ---------------------------------------------------------------- what a quantity is


def dose(parent: Element, key: str, notes: Notes | None = None) -> State[Dose]:
    """A dose: an amount where the unit is one, else the count as written. Never zero or less."""
    found = quantity(parent, key, "the dose", notes)
    if not isinstance(found, Present):
        return found
    read = found.value
    if read.value <= 0:
        return Unknown(f"the dose is {read}")
    if read.contradiction:
        return Unknown(f"of the dose {read.contradiction}")
    if read.amount is not None and read.is_a(_DOSE_DIMENSIONS):
        return Present(Dose(read.amount))
    return Present(Dose(read.counted))


def billed(parent: Element, key: str, notes: Notes | None = None) -> State[Counted]:
    """A quantity where the resource keeps billing units by definition, with its unit as written."""
    found = quantity(parent, key, "the quantity", notes)
    return Present(found.value.counted) if isinstance(found, Present) else found


@dataclass(frozen=True, slots=True)
class Supply:
    """What a quantity counts, told by its unit."""

    billed: State[Counted] = NOTHING
    containers: State[Counted] = NOTHING
    supplied: State[Amount] = NOTHING


def dispensed(
    parent: Element, key: str, coded_in_hcpcs: bool, notes: Notes | None = None
) -> Supply:
    """A dispensed quantity: billing units, containers or an amount, by its unit.

    Without a unit it counts billing units when the medication is coded in HCPCS.
    """
    found = quantity(parent, key, "the dispensed quantity", notes)
    if isinstance(found, Unknown):
        return Supply(billed=found, containers=found, supplied=found)
    if isinstance(found, Nothing):
        return Supply()
    read = found.value
    if is_billing_word(read.unit) or (not read.unit and coded_in_hcpcs):
        return Supply(billed=Present(read.counted))
    return _containers_or_amount(read, "the dispensed quantity")


def of_an_ndc(parent: Element, key: str, notes: Notes | None = None) -> Supply:
    """The quantity beside an NDC on a claim: UN counts containers, ML, GR and ME are amounts."""
    found = quantity(parent, key, "the NDC quantity", notes)
    if isinstance(found, Unknown):
        return Supply(containers=found, supplied=found)
    if isinstance(found, Nothing):
        return Supply()
    read = found.value
    word = _words(read.unit)
    if word in _NDC_COUNT:
        return Supply(containers=Present(read.counted))
    if word in _NDC_UNITS and read.amount is None and not read.contradiction:
        read = ReadQuantity(read.value, read.unit, Amount(read.value, _NDC_UNITS[word]))
    return _containers_or_amount(read, "the NDC quantity")


def _containers_or_amount(read: ReadQuantity, what: str) -> Supply:
    if read.contradiction:
        doubt = f"of {what} {read.contradiction}"
    elif read.value <= 0:
        doubt = f"{what} is {read}"
    elif read.amount is not None and read.is_a(_SUPPLY_DIMENSIONS):
        return Supply(supplied=Present(read.amount))
    elif is_container_word(read.unit):
        return Supply(containers=Present(read.counted))
    elif read.unit:
        doubt = f"{what} of {read} is neither containers, billing units nor an amount of drug"
    else:
        doubt = f"{what} of {read} has no unit"
    return Supply(containers=Unknown(doubt), supplied=Unknown(doubt))
