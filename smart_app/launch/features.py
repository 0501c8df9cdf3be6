"""What each part of the app needs from the EHR's grant, and what is said where it was not given.

An EHR may grant less than was asked (SMART App Launch 2.2, "Scopes granted by the authorization
server"). Every part then does without, and says so by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from ehr_access.scopes import Scopes

READ, WRITE = "rs", "c"


@dataclass(frozen=True, slots=True)
class Feature:
    """`needs` are resource types; `actions` letters of cruds that are needed on each."""

    name: str
    needs: tuple[str, ...]
    actions: str
    without: str


# In the order in which their sentences are shown.
FEATURES = (
    Feature(
        "orders",
        ("MedicationRequest",),
        READ,
        "The EHR does not let the app read orders, so none can be listed.",
    ),
    Feature(
        "patient",
        ("Patient",),
        "r",
        "The EHR does not let the app read the patient, so age and banner are missing.",
    ),
    Feature(
        "results",
        ("Observation",),
        READ,
        "The EHR does not let the app read results, so IgE, weight and eosinophils cannot be "
        "checked.",
    ),
    Feature(
        "diagnoses",
        ("Condition",),
        READ,
        "The EHR does not let the app read diagnoses, so the indication cannot be checked.",
    ),
    Feature(
        "payer",
        ("Coverage",),
        READ,
        "The EHR does not let the app read coverage, so the payer's own rules are not applied.",
    ),
    Feature(
        "authorizations",
        ("ClaimResponse",),
        READ,
        "The EHR does not let the app read authorizations, so they cannot be checked.",
    ),
    Feature(
        "history",
        ("MedicationAdministration",),
        READ,
        "The EHR does not let the app read what was given, so history and close-out start empty.",
    ),
    Feature(
        "write-answers",
        ("QuestionnaireResponse",),
        WRITE,
        "The EHR does not let the app save answers; they are given as a note to paste.",
    ),
    Feature(
        "write-results",
        ("Observation",),
        WRITE,
        "The EHR does not let the app save results; they are given as a note to paste.",
    ),
    Feature(
        "write-note",
        ("DocumentReference",),
        WRITE,
        "The EHR does not let the app save documents; they are given as a note to paste.",
    ),
    Feature(
        "write-administration",
        ("MedicationAdministration",),
        WRITE,
        "The EHR does not let the app save what was given; it is given as a note to paste.",
    ),
)
BY_NAME = {feature.name: feature for feature in FEATURES}


def missing(scopes: Scopes, *names: str) -> tuple[str, ...]:
    """The sentences of those features, or of all, that `scopes` do not carry."""
    asked = [BY_NAME[name] for name in names] if names else FEATURES
    return tuple(feature.without for feature in asked if not carried(scopes, feature))


def has(scopes: Scopes, name: str) -> bool:
    return carried(scopes, BY_NAME[name])


def carried(scopes: Scopes, feature: Feature) -> bool:
    """Whether every type may be used so, at least in part: granular scopes carry a feature too."""
    return all(
        any(
            scope.resource_type in ("*", needed) and action in scope.actions
            for scope in scopes.scopes
        )
        for needed in feature.needs
        for action in feature.actions
    )
