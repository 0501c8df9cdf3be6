"""What was settled when somebody let an app in: who they are, and whose chart it may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox_ehr.launches import Launch
from sandbox_ehr.moods import Mood


@dataclass(frozen=True, slots=True)
class Session:
    """`user` is a reference; `scope` is what was granted; `more` the other launch parameters."""

    user: str
    scope: str
    patient: str = ""
    encounter: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    moods: frozenset[Mood] = field(default_factory=frozenset)


def of_launch(launch: Launch, scope: str, tenant: str) -> Session:
    """The session of an EHR launch: everything is as the EHR has it open."""
    more: dict[str, Any] = {
        "need_patient_banner": launch.need_patient_banner,
        "tenant": tenant,
    }
    more |= {"appContext": launch.app_context} if launch.app_context else {}
    more |= {"intent": launch.intent} if launch.intent else {}
    more |= {"fhirContext": list(launch.fhir_context)} if launch.fhir_context else {}
    return Session(launch.user, scope, launch.patient_id, launch.encounter_id, more, launch.moods)
