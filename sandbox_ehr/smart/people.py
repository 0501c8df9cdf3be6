"""Who can sign in here, whose charts there are, and what an app asks for, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox_ehr.fhir import access
from sandbox_ehr.fhir.records import Records

Resource = dict[str, Any]
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Person:
    """`reference` is "Practitioner/1" for staff; `note` tells people of one name apart."""

    id: str
    reference: str
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class ScopeRequest:
    """A scope, and what it means."""

    scope: str
    words: str


_FILE = Path(__file__).with_name("scope_words.yaml")
_WORDS: dict[str, dict[str, str]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))


def staff(records: Records) -> list[Person]:
    """Everybody who can sign in."""
    found = [_person(r) for r in records.search("Practitioner")]
    return sorted(found, key=lambda person: person.name)


def default(records: Records) -> str:
    """Who is signed in when nobody else is named: the first of the staff, "" without any."""
    return next((f"Practitioner/{r['id']}" for r in records.search("Practitioner")), "")


def name_of(records: Records, reference: str) -> dict[str, str]:
    """The `name` claim of somebody here; none for anybody else."""
    found = records.read(*reference.partition("/")[::2])
    return {"name": _name(found)} if found else {}


def patients(records: Records) -> list[Person]:
    """The charts one can choose from, by name."""
    found = [_person(r) for r in records.search("Patient")]
    return sorted(found, key=lambda person: person.name)[:_MOST_SHOWN]


def needs_patient(scope: str) -> bool:
    """Whether an app with this scope works on one patient's chart."""
    words = scope.split()
    return "launch/patient" in words or any(s.level == "patient" for s in access.parse_all(scope))


def scope_requests(scope: str) -> list[ScopeRequest]:
    return [ScopeRequest(word, _words(word)) for word in scope.split()]


def _words(word: str) -> str:
    scope = access.parse(word)
    if scope is None:
        return _WORDS["scopes"].get(word, word)
    *first, last = [_WORDS["actions"][letter] for letter in scope.actions]
    actions = f"{', '.join(first)} and {last}" if first else last
    what = _WORDS["types"].get(scope.resource_type, scope.resource_type)
    whose = "of this patient" if scope.level == "patient" else "of everybody you may see"
    only = " (a part of them)" if scope.narrowed else ""
    return f"{actions.capitalize()} {what} {whose}{only}"


def _person(resource: Resource) -> Person:
    kind, id_ = resource["resourceType"], resource["id"]
    born = resource.get("birthDate")
    skills = [q.get("code", {}).get("text", "") for q in resource.get("qualification", ())]
    note = f"born {born}" if born else ", ".join(filter(None, skills))
    return Person(id_, f"{kind}/{id_}", _name(resource), note)


def _name(resource: Resource) -> str:
    names = resource.get("name") or [{}]
    name = names[0] if isinstance(names[0], dict) else {}
    parts = [name.get("family"), " ".join(name.get("given", ()))]
    return name.get("text") or ", ".join(filter(None, parts)) or resource["id"]
