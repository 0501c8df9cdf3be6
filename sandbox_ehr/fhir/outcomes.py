"""An error as FHIR says it: a status of HTTP and an OperationOutcome.

What a resource held is never repeated: an error ends up in logs and on screens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Resource = dict[str, Any]

# FHIR R4, "IssueType": the code that says what kind of trouble a status means.
_CODES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    410: "deleted",
    412: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "processing",
    429: "throttled",
    500: "exception",
    503: "transient",
}


@dataclass(frozen=True, slots=True)
class OutcomeIssue:
    """One thing that is wrong: what, where (a FHIRPath), and how bad."""

    text: str
    code: str = "invalid"
    severity: str = "error"
    expression: str = ""

    def as_json(self) -> Resource:
        said: Resource = {"severity": self.severity, "code": self.code, "diagnostics": self.text}
        return {**said, "expression": [self.expression]} if self.expression else said


class FhirError(Exception):
    """What ends a request, or one entry of a batch, with `status`."""

    def __init__(
        self, status: int, text: str, code: str = "", *, issues: tuple[OutcomeIssue, ...] = ()
    ) -> None:
        super().__init__(text)
        self.status = status
        self.issues = issues or (OutcomeIssue(text, code or _CODES.get(status, "processing")),)

    @property
    def outcome(self) -> Resource:
        return outcome(*self.issues)


def outcome(*issues: OutcomeIssue) -> Resource:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": [issue.as_json() for issue in issues]}
