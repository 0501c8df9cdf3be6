"""What every reader of a draft resource is given, and the elements that several types share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from billing_rules.fhir.codes import BILLING_SYSTEMS, CodeSystems, Concept, concept
from billing_rules.fhir.lenient import Notes
from billing_rules.fhir.references import Resolve, unversioned
from billing_rules.fhir.shapes import CodeableConcept, Reference
from billing_rules.model import Code


@dataclass(frozen=True, slots=True)
class Draft:
    """One resource being read, what it is called, how to look beyond it, and the notes on what of
    it could not be read. `resource` is a struct of the type that the reader is for."""

    resource: Any
    reference: str
    systems: CodeSystems
    resolve: Resolve
    notes: Notes

    @property
    def kind(self) -> str:
        return str(self.resource.kind)

    @property
    def unread(self) -> tuple[str, ...]:
        return tuple(self.notes.sentences)

    def reasons(self, written: Iterable[CodeableConcept]) -> tuple[Code, ...]:
        """Reasons; one that is only text becomes a Code with a display alone."""
        said = (concept(one, self.systems, self.notes) for one in written)
        return tuple(code for one in said for code in reason(one))


def reason(read: Concept) -> tuple[Code, ...]:
    """A reason's codes; ICD-10 written without dots and system is not taken for HCPCS."""
    codes = tuple(
        Code("" if code.system in BILLING_SYSTEMS else code.system, code.code, code.display)
        for code in read.codes
    )
    return codes or tuple(Code("", "", name) for name in read.names[:1])


def references(written: Iterable[Reference | None]) -> tuple[str, ...]:
    """The reference strings, without versions, nothing twice."""
    found = (unversioned(one.reference) for one in written if one)
    return tuple(dict.fromkeys(text for text in found if text))
