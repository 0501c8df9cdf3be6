"""SMART scopes of version 1 and 2, and what they allow (SMART App Launch 2.2, "Scopes").

`patient/Observation.read` is `patient/Observation.rs`; `?category=...` narrows a scope to the
resources a search with it would find.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from sandbox_ehr.fhir import searching
from sandbox_ehr.fhir.outcomes import FhirError

_SCOPE = re.compile(
    r"(?P<level>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]{1,63})"
    r"\.(?P<actions>read|write|\*|(?=[cruds])c?r?u?d?s?)(?:\?(?P<narrowed>\S+))?",
    re.ASCII,
)
_OF_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True, slots=True)
class Scope:
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
        search = searching.read(resource["resourceType"], list(self.narrowed))
        return search.matches(resource)


def parse(word: str) -> Scope | None:
    """The scope; None for what is none on FHIR data, or is narrowed by what cannot be searched."""
    match = _SCOPE.fullmatch(word)
    if match is None:
        return None
    actions = _OF_VERSION_1.get(match["actions"], match["actions"])
    scope = Scope(match["level"], match["type"], actions, text=word)
    if match["narrowed"] is None:
        return scope
    narrowed = tuple(parse_qsl(match["narrowed"], keep_blank_values=True))
    return replace(scope, narrowed=narrowed) if _can_narrow(match["type"], narrowed) else None


def _can_narrow(resource_type: str, narrowed: tuple[tuple[str, str], ...]) -> bool:
    try:
        search = searching.read(resource_type, list(narrowed))
    except FhirError:
        return False
    return len(search.used) == len(narrowed) > 0


def parse_all(text: str) -> tuple[Scope, ...]:
    return tuple(scope for word in text.split() if (scope := parse(word)))


def granted(asked: str, allowed: str) -> str:
    """What of `asked` is within `allowed`, in the words it was asked in.

    A scope of which only some letters are allowed is granted with those letters.
    """
    may = parse_all(allowed)
    plain = {word for word in allowed.split() if parse(word) is None}
    words = []
    for word in dict.fromkeys(asked.split()):
        scope = parse(word)
        given = (word if word in plain else "") if scope is None else _within(scope, may)
        if given:
            words.append(given)
    return " ".join(words)


def _within(scope: Scope, may: Iterable[Scope]) -> str:
    """`scope` as far as one of `may` covers it, "" for not at all."""
    letters = {
        letter
        for one in may
        for letter in scope.actions
        if one.level == scope.level
        and one.concerns(letter, scope.resource_type)
        and one.narrowed in ((), scope.narrowed)
    }
    if letters == set(scope.actions):
        return scope.text
    return _with_letters(scope, letters)


def without_writing(text: str) -> str:
    """The scopes of `text`, none of which writes."""
    words = []
    for word in text.split():
        scope = parse(word)
        words.append(word if scope is None else _with_letters(scope, set("rs")))
    return " ".join(word for word in words if word)


def _with_letters(scope: Scope, letters: set[str]) -> str:
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
