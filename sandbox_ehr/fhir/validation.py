"""Whether what is to be written is valid FHIR R4 (fhir.resources, its R4B part).

Errors name the element, never what stood in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from sandbox_ehr.fhir.outcomes import FhirError, OutcomeIssue

Resource = dict[str, Any]
_MOST_ISSUES = 20
DEEPEST = 60


def check(resource: Resource) -> None:
    """Raises FhirError (422) with an issue for each element that is not as FHIR says."""
    kind = resource["resourceType"]
    empty = next(_empty(resource, kind), None)
    if empty:
        issue = OutcomeIssue(
            "an element is there with a value, or is left out", "structure", "error", empty
        )
        raise FhirError(422, "not valid", issues=(issue,))
    try:
        get_fhir_model_class(kind).model_validate(resource)
    except ValidationError as error:
        raise FhirError(422, "not valid", issues=tuple(_issues(kind, error))) from None
    except (ValueError, TypeError, KeyError, LookupError, AttributeError, RecursionError):
        raise FhirError(422, f"this is no valid {kind} of FHIR R4") from None


def _empty(node: Any, path: str) -> Iterator[str]:
    """Where something is null, "", {} or [] (FHIR R4, "JSON Representation"). A null in a list is
    a place held for a primitive's extension."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from _empty(value, f"{path}.{name}"[:200])
    elif isinstance(node, list) and node:
        for i, value in enumerate(node):
            if value is not None:
                yield from _empty(value, f"{path}[{i}]")
    if node is None or node == "" or node == {} or node == []:
        yield path


def _issues(kind: str, error: ValidationError) -> Iterator[OutcomeIssue]:
    """What is wrong, without what pydantic calls its own."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    for one in found[:_MOST_ISSUES]:
        text = one["msg"].removeprefix("Value error, ")
        text = "the element is not one of FHIR R4" if "Extra inputs" in text else text[:200]
        steps = (f"[{s}]" if isinstance(s, int) else f".{s}" for s in one["loc"])
        code = "required" if "missing" in one["type"] else "structure"
        yield OutcomeIssue(text, code, expression=(kind + "".join(steps))[:200])


def depth(node: Resource, most: int = DEEPEST) -> bool:
    """Whether JSON is nested no deeper than `most`."""
    level: list[Any] = [node]
    for _ in range(most):
        parts = (v.values() if isinstance(v, dict) else v for v in level)
        level = [inner for part in parts for inner in part if isinstance(inner, (dict, list))]
        if not level:
            return True
    return False
