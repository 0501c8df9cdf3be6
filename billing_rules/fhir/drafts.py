"""What every reader of a draft resource is given, and the elements that several types share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from billing_rules.fhir.codes import BILLING_SYSTEMS, CodeSystems, Concept, concept
from billing_rules.fhir.references import Resolve, own_reference, unversioned
from billing_rules.fhir.tolerant import Node
from billing_rules.model import Code


@dataclass(frozen=True, slots=True)
class Draft:
    """One resource being read: its JSON, what it is called, and how to look beyond it."""

    node: Node
    reference: str
    systems: CodeSystems
    resolve: Resolve

    @classmethod
    def of(
        cls, resource: Mapping[str, object], position: int, systems: CodeSystems, resolve: Resolve
    ) -> Draft:
        return cls(Node(resource), own_reference(resource, position), systems, resolve)

    @property
    def kind(self) -> str:
        return self.node.text("resourceType")

    @property
    def unread(self) -> tuple[str, ...]:
        return tuple(self.node.unread)


def reasons(draft: Draft, key: str = "reasonCode") -> tuple[Code, ...]:
    """The reasons under `key`; one that is only text becomes a Code with a display alone."""
    return tuple(
        code for node in draft.node.objs(key) for code in reason(concept(node, draft.systems))
    )


def reason(read: Concept) -> tuple[Code, ...]:
    """A reason's codes; ICD-10 written without dots and system is not taken for HCPCS."""
    codes = tuple(
        Code("" if code.system in BILLING_SYSTEMS else code.system, code.code, code.display)
        for code in read.codes
    )
    return codes or tuple(Code("", "", name) for name in read.names[:1])


def references(nodes: list[Node]) -> tuple[str, ...]:
    """The reference strings of a list of References, without versions, nothing twice."""
    found = (unversioned(node.text("reference")) for node in nodes)
    return tuple(dict.fromkeys(text for text in found if text))
