"""What one caller may see and write: its token's scopes, and the patient of its launch.

This is asked of every resource that is read, found, included or written, because public sandboxes
do not ask it, and an app that was never refused anything breaks where it first is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from sandbox_ehr.fhir import searching
from sandbox_ehr.fhir.outcomes import FhirError

# ---------------------------------------------------------------- scopes

_SCOPE = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]{1,63})"
    r"\.(?P<actions>read|write|\*|(?=[cruds])c?r?u?d?s?)(?:\?(?P<narrowed>\S+))?",
    re.ASCII,
)
_OF_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True, slots=True)
class FhirScope:
    """One scope on FHIR data. `actions` are letters of cruds; `text` is how it was asked for."""

    level: str
    resource_type: str
    actions: str
    narrowed: tuple[tuple[str, str], ...] = ()
    text: str = ""

    def concerns(self, action: str, resource_type: str) -> bool:
        return action in self.actions and self.resource_type in ("*", resource_type)

    def holds(self, resource: searching.Resource) -> bool:
        """Whether the resource is one of those it is narrowed to."""
        if not self.narrowed:
            return True
        search = searching.read_search(resource["resourceType"], list(self.narrowed))
        return search.matches(resource)


def parse(word: str) -> FhirScope | None:
    """The scope; None for what is none on FHIR data, or is narrowed by what cannot be searched."""
    match = _SCOPE.fullmatch(word)
    if match is None:
        return None
    actions = _OF_VERSION_1.get(match["actions"], match["actions"])
    scope = FhirScope(match["level"], match["type"], actions, text=word)
    if match["narrowed"] is None:
        return scope
    narrowed = parse_qsl(match["narrowed"], keep_blank_values=True)
    try:
        used = searching.read_search(match["type"], narrowed).used
    except FhirError:
        return None
    return replace(scope, narrowed=tuple(narrowed)) if len(used) == len(narrowed) > 0 else None


def parse_all(text: str) -> tuple[FhirScope, ...]:
    return tuple(scope for word in text.split() if (scope := parse(word)))


def granted(asked: str, allowed: str) -> str:
    """What of `asked` is within `allowed`, in the words it was asked in.

    A scope of which only some letters are allowed is granted with those letters.
    """
    may = parse_all(allowed)
    plain = {word for word in allowed.split() if parse(word) is None}
    scopes = ((word, parse(word)) for word in dict.fromkeys(asked.split()))
    words = (_within(s, may) if s else word if word in plain else "" for word, s in scopes)
    return " ".join(filter(None, words))


def _within(scope: FhirScope, may: Iterable[FhirScope]) -> str:
    """`scope` as far as one of `may` covers it, "" for not at all."""
    letters = {
        letter
        for one in may
        for letter in scope.actions
        if one.level == scope.level
        and one.concerns(letter, scope.resource_type)
        and one.narrowed in ((), scope.narrowed)
    }
    return _with_letters(scope, letters)


def without_writing(text: str) -> str:
    """The scopes of `text`, none of which writes."""
    scopes = ((word, parse(word)) for word in text.split())
    words = (_with_letters(scope, set("rs")) if scope else word for word, scope in scopes)
    return " ".join(filter(None, words))


def _with_letters(scope: FhirScope, letters: set[str]) -> str:
    """`scope` with those of its letters alone; in the words of its own version where it can be."""
    kept = "".join(letter for letter in scope.actions if letter in letters)
    if kept == scope.actions:
        return scope.text
    if not kept:
        return ""
    old = scope.text.partition("?")[0].rpartition(".")[2] in _OF_VERSION_1
    actions = {"rs": "read", "cud": "write"}.get(kept, kept) if old else kept
    query = scope.text.partition("?")[2]
    narrowed = f"?{query}" if query else ""
    return f"{scope.level}/{scope.resource_type}.{actions}{narrowed}"


# ---------------------------------------------------------------- one caller


Resource = dict[str, Any]

# Types that are nobody's chart: a token for one patient may read them too, and not write them.
_NO_CHART = (
    "Location Medication Organization Practitioner PractitionerRole Questionnaire ResearchStudy"
)
OF_NO_PATIENT = frozenset(_NO_CHART.split())
_OWNERS = ("subject", "patient", "beneficiary", "individual", "for", "target")


@dataclass(frozen=True, slots=True)
class Access:
    """`scopes` of the caller's token, `patient` the id its launch was for.

    `everything`: no token was sent, and this EHR is open.
    """

    scopes: tuple[FhirScope, ...] = ()
    patient: str = ""
    everything: bool = False

    def may(self, action: str, resource_type: str) -> bool:
        """Whether any resource of the type may be read, found, ...: `action` is one of cruds."""
        if self.everything:
            return True
        return any(scope.concerns(action, resource_type) for scope in self.scopes)

    def covers(self, action: str, resource: Resource) -> bool:
        """Whether this very resource may be."""
        if self.everything:
            return True
        kind = resource["resourceType"]
        fitting = [scope for scope in self.scopes if scope.concerns(action, kind)]
        return any(self._in_reach(s, action, resource) and s.holds(resource) for s in fitting)

    def only_of_its_patient(self, action: str, resource_type: str) -> bool:
        """Whether nothing but the launch's own patient is in reach."""
        fitting = [scope for scope in self.scopes if scope.concerns(action, resource_type)]
        return not self.everything and all(scope.level == "patient" for scope in fitting)

    def _in_reach(self, scope: FhirScope, action: str, resource: Resource) -> bool:
        if scope.level != "patient":
            return True
        if action in "rs" and resource["resourceType"] in OF_NO_PATIENT:
            return True
        return bool(self.patient) and f"Patient/{self.patient}" in set(patients_of(resource))


def patients_of(resource: Resource) -> Iterator[str]:
    """References to the patients a resource is about, itself when it is one."""
    if resource["resourceType"] == "Patient":
        yield f"Patient/{resource.get('id')}"
        return
    for element in _OWNERS:
        held = resource.get(element)
        for value in held if isinstance(held, list) else [held]:
            reference = value.get("reference") if isinstance(value, dict) else None
            if isinstance(reference, str) and "Patient/" in reference:
                kind, _, id_ = reference.partition("/_history/")[0].rpartition("/")
                if kind.rpartition("/")[2] == "Patient":
                    yield f"Patient/{id_}"
