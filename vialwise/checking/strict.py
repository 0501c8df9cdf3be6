"""What is not as FHIR R4 says, by the models of fhir.resources; for `vialwise check --strict`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from billing_rules.fhir.json.references import JsonObject, own_reference

MOST = 20  # sentences of one resource


def invalid(resources: Iterable[JsonObject]) -> Iterator[str]:
    """A sentence for each fault, never with the value that is wrong: that is chart text."""
    from fhir.resources.R4B import get_fhir_model_class  # slow to import, and seldom needed
    from pydantic import ValidationError

    for position, resource in enumerate(resources):
        name = own_reference(resource, position)
        try:
            get_fhir_model_class(str(resource.get("resourceType"))).model_validate(dict(resource))
        except KeyError:
            yield f"{name}: is not a FHIR R4 resource type"
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_url=False)[:MOST]:
                place = ".".join(str(step) for step in fault["loc"])
                yield f"{name}: {place}: {fault['msg']}"
        except (ValueError, TypeError, RecursionError):
            yield f"{name}: cannot be read as FHIR R4"
