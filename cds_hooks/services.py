"""The services offered, and what discovery says of them (CDS Hooks 2.0.1, "Discovery")."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from billing_rules.data_needed import DATA_NEEDED, DataNeed
from billing_rules.rules import RULES, rules_at

# Semantic version of the CDS Hooks specification, not of this program (3.0.0-ballot, "Discovery").
SPECIFICATION = "2.0.1"


def needed_by(rules: Collection[str], *without: str) -> tuple[DataNeed, ...]:
    """What `rules` read, and the patient's own record: the minimum necessary."""
    read = {query for rule in RULES if rule.id in rules for query in rule.queries}
    return tuple(
        need
        for need in DATA_NEEDED
        if (need.always or need.key in read) and need.key not in without
    )


@dataclass(frozen=True, slots=True)
class Service:
    """One service id and the hooks it answers.

    One id under several hooks tells the EHR that later cards replace the earlier ones of the same
    order (CDS Hooks 2.0.1, "Update stale guidance"). `hooks` is name -> hookVersion, the one that
    matters most last: clients that keep one hook of an id, as the public CDS Hooks Sandbox does,
    keep the last they were told. `needs` are the prefetch keys, `rules` the names of the rules it
    speaks for.
    """

    id: str
    title: str
    description: str
    usage_requirements: str
    hooks: dict[str, str]
    needs: tuple[DataNeed, ...]
    rules: frozenset[str]


ORDERS = Service(
    id="vialwise-orders",
    title="Vialwise: billing check of biologics",
    description=(
        "Checks draft orders for drugs billed by the unit, such as omalizumab, before they are "
        "signed: HCPCS code, billing units, containers, and the JW or JZ modifier."
    ),
    usage_requirements=(
        "FHIR R4 draft orders. All prefetch is optional: what is not sent is fetched with "
        "fhirAuthorization, or reported as not checked, never as missing. For practitioners; "
        "patients get no cards."
    ),
    hooks={"order-select": "1.0", "order-sign": "1.0"},
    needs=DATA_NEEDED,
    rules=rules_at("order-select", "order-sign"),
)

DISPATCH = Service(
    id="vialwise-dispatch",
    title="Vialwise: billing check of dispatched orders",
    description=(
        "Checks signed orders for drugs billed by the unit when they are handed to a performer: "
        "code, units, containers, modifier and documentation. Nothing is changed."
    ),
    usage_requirements=(
        "FHIR R4. The orders must be readable with fhirAuthorization or be among the prefetched "
        "medications; else the answer is 412. The context of version 1.0 is understood too."
    ),
    hooks={"order-dispatch": "1.1"},
    needs=needed_by(rules_at("order-dispatch"), "encounter"),  # the hook's context names none
    rules=rules_at("order-dispatch"),
)

GIVEN = Service(
    id="vialwise-given",
    title="Vialwise: what was given, before it is billed",
    description=(
        "Checks recorded administrations of drugs billed by the unit: dose, lot, containers, "
        "discarded amount, and the JW or JZ lines of the claim to come."
    ),
    usage_requirements=(
        "FHIR R4 MedicationAdministration, by prefetch or fhirAuthorization; without either the "
        "answer is 412. Of no use where the EHR has no such resource. For practitioners."
    ),
    hooks={"encounter-discharge": "1.0", "patient-view": "1.0"},
    needs=needed_by(rules_at("encounter-discharge", "patient-view")),
    rules=rules_at("encounter-discharge", "patient-view"),
)

APPOINTMENT = Service(
    id="vialwise-appointment",
    title="Vialwise: authorization and documentation before a visit",
    description=(
        "When an appointment is booked: whether the patient's active orders for drugs billed by "
        "the unit have the authorization and documentation their payer wants. Information only."
    ),
    usage_requirements=(
        "FHIR R4 MedicationRequest, by prefetch or fhirAuthorization; without either the answer "
        "is 412. For practitioners."
    ),
    hooks={"appointment-book": "1.0"},
    needs=needed_by(rules_at("appointment-book")),
    rules=rules_at("appointment-book"),
)

SERVICES: dict[str, Service] = {
    service.id: service for service in (ORDERS, DISPATCH, GIVEN, APPOINTMENT)
}


def discovery() -> dict[str, Any]:
    """The body of `GET /cds-services`: one entry for each service and hook."""
    return {
        "services": [
            _listed(service, hook, version)
            for service in SERVICES.values()
            for hook, version in service.hooks.items()
        ]
    }


def _listed(service: Service, hook: str, version: str) -> dict[str, Any]:
    return {
        "hook": hook,
        "hookVersion": version,
        "version": SPECIFICATION,
        "id": service.id,
        "title": service.title,
        "description": service.description,
        "usageRequirements": service.usage_requirements,
        "prefetch": {need.key: need.template for need in service.needs},
    }
