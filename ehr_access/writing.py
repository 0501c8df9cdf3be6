"""What became of a write: it stands in the EHR, it was refused, or that cannot be told.

Only what the server cannot have acted on is a refusal. After a timeout or a broken answer the
resource may stand there, so nothing is sent again before it was looked for
(EhrClient.already_there).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from billing_rules.model.states import Unknown
from ehr_access import limits
from ehr_access.query import ID
from ehr_access.transport import HttpAnswer

Why = Literal["scope", "not offered", "signed out", "forbidden", "invalid", "changed", "not sent"]

_REFERENCE = re.compile(r"([A-Z][A-Za-z]{2,63})/([^/?#]+)(?:/_history/([^/?#]+))?/?$")
_CODE = re.compile(r"[a-z-]{1,40}")
_MOST_CODES = 5


@dataclass(frozen=True, slots=True)
class Written:
    """It stands there, as `reference` ("Observation/1") in version `version` ("" when not known).

    `before`: it already stood there from an earlier send, and was not written twice.
    """

    reference: str
    version: str = ""
    before: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was written. `because` completes "It was not written, because ..."; `codes` are the
    issue codes of the server's OperationOutcome, whose words could hold chart text."""

    why: Why
    because: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Uncertain:
    """It may stand there or not. `because` completes "That cannot be told, because ..."."""

    because: str


WriteAnswer = Written | Refused | Uncertain

NO_SCOPE = Refused("scope", "this sign-in does not allow it")
SIGNED_OUT = Refused("signed out", "the sign-in to the EHR has run out")
FORBIDDEN = Refused("forbidden", "the EHR did not permit it")
CHANGED = Refused("changed", "somebody changed the record in the meantime: read it again first")
NOT_REACHED = Refused("not sent", limits.NOT_REACHED.because)
BUSY = Refused("not sent", limits.BUSY.because)
REDIRECTED = Refused("not sent", limits.REDIRECTED.because)
NO_TOKEN_IN_CLEAR = Refused("not sent", limits.NO_TOKEN_IN_CLEAR.because)
SEVERAL = Refused("changed", "the EHR already holds more than one copy of it: look in the chart")


def not_offered(resource_type: str) -> Refused:
    return Refused("not offered", f"this EHR takes no {resource_type} from apps")


class _Issue(msgspec.Struct):
    code: str = ""


class _Body(msgspec.Struct):
    resourceType: str = ""  # noqa: N815 - FHIR's name
    id: str = ""
    meta: dict[str, Any] = {}
    issue: list[_Issue] = []


_body = msgspec.json.Decoder(_Body)


def outcome(answer: HttpAnswer | Unknown, path: str, *, conditional: bool) -> WriteAnswer:
    """What the answer to a create ("Observation") or update ("Observation/1") says.

    `conditional`: a create that names our identifier, so that 200 is the copy from before and 412
    several of them.
    """
    if answer == limits.NOT_REACHED:
        return NOT_REACHED
    if isinstance(answer, Unknown):
        return BUSY if answer == limits.BUSY else Uncertain(answer.because)
    if answer.status in (200, 201, 204):
        return _written(answer, path, before=conditional and answer.status != 201)
    return _refused(answer, path.partition("/")[0], conditional)


def _written(answer: HttpAnswer, path: str, before: bool) -> WriteAnswer:
    """By Location, as RFC 9110 has it for 201; by the body where a server gives that alone."""
    body = _decoded(answer.body)
    resource_type, _, id_ = path.partition("/")
    etag = answer.headers.get("etag", "").removeprefix("W/").strip('"')
    named = _REFERENCE.search(answer.headers.get("location", "").partition("?")[0])
    if named and named[1] == resource_type and ID.fullmatch(named[2]):
        return Written(f"{resource_type}/{named[2]}", named[3] or etag, before)
    if body.resourceType == resource_type and ID.fullmatch(body.id):
        version = body.meta.get("versionId", "")
        return Written(f"{resource_type}/{body.id}", etag or str(version), before)
    if id_:
        return Written(path, etag, before)
    return Uncertain("the EHR said that it was written, but not where")


def _refused(answer: HttpAnswer, resource_type: str, conditional: bool) -> WriteAnswer:
    status = answer.status
    if status == 412:
        return SEVERAL if conditional else CHANGED
    if status in (404, 405, 501):
        return not_offered(resource_type)
    known = {401: SIGNED_OUT, 403: FORBIDDEN, 409: CHANGED, 429: BUSY, 503: BUSY}
    if status in known:
        return known[status]
    if 300 <= status < 400:
        return REDIRECTED
    if 400 <= status < 500 and status != 408:
        codes = (issue.code for issue in _decoded(answer.body).issue)
        known_codes = tuple(dict.fromkeys(code for code in codes if _CODE.fullmatch(code)))
        because = "the EHR does not accept it in this form"
        return Refused("invalid", because, known_codes[:_MOST_CODES])
    return Uncertain(f"the EHR answered with HTTP status {status}")


def _decoded(body: bytes) -> _Body:
    try:
        return _body.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _Body()


def if_none_exist(identifier: Mapping[str, str]) -> str:
    """The search of a conditional create (FHIR R4, http.html#ccreate). Raises ValueError for an
    identifier that could be another search."""
    system, value = identifier["system"], identifier["value"]
    if not re.fullmatch(r"[A-Za-z0-9:/._-]+\|[A-Za-z0-9:._-]+", f"{system}|{value}"):
        raise ValueError("the identifier holds characters that ours never has")
    return f"identifier={system}|{value}"
