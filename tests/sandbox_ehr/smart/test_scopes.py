"""What a scope allows, in both versions, and what of a request is granted."""

from __future__ import annotations

import pytest

from sandbox_ehr.fhir import access

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


@pytest.mark.parametrize(
    ("word", "level", "kind", "actions"),
    [
        ("patient/Observation.read", "patient", "Observation", "rs"),
        ("patient/Observation.write", "patient", "Observation", "cud"),
        ("user/*.*", "user", "*", "cruds"),
        ("system/Patient.rs", "system", "Patient", "rs"),
        ("patient/*.cruds", "patient", "*", "cruds"),
        ("patient/Condition.s", "patient", "Condition", "s"),
    ],
)
def test_scopes_of_both_versions_are_read(word: str, level: str, kind: str, actions: str) -> None:
    scope = access.parse(word)
    assert scope is not None
    assert (scope.level, scope.resource_type, scope.actions) == (level, kind, actions)


@pytest.mark.parametrize(
    "word",
    [
        "openid",
        "launch",
        "patient/Observation",
        "patient/Observation.sr",
        "patient/Observation.",
        "patient/observation.rs",
        "Patient/Observation.rs",
        "patient/Observation.readwrite",
        "patient/Observation.rs?",
        "patient/Observation.rs?foo=1",
        "patient/Observation.rs?date=soon",
        "patient/*.rs?category=x",
        "patient/Observation.rs/x",
        "patient/../Patient.rs",
        "",
    ],
)
def test_what_is_no_scope_on_data_allows_nothing(word: str) -> None:
    assert access.parse(word) is None


def test_a_granular_scope_holds_what_a_search_would_find() -> None:
    scope = access.parse(f"patient/Observation.rs?category={CATEGORY}|laboratory")
    assert scope is not None
    lab = {
        "resourceType": "Observation",
        "category": [{"coding": [{"system": CATEGORY, "code": "laboratory"}]}],
    }
    assert scope.holds(lab)
    assert not scope.holds({"resourceType": "Observation"})


@pytest.mark.parametrize(
    ("asked", "allowed", "given"),
    [
        ("openid launch", "openid launch fhirUser", "openid launch"),
        ("openid offline_access", "openid", "openid"),
        ("patient/Observation.read", "patient/*.cruds", "patient/Observation.read"),
        ("patient/Observation.rs", "patient/*.read", "patient/Observation.rs"),
        ("patient/Observation.cruds", "patient/*.rs", "patient/Observation.rs"),
        ("patient/Observation.*", "patient/*.rs", "patient/Observation.read"),
        ("patient/Observation.write", "patient/*.rs", ""),
        ("patient/Observation.*", "patient/*.r", "patient/Observation.r"),
        ("user/Observation.rs", "patient/*.cruds", ""),
        ("patient/*.rs", "patient/Observation.rs", ""),
        ("patient/Observation.rs?category=a", "patient/*.rs", "patient/Observation.rs?category=a"),
        ("patient/Observation.rs", "patient/Observation.rs?category=a", ""),
        ("patient/Observation.rs patient/Observation.rs", "patient/*.rs", "patient/Observation.rs"),
        ("system/*.rs", "patient/*.cruds user/*.cruds", ""),
        ("", "patient/*.rs", ""),
        ("patient/Task.cruds?code=a", "patient/*.rs", "patient/Task.rs?code=a"),
    ],
)
def test_no_more_is_granted_than_is_allowed(asked: str, allowed: str, given: str) -> None:
    assert access.granted(asked, allowed) == given
    assert access.granted(given, allowed) == given


def test_scopes_without_writing() -> None:
    asked = "launch openid patient/Observation.cruds user/Claim.write patient/Task.*"
    left = "launch openid patient/Observation.rs patient/Task.read"
    assert access.without_writing(asked) == left
