"""What of each type this server offers: the table of parameters, less what its EHR does not do.

The CapabilityStatement says it and the search obeys it, from here.
"""

from __future__ import annotations

from sandbox_ehr.fhir import parameters
from sandbox_ehr.fhir.parameters import Parameter
from sandbox_ehr.quirks import Quirks

# Interactions of every type (FHIR R4, "TypeRestfulInteraction").
INTERACTIONS = (
    "read",
    "vread",
    "update",
    "delete",
    "history-instance",
    "create",
    "search-type",
)


def types(quirks: Quirks) -> tuple[str, ...]:
    return tuple(kind for kind in parameters.TYPES if kind not in quirks.absent)


def search_parameters(resource_type: str, quirks: Quirks) -> dict[str, Parameter]:
    """The parameters by name."""
    known = parameters.of(resource_type)
    only = quirks.only_search.get(resource_type)
    if only is None:
        return known
    return {name: known[name] for name in ("_id", *only) if name in known}


def includes(resource_type: str, quirks: Quirks) -> tuple[str, ...]:
    """What `_include` may name: a reference to a type that is here."""
    here = set(types(quirks))
    return tuple(
        f"{resource_type}:{name}"
        for name, parameter in search_parameters(resource_type, quirks).items()
        if set(parameter.targets) & here
    )
