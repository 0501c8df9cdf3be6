"""Why something could not be had, in the words a card repeats after "because"."""

from __future__ import annotations

from billing_rules.states import Unknown

TOO_LATE = Unknown("the EHR did not answer in time")
TOO_LARGE = Unknown("the EHR's answer was too large to read")
TOO_MANY_PAGES = Unknown("the EHR has more pages of this than may be read")
NOT_REACHED = Unknown("the EHR's FHIR server could not be reached")
REDIRECTED = Unknown("the EHR's FHIR server redirected, and redirects are not followed")
LEFT_THE_BASE = Unknown("the EHR's next page lies outside its FHIR server")
NOT_FHIR = Unknown("the EHR's answer was no readable FHIR")
ANOTHER_RESOURCE = Unknown("the EHR answered with another resource than was asked for")
SOMETHING_ELSE = Unknown("the EHR sent something else in its place")
NOT_IN_SCOPE = Unknown("the access token's scope does not allow it")
PART_IN_SCOPE = Unknown("the access token's scope allows a part of it only")
NOT_PERMITTED = Unknown("the EHR did not permit it")
INCOMPLETE = Unknown("the EHR said that its answer is incomplete")
ERROR_REPORTED = Unknown("the EHR reported an error")
BUSY = Unknown("the EHR is too busy")
NO_TOKEN_IN_CLEAR = Unknown("a token is sent over https only, and this FHIR server has http")
BROKEN = Unknown("the EHR's answer broke off")
BAD_REQUEST = Unknown("the EHR answered with HTTP status 400")


def not_offered(resource_type: str) -> Unknown:
    return Unknown(f"this EHR does not offer {resource_type}")


def of_status(status: int, resource_type: str) -> Unknown:
    """The reason for an HTTP status that is no success."""
    if status in (401, 403):
        return NOT_PERMITTED
    if status in (429, 503):
        return BUSY
    if 300 <= status < 400:
        return REDIRECTED
    if status in (404, 405, 501):
        return not_offered(resource_type)
    return Unknown(f"the EHR answered with HTTP status {status}")
