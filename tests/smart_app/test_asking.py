"""Which scopes are asked for, which were granted, and what goes without."""

from __future__ import annotations

from dataclasses import replace

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.model.states import Unknown
from ehr_access.scopes import Scopes
from ehr_access.server_metadata import Capability, SmartConfiguration
from smart_app.chart.patient_record import ORDER_TYPES
from smart_app.launch import flow
from smart_app.settings import RegisteredEhr

EHR = RegisteredEhr(id="main", name="Main", fhir_base="https://ehr.example/r4", client_id="c-1")
V2 = SmartConfiguration(
    "a",
    "t",
    "",
    "",
    "",
    frozenset({"permission-v1", "permission-v2"}),
    (),
    ("S256",),
    (),
    (),
    False,
)
V1 = replace(V2, capabilities=frozenset({"permission-v1"}))
NOT_READ = Unknown("the EHR did not answer in time")


def offering(*types: str) -> Capability:
    return Capability("4.0.1", dict.fromkeys(types, frozenset()), dict.fromkeys(types, frozenset()))


def asked(
    configuration: SmartConfiguration = V2,
    offered: Capability | Unknown = NOT_READ,
    ehr: RegisteredEhr = EHR,
    from_ehr: bool = True,
) -> list[str]:
    return flow.scopes_to_request(ehr, configuration, offered, from_ehr=from_ehr).split()


def test_identity_and_launch_come_first() -> None:
    assert asked()[:3] == ["launch", "openid", "fhirUser"]
    assert asked(from_ehr=False)[:3] == ["launch/patient", "openid", "fhirUser"]


def test_everything_the_rules_read_is_asked_for_and_nothing_is_written() -> None:
    scopes = Scopes.parse(" ".join(asked()))
    read = {scope.resource_type for scope in scopes.scopes}
    assert {need.resource_type for need in DATA_NEEDED} <= read
    assert set(ORDER_TYPES) <= read, "an order that may not be read looks like one without faults"
    assert all(set(scope.actions) <= {"r", "s"} for scope in scopes.scopes)


def test_version_1_where_version_2_is_not_said() -> None:
    assert "patient/Observation.rs" in asked() and "patient/Patient.r" in asked()
    assert "patient/Observation.read" in asked(V1)
    assert "patient/Observation.read" in asked(replace(V2, capabilities=frozenset()))
    assert not [scope for scope in asked(V1) if scope.endswith(".rs")]


def test_a_type_the_ehr_does_not_have_is_not_asked_for() -> None:
    few = offering("Patient", "MedicationRequest")
    assert asked(offered=few)[3:] == ["patient/MedicationRequest.rs", "patient/Patient.r"]
    listed = replace(V2, scopes_supported=("openid", "patient/Patient.read", "user/Coverage.rs"))
    assert asked(listed)[3:] == ["patient/Coverage.rs", "patient/Patient.r"]
    wild = replace(V2, scopes_supported=("openid", "patient/*.rs"))
    assert asked(wild) == asked()
    silent = replace(V2, scopes_supported=("openid", "launch"))
    assert asked(silent) == asked()


def test_writing_is_asked_for_only_where_the_site_says_so() -> None:
    ehr = EHR.model_copy(update={"writes": frozenset({"QuestionnaireResponse"})})
    assert "patient/QuestionnaireResponse.crus" in asked(ehr=ehr)
    assert "patient/QuestionnaireResponse.write" in asked(V1, ehr=ehr)
    assert "patient/Observation.rs" in asked(ehr=ehr)
    without = offering("Patient", "Observation")
    assert not [scope for scope in asked(offered=without, ehr=ehr) if "Questionnaire" in scope]


def test_a_site_may_say_which_scopes() -> None:
    ehr = EHR.model_copy(update={"scopes": ("patient/Patient.r",)})
    assert asked(ehr=ehr)[3:] == ["patient/Patient.r"]


def test_long_sessions_only_while_the_user_is_online() -> None:
    online = replace(V2, capabilities=V2.capabilities | {"permission-online"})
    assert "online_access" in asked(online) and "online_access" not in asked()
    oracle = replace(V2, scopes_supported=("online_access", "offline_access", "patient/*.rs"))
    assert "online_access" in asked(oracle)
    assert "offline_access" not in asked(oracle)


# ---------------------------------------------------------------- what was granted


def test_orders_or_administrations_have_to_be_read_and_searched() -> None:
    assert flow.are_enough_scopes(Scopes.parse("patient/MedicationRequest.rs"))
    assert flow.are_enough_scopes(Scopes.parse("patient/MedicationAdministration.read"))
    assert flow.are_enough_scopes(Scopes.parse("patient/*.*"))
    assert not flow.are_enough_scopes(Scopes.parse("patient/Patient.r patient/Observation.rs"))
    assert not flow.are_enough_scopes(Scopes())


def test_what_may_be_written_may_not_be_read() -> None:
    assert not flow.are_enough_scopes(Scopes.parse("patient/MedicationRequest.c"))


def test_a_granular_scope_is_enough() -> None:
    granted = Scopes.parse("patient/MedicationRequest.rs?intent=order")
    assert flow.are_enough_scopes(granted)


def test_reading_one_resource_is_not_searching() -> None:
    assert not flow.are_enough_scopes(Scopes.parse("patient/MedicationRequest.r"))
