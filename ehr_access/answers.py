"""What one answer of a FHIR server holds: resources, the next page, or that it went wrong.

The content type is not asked: servers lie about it in both directions, the body does not.
"""

from __future__ import annotations

import msgspec

from billing_rules.fhir.decoding import RawResource
from billing_rules.fhir.searchset import SearchPage, bundle_resources
from billing_rules.states import Unknown
from ehr_access import reasons
from ehr_access.transport import Answer


class _Named(msgspec.Struct):
    resourceType: str  # noqa: N815 - FHIR's name
    id: str = ""


_named = msgspec.json.Decoder(_Named)


def one_resource(answer: Answer, resource_type: str, id_: str) -> RawResource | Unknown:
    """The resource that was read, or why it was not."""
    named = _of(answer, resource_type)
    if isinstance(named, Unknown):
        return named
    if named.resourceType != resource_type:
        return reasons.NOT_FHIR
    return answer.body if named.id == id_ else reasons.ANOTHER_RESOURCE


def page(answer: Answer, resource_type: str) -> SearchPage | Unknown:
    """The page of a search, or why it cannot be used."""
    named = _of(answer, resource_type)
    if isinstance(named, Unknown):
        return named
    found = bundle_resources(answer.body)
    unusable = isinstance(found, Unknown) or named.resourceType != "Bundle"
    return reasons.NOT_FHIR if unusable else found


def _of(answer: Answer, resource_type: str) -> _Named | Unknown:
    """Type and id of the resource that the answer is, unless it is an error."""
    if not 200 <= answer.status < 300:
        return reasons.of_status(answer.status, resource_type)
    try:
        named = _named.decode(answer.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return reasons.NOT_FHIR
    return reasons.ERROR_REPORTED if named.resourceType == "OperationOutcome" else named
