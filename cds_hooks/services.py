"""The services offered, and what discovery says of them (CDS Hooks 2.0.1, "Discovery")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from billing_rules.data_needed import DATA_NEEDED, DataNeed

# Semantic version of the CDS Hooks specification, not of this program (3.0.0-ballot, "Discovery").
SPECIFICATION = "2.0.1"


@dataclass(frozen=True, slots=True)
class Service:
    """One service id and the hooks it answers.

    One id under several hooks tells the EHR that later cards replace the earlier ones of the same
    order (CDS Hooks 2.0.1, "Update stale guidance"). `hooks` is name -> hookVersion.
    """

    id: str
    title: str
    description: str
    usage_requirements: str
    hooks: dict[str, str]
    needs: tuple[DataNeed, ...]


ORDERS = Service(
    id="vialwise-orders",
    title="Vialwise: billing check of injected biologics",
    description=(
        "Checks draft orders for drugs billed by the unit, such as omalizumab, before they are "
        "signed: HCPCS code, billing units, containers, and the JW or JZ modifier."
    ),
    usage_requirements=(
        "FHIR R4 draft orders. All prefetch is optional: what is not sent is reported as not "
        "checked, never as missing. For practitioners; patients get no cards."
    ),
    hooks={"order-select": "1.0", "order-sign": "1.0"},
    needs=DATA_NEEDED,
)

SERVICES: dict[str, Service] = {service.id: service for service in (ORDERS,)}


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
