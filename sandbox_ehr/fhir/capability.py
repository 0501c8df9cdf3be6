"""What of each type this server offers: the table of parameters, less what its EHR does not do.

The CapabilityStatement says it and the search obeys it, from here."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from sandbox_ehr.charts import Quirks
from sandbox_ehr.fhir import searching
from sandbox_ehr.fhir.searching import Parameter
from sandbox_ehr.settings import EhrSettings

# Interactions of every type (FHIR R4, "TypeRestfulInteraction").
_INTERACTIONS = "read vread update delete history-instance create search-type"
INTERACTIONS = tuple(_INTERACTIONS.split())


def types(quirks: Quirks) -> tuple[str, ...]:
    return tuple(kind for kind in searching.TYPES if kind not in quirks.absent)


def search_parameters(resource_type: str, quirks: Quirks) -> dict[str, Parameter]:
    """The parameters by name."""
    known = searching.parameters_of(resource_type)
    only = quirks.only_search.get(resource_type)
    if only is None:
        return known
    return {name: known[name] for name in ("_id", *only) if name in known}


def can_include(resource_type: str, quirks: Quirks) -> tuple[str, ...]:
    """What `_include` may name: a reference to a type that is here."""
    here = set(types(quirks))
    return tuple(
        f"{resource_type}:{name}"
        for name, parameter in search_parameters(resource_type, quirks).items()
        if set(parameter.targets) & here
    )


# ---------------------------------------------------------------- the CapabilityStatement

Resource = dict[str, Any]
FHIR_VERSION = "4.0.1"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def statement(settings: EhrSettings) -> Resource:
    """What this server offers, for an EHR like the one it is set to be."""
    quirks = settings.quirks
    names = ("authorize", "token", "introspect", "revoke")
    addresses = [{"url": n, "valueUri": f"{settings.base_url}/auth/{n}"} for n in names]
    coding = {"system": _SECURITY, "code": "SMART-on-FHIR"}
    security = {
        "cors": True,
        "service": [{"coding": [coding], "text": "SMART on FHIR"}],
        "extension": [{"url": _OAUTH_URIS, "extension": addresses}],
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "experimental": True,
        "date": settings.today.isoformat(),
        "publisher": settings.name,
        "kind": "instance",
        "software": {"name": "Vialwise practice EHR", "version": metadata.version("vialwise")},
        "implementation": {
            "description": f"Invented patients only. Like: {quirks.title}.",
            "url": settings.fhir_base,
        },
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": security,
                "resource": [_resource(kind, settings) for kind in types(quirks)],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def _resource(kind: str, settings: EhrSettings) -> Resource:
    quirks = settings.quirks
    searched = search_parameters(kind, quirks)
    said: Resource = {
        "type": kind,
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "local"],
        "searchParam": [
            {"name": name, "type": parameter.kind.value} for name, parameter in searched.items()
        ],
    }
    includes = list(can_include(kind, quirks))
    return {**said, "searchInclude": includes} if includes else said
