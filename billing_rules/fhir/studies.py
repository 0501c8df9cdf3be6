"""ResearchSubject to the patient's part in a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from billing_rules.chart import Study
from billing_rules.fhir.decoding import Slim, of_type, reference
from billing_rules.fhir.references import contained, resolver, unversioned
from billing_rules.fhir.timing import earliest, latest
from billing_rules.fhir.tolerant import Node, shown

# FHIR R4 ResearchSubjectStatus, from candidate to on-study; the others have left or never began.
_ACTIVE = (
    "candidate",
    "eligible",
    "follow-up",
    "on-study",
    "on-study-intervention",
    "on-study-observation",
    "pending-on-study",
    "screening",
)


class SlimSubject(Slim):
    period: Any = None
    study: Any = None
    contained: Any = None
    title: Any = None  # of a ResearchStudy that came along


def studies(nodes: Sequence[Node]) -> Iterator[Study]:
    """The studies, named by their title where it was sent."""
    along = resolver([n.value for n in nodes if n.text("resourceType") == "ResearchStudy"])
    for node in of_type(nodes, "ResearchSubject"):
        study, period = node.obj("study"), node.obj("period")
        target = study.text("reference")
        own = contained(node, target) if target.startswith("#") else Node(along(target) or {})
        yield Study(
            reference=reference(node, "ResearchSubject"),
            study=shown(study.text("display") or own.text("title") or unversioned(target)),
            active=node.text("status").lower() in _ACTIVE,
            start=earliest(period.text("start")),
            end=latest(period.text("end")),
        )
