"""What an access token allows: SMART scopes of version 1 and 2 (SMART App Launch 2.2, "Scopes").

`patient/Observation.read` and `patient/Observation.rs?category=...` are asked the same question
before a query is sent, so that a query that would be refused is never made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qsl

from ehr_access.query import Query

_SCOPE = re.compile(
    r"(?:patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]{2,63})"
    r"\.(?P<actions>read|write|\*|(?=[cruds])c?r?u?d?s?)(?:\?(?P<narrowed>\S+))?"
)
_OF_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}


class Allowed(Enum):
    """Whether a query may be asked, and whether its answer can be whole.

    SOME: a granular scope covers a part of what the query asks for, so what the server leaves out
    proves nothing.
    """

    ALL = "all"
    SOME = "some"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope on FHIR data. `resource_type` is "*" for every type; `actions` letters of cruds.

    `narrowed` holds the search parameters that a resource must match (granular scopes).
    """

    resource_type: str
    actions: str
    narrowed: tuple[tuple[str, str], ...] = ()

    def concerns(self, query: Query) -> bool:
        needed = "r" if query.id else "s"
        return self.resource_type in ("*", query.resource_type) and needed in self.actions


@dataclass(frozen=True, slots=True)
class Scopes:
    """The scopes of one token."""

    scopes: tuple[Scope, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Scopes:
        """The scopes in a space-separated list. What is not a scope on FHIR data (openid, launch)
        or could not be read allows nothing."""
        return cls(tuple(scope for word in text.split() if (scope := _scope(word))))

    def allow(self, query: Query) -> Allowed:
        """Whether `query` may be asked with this token."""
        fitting = [scope for scope in self.scopes if scope.concerns(query)]
        if not fitting:
            return Allowed.NONE
        whole = any(_covers(scope, query) for scope in fitting) or _together(fitting, query)
        return Allowed.ALL if whole else Allowed.SOME

    def may(self, action: str, resource_type: str) -> bool:
        """Whether the action (a letter of cruds) may be done with resources of the type, at least
        with some: whether a granular scope covers one is left to the server."""
        return any(
            action in scope.actions and scope.resource_type in ("*", resource_type)
            for scope in self.scopes
        )


def _scope(word: str) -> Scope | None:
    match = _SCOPE.fullmatch(word)
    if match is None:
        return None
    actions = _OF_VERSION_1.get(match["actions"], match["actions"])
    if match["narrowed"] is None:
        return Scope(match["type"], actions)
    narrowed = tuple(parse_qsl(match["narrowed"]))
    return Scope(match["type"], actions, narrowed) if narrowed else None


def _covers(scope: Scope, query: Query) -> bool:
    """Whether everything `query` asks for is within `scope`."""
    return all(_within(query, name, value.split(",")) for name, value in scope.narrowed)


def _together(scopes: Iterable[Scope], query: Query) -> bool:
    """Whether scopes narrowed by one parameter each cover `query` between them."""
    values: dict[str, list[str]] = {}
    for scope in scopes:
        if len(scope.narrowed) == 1:
            name, value = scope.narrowed[0]
            values.setdefault(name, []).extend(value.split(","))
    return any(_within(query, name, allowed) for name, allowed in values.items())


def _within(query: Query, name: str, allowed: list[str]) -> bool:
    """Whether `query` asks by `name` for allowed values only."""
    sought = [value for key, values in query.params if key == name for value in values.split(",")]
    # A token without a system allows the code of any system, never the other way round.
    return bool(sought) and all(
        value in allowed or value.rpartition("|")[2] in allowed for value in sought
    )
