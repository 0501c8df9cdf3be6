"""Which scopes to request from an EHR: what the app reads, of what that EHR offers (conformance
B4.1), and whether what it granted is enough.

Requesting a type that an EHR does not know can make it refuse everything.
"""

from __future__ import annotations

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.model.states import Unknown
from ehr_access.capability import Capability
from ehr_access.scopes import Scopes
from ehr_access.smart_configuration import SmartConfiguration
from smart_app.settings import RegisteredEhr

_BESIDES_RULES = (
    "Medication",
    "Organization",
    "DocumentReference",
    "QuestionnaireResponse",
    "ServiceRequest",
)
READS = tuple(sorted({need.resource_type for need in DATA_NEEDED} | set(_BESIDES_RULES)))
_IDENTITY = ("openid", "fhirUser")
_SHOWN = ("MedicationRequest", "MedicationAdministration")


def scopes(
    ehr: RegisteredEhr,
    configuration: SmartConfiguration,
    offered: Capability | Unknown,
    *,
    from_ehr: bool,
) -> str:
    """The scope parameter. `from_ehr`: the EHR opened the app; else it is to ask for a patient."""
    context = ("launch",) if from_ehr else ("launch/patient",)
    # Tokens that last as long as the user is online, where they can be had; the app never requests
    # access beyond that (conformance B4.5).
    stated = configuration.capabilities | set(configuration.scopes_supported)
    session = ("online_access",) if {"permission-online", "online_access"} & stated else ()
    return " ".join((*context, *_IDENTITY, *session, *_data(ehr, configuration, offered)))


def are_enough(granted: Scopes) -> bool:
    """Whether there is anything the app could show: orders, or what was administered, each read and
    searched at least in part (an EHR may grant less than was requested; SMART App Launch 2.2,
    "Scopes granted by the authorization server")."""
    return any(granted.may("r", kind) and granted.may("s", kind) for kind in _SHOWN)


def _data(
    ehr: RegisteredEhr, configuration: SmartConfiguration, offered: Capability | Unknown
) -> tuple[str, ...]:
    if ehr.scopes:
        return ehr.scopes
    known = [t for t in READS if _is_known(t, configuration, offered)]
    writes = sorted(t for t in ehr.writes if _is_known(t, configuration, offered))
    # Version 2 where the EHR says so; version 1 where it says that, or nothing.
    if "permission-v2" in configuration.capabilities:
        letters = {t: "rs" for t in known} | dict.fromkeys(writes, "crus") | {"Patient": "r"}
        return tuple(f"patient/{t}.{letters[t]}" for t in sorted(letters))
    return (*(f"patient/{t}.read" for t in known), *(f"patient/{t}.write" for t in writes))


def _is_known(
    resource_type: str, configuration: SmartConfiguration, offered: Capability | Unknown
) -> bool:
    """Whether the EHR has that type. Lists that are not there refuse nothing."""
    if isinstance(offered, Capability) and resource_type not in offered.interactions:
        return False
    named = Scopes.parse(" ".join(configuration.scopes_supported)).scopes
    return not named or any(scope.resource_type in ("*", resource_type) for scope in named)
