"""CodeableConcept and Coding to codes, names and modifiers.

HCPCS has four published URI spellings plus each Oracle site's own; HCPCS
modifiers share the system of the codes (UTG hcpcs-level-ii, Da Vinci PAS), so a code of two
characters there is a modifier. The Da Vinci CRD billing-options extension repeats a
CodeableConcept for each billing code that could apply (CRD 2.2.1, ext-billing-options).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TypeVar

from billing_rules.fhir.json.shapes import CodeableConcept, Coding, Extension, unreadable
from billing_rules.fhir.json.values import Notes, shown
from billing_rules.model.entities import Code
from billing_rules.model.ndc import ndc_candidates

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
