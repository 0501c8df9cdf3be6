"""ResearchSubject to the patient's part in a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from billing_rules.chart import Study
from billing_rules.fhir.decoding import among, contained, of_types, reference
from billing_rules.fhir.references import unversioned
from billing_rules.fhir.shapes import (
    Period,
    Reference,
    ResearchStudyResource,
    ResearchSubjectResource,
    Resource,
)
from billing_rules.fhir.timing import earliest, latest
from billing_rules.fhir.tolerant import shown

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
            active=one.status.strip().lower() in _ACTIVE,
            start=earliest(period.start.strip()),
            end=latest(period.end.strip()),
        )
