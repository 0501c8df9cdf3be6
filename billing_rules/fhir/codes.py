"""CodeableConcept and Coding to codes, names and modifiers.

HCPCS has four published URI spellings plus each Oracle site's own (standards.md C4); HCPCS
modifiers share the system of the codes (UTG hcpcs-level-ii, Da Vinci PAS), so a code of two
characters there is a modifier. The Da Vinci CRD billing-options extension repeats a
CodeableConcept for each billing code that could apply (CRD 2.2.1, ext-billing-options).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TypeVar

from billing_rules import ndc
from billing_rules.fhir.tolerant import Node, shown
from billing_rules.model import Code

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
        self.concepts: dict[Hashable, Concept] = {}
        self._names = _short_names(tuple(systems.items()))

    def name(self, uri: str) -> str:
        """The short name, or "" for a system that is none we know."""
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
    said = [concept for concept in concepts if concept]
    if len(said) <= 1:
        return said[0] if said else _EMPTY
    return Concept(
        _once([c.codes for c in said]),
        _once([c.texts for c in said]),
        _once([c.modifiers for c in said]),
        _once([c.billing_displays for c in said]),
    )


def named(text: str) -> Concept:
    """A concept that is only a text."""
    name = text.strip()[:_NAME_LENGTH]
    return Concept(texts=(name,)) if name else Concept()


def concept(node: Node, systems: CodeSystems) -> Concept:
    """A CodeableConcept with the billing options on it; an absent one is an empty Concept."""
    if not node:
        return _EMPTY
    key = _all_it_says(node.value)
    if key is None:
        return _concept(node, systems)
    said = systems.concepts.get(key)
    if said is None:
        said = _concept(node, systems)
        if not node.unread:  # a note belongs to each resource that gives rise to it
            systems.concepts[key] = said
    return said


def _all_it_says(value: Mapping[str, object]) -> Hashable | None:
    """Everything that is read of a plain CodeableConcept, None for one of any other form."""
    text, codings = value.get("text"), value.get("coding", [])
    if "extension" in value or not isinstance(codings, list):
        return None
    key: list[object] = [text]
    for one in codings:
        if not isinstance(one, dict):
            return None
        key += (one.get("system"), one.get("code"), one.get("display"))
    return tuple(key) if all(isinstance(k, str) or k is None for k in key) else None


def _concept(node: Node, systems: CodeSystems) -> Concept:
    said = [named(node.text("text"))]
    said += [coding(c, systems) for c in node.objs("coding")]
    if node.has("extension"):
        said.append(extended(node, systems, BILLING_OPTIONS))
    return joined(said)


def concepts(parent: Node, key: str, systems: CodeSystems) -> Concept:
    """The CodeableConcept, or list of them, under `key`."""
    return joined(concept(node, systems) for node in parent.objs(key))


def coding(node: Node, systems: CodeSystems) -> Concept:
    """One Coding: a code, or a modifier when it has two characters in a billing system."""
    code, display = node.text("code"), node.text("display")[:_NAME_LENGTH]
    names = (display,) if display else ()
    if not code:
        return Concept(texts=names)
    system = systems.name(node.text("system"))
    if system in BILLING_SYSTEMS:
        return _billing_code(system, code, display)
    if system == "ndc":
        return Concept((Code("ndc", _ndc(code), display),), names)
    if not system and _HCPCS.fullmatch(code.upper()):
        return _by_its_shape(node, code, display)
    return Concept((Code(system, code[:_NAME_LENGTH], display),), names)


def _by_its_shape(node: Node, code: str, display: str) -> Concept:
    """A code shaped like HCPCS: read as one when it has no system, not when it has another."""
    if not node.has("system"):
        node.note(f"{node.at('code')} '{code}' has no code system: its shape is that of HCPCS")
        return _billing_code("hcpcs", code, display)
    node.note(
        f"{node.at('code')} '{code}' looks like a HCPCS code, but its code system "
        f"'{shown(node.text('system'))}' is none we know"
    )
    return Concept((Code("", code, display),), (display,) if display else ())


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
    forms = ndc.candidates(code)
    return forms[0] if len(forms) == 1 else code[:_NAME_LENGTH]


def modifiers_in(node: Node) -> tuple[str, ...]:
    """The modifiers of a CodeableConcept that can hold nothing else, in whatever code system."""
    found = []
    for single in node.objs("coding"):
        code = single.text("code").upper()
        if _MODIFIER.fullmatch(code):
            found.append(code)
        elif code:
            note = f"{single.at('code')} '{shown(code)}' is no modifier of two characters"
            single.note(note)
    if not found and _MODIFIER.fullmatch(node.text("text").upper()):
        found.append(node.text("text").upper())
    return tuple(dict.fromkeys(found))


# ---------------------------------------------------------------- extensions


def extended(node: Node, systems: CodeSystems, ending: str) -> Concept:
    """All codes inside the node's extensions whose URL ends in `ending`, however nested."""
    return joined(_value(n, systems) for n in extension_values(node, ending))


def extension_values(node: Node, ending: str) -> Iterator[Node]:
    """The extensions whose URL ends in `ending`, each followed by the ones inside it."""
    if not node.has("extension"):
        return
    for extension in node.objs("extension"):
        if extension.text("url").rstrip("/").endswith(ending):
            yield from _nested(extension, _DEPTH)


def _nested(extension: Node, depth: int) -> Iterator[Node]:
    yield extension
    for inner in extension.objs("extension") if depth else ():
        yield from _nested(inner, depth - 1)


def _value(extension: Node, systems: CodeSystems) -> Concept:
    whole = extension.obj("valueCodeableConcept")
    codings = joined(coding(c, systems) for c in whole.objs("coding"))
    single = coding(extension.obj("valueCoding"), systems)
    return named(whole.text("text")) + codings + single
