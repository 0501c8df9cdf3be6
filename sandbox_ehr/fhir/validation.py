"""Whether what is to be written is valid FHIR R4 (fhir.resources, its R4B part).

Errors name the element, never what stood in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from sandbox_ehr.fhir.outcomes import FhirError, Issue

Resource = dict[str, Any]
_MOST_ISSUES = 20
DEEPEST = 60


def check(resource: Resource) -> None:
    """Raises FhirError (422) with an issue for each element that is not as FHIR says."""
    kind = resource["resourceType"]
    empty = next(_empty(resource, kind), None)
    if empty:
        issue = Issue(
            "an element is there with a value, or is left out", "structure", "error", empty
        )
        raise FhirError(422, "not valid", issues=(issue,))
    try:
        get_fhir_model_class(kind).model_validate(resource)
    except ValidationError as error:
        raise FhirError(422, "not valid", issues=_issues(kind, error)) from None
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


def _issues(kind: str, error: ValidationError) -> tuple[Issue, ...]:
    said = error.errors(include_url=False, include_context=False, include_input=False)
    found = (
        Issue(_words(one["msg"]), code=_code(one["type"]), expression=_path(kind, one["loc"]))
        for one in said[:_MOST_ISSUES]
    )
    return tuple(found)


def _words(message: str) -> str:
    """What is wrong, without what pydantic calls its own."""
    text = message.removeprefix("Value error, ")
    return "the element is not one of FHIR R4" if "Extra inputs" in text else text[:200]


def _code(kind: str) -> str:
    return "required" if "missing" in kind else "structure"


def _path(kind: str, loc: tuple[int | str, ...]) -> str:
    path = kind
    for step in loc:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path[:200]


def depth(node: Any, most: int = DEEPEST) -> bool:
    """Whether JSON is nested no deeper than `most`."""
    level = [node]
    for _ in range(most):
        level = [
            inner
            for value in level
            for inner in (
                value.values()
                if isinstance(value, dict)
                else value
                if isinstance(value, list)
                else ()
            )
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return True
    return False
