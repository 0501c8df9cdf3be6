"""The CapabilityStatement, generated from the tables the server works by."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from sandbox_ehr.fhir import offered
from sandbox_ehr.settings import Settings

Resource = dict[str, Any]
FHIR_VERSION = "4.0.1"
_OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def statement(settings: Settings) -> Resource:
    """What this server offers, for an EHR like the one it is set to be."""
    quirks = settings.quirks
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
                "security": _security(settings),
                "resource": [_resource(kind, settings) for kind in offered.types(quirks)],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def _security(settings: Settings) -> Resource:
    names = ("authorize", "token", "introspect", "revoke")
    addresses = {name: f"{settings.base_url}/auth/{name}" for name in names}
    return {
        "cors": True,
        "service": [
            {"coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}], "text": "SMART on FHIR"}
        ],
        "extension": [
            {
                "url": _OAUTH_URIS,
                "extension": [{"url": n, "valueUri": uri} for n, uri in addresses.items()],
            }
        ],
    }


def _resource(kind: str, settings: Settings) -> Resource:
    quirks = settings.quirks
    searched = offered.search_parameters(kind, quirks)
    said: Resource = {
        "type": kind,
        "interaction": [{"code": code} for code in offered.INTERACTIONS],
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
    includes = list(offered.includes(kind, quirks))
    return {**said, "searchInclude": includes} if includes else said
