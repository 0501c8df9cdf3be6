"""Who is signed in, by name and role."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing_rules.model.states import NOTHING, Present, Unknown
from ehr_access.query import Query
from smart_app.launch.error_pages import NOT_FOR_PATIENTS, Stopped
from smart_app.launch.identity import user
from smart_app.launch.window import Role, User
from smart_app.settings import RegisteredEhr

BASE = "https://ehr.example/r4"
EHR = RegisteredEhr(
    id="main", name="Main", fhir_base=BASE, client_id="c-1", owners=frozenset({"Practitioner/9"})
)


class Reader:
    """A FHIR server of a dictionary."""

    def __init__(self, resources: dict[str, Any]) -> None:
        self.resources = resources
        self.asked: list[str] = []

    def one(self, query: Query) -> Any:
        self.asked.append(query.relative_url)
        found = self.resources.get(query.relative_url, NOTHING)
        return Present((json.dumps(found).encode(),)) if isinstance(found, dict) else found


def who(fhir_user: Any, resources: dict[str, Any] | None = None, **claims: Any) -> User:
    reader: Any = Reader(resources or {})
    return user({"fhirUser": fhir_user, **claims}, EHR, reader)


def named(**name: Any) -> dict[str, Any]:
    return {"resourceType": "Practitioner", "name": [name]}


@pytest.mark.parametrize(
    "said", ["Practitioner/7", f"{BASE}/Practitioner/7", f"{BASE}/Practitioner/7/_history/3"]
)
def test_fhir_user_is_relative_or_whole(said: str) -> None:
    found = who(said, {"Practitioner/7": named(text="Dr. Odile Fenwick")})
    assert found == User("Practitioner/7", "Dr. Odile Fenwick", Role.CLINICIAN)


def test_a_name_is_put_together_from_its_parts() -> None:
    parts = named(family="Fenwick", given=["Odile", "Maud"], prefix=["Dr."])
    assert who("Practitioner/7", {"Practitioner/7": parts}).name == "Dr. Odile Fenwick"


def test_a_practitioner_role_is_named_by_its_practitioner() -> None:
    role = {"resourceType": "PractitionerRole", "practitioner": {"display": "Odile Fenwick"}}
    found = who("PractitionerRole/7", {"PractitionerRole/7": role})
    assert (found.name, found.role) == ("Odile Fenwick", Role.CLINICIAN)


@pytest.mark.parametrize("found", [NOTHING, Unknown("it did not answer"), {"name": "text"}, {}])
def test_a_name_that_cannot_be_read_is_that_of_the_id_token(found: Any) -> None:
    assert who("Practitioner/7", {"Practitioner/7": found}, name="O. Fenwick").name == "O. Fenwick"
    assert who("Practitioner/7", {"Practitioner/7": found}).name == ""


def test_a_name_is_one_short_line() -> None:
    long = named(text="Dr.\n\x1b[31m" + "x" * 500)
    name = who("Practitioner/7", {"Practitioner/7": long}).name
    assert len(name) == 100 and name.isprintable()


def test_owners_are_those_of_this_ehrs_own_server() -> None:
    assert who("Practitioner/9").role is Role.OWNER
    assert who(f"{BASE}/Practitioner/9").role is Role.OWNER
    assert who("https://other.example/r4/Practitioner/9").role is Role.CLINICIAN


@pytest.mark.parametrize(
    "said",
    [
        "Patient/1",
        f"{BASE}/Patient/1",
        "https://other.example/r4/Patient/1",
        "RelatedPerson/1",
        "Patient/1/_history/2",
        "Patient/1?x=y",
        "Patient/1/",
        "Patient/1#x",
        " Patient/1 ",
        "Patient/1/_history",
        "patient/1",
        "relatedperson/1",
        f"{BASE}/Patient/1/",
        f"https://other.example/{'x' * 3000}/Patient/1",
    ],
)
def test_patients_and_relatives_are_refused_wherever_they_are_kept(said: str) -> None:
    with pytest.raises(Stopped) as stopped:
        who(said)
    assert stopped.value.stop is NOT_FOR_PATIENTS


def test_a_person_is_who_they_are_linked_to() -> None:
    def person(*references: str) -> dict[str, Any]:
        links = [{"target": {"reference": reference}} for reference in references]
        return {"Person/1": {"resourceType": "Person", "link": links}}

    assert who("Person/1", person("Practitioner/9")).role is Role.OWNER
    for resources in (person("Practitioner/9", "Patient/1"), person(), {}):
        with pytest.raises(Stopped):
            who("Person/1", resources)


@pytest.mark.parametrize("said", [None, "", 7, ["Practitioner/7"], "Practitioner", "Device/1"])
def test_somebody_the_ehr_does_not_name_is_staff(said: Any) -> None:
    assert who(said, name="A. Biller") == User("", "A. Biller", Role.STAFF)


def test_a_user_of_another_server_is_not_looked_up_with_this_token() -> None:
    reader: Any = Reader({})
    found = user({"fhirUser": "https://evil.example/r4/Practitioner/7"}, EHR, reader)
    assert reader.asked == []
    assert (found.reference, found.role) == (
        "https://evil.example/r4/Practitioner/7",
        Role.CLINICIAN,
    )
