"""What was sent with the request, and what the EHR gave to complete it, in data states.

CDS Hooks 2.0.1, "Prefetch Template": a key that is absent was not answered, null means asked and
nothing found, an OperationOutcome means that the EHR failed. Only the second is "none": the first
and third may never become "missing".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from billing_rules.data_needed import OLDER_LEFT, DataNeed
from billing_rules.fhir.json.decoding import Part, RawResource, SearchPage, searched
from billing_rules.fhir.json.shapes import OperationOutcomeResource, Resource
from billing_rules.model.states import NOTHING, Present, Unknown
from cds_hooks.request.hook_request import HookRequest
from ehr_access import limits
from ehr_access.query import Query, query_for
from ehr_access.resources import AnotherPatient, about, is_anothers, of_patient

if TYPE_CHECKING:  # a service that is lent no token starts without requests
    from cds_hooks.calls.fhir_authorization import EhrAccess

NOT_SENT = Unknown("the EHR did not send it")
NO_ENCOUNTER = Unknown("the request names no encounter")
FAILED = Unknown("the EHR reported an error")
UNREADABLE = Unknown("what the EHR sent could not be read")
MORE_PAGES = Unknown("the EHR sent a first page only")


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent under one key. `absent`: nothing was, so it may be fetched.

    `next_url` is set when it was a first page; `found` is what that page held.
    """

    part: Part
    absent: bool = False
    found: tuple[RawResource, ...] = ()
    next_url: str | None = None


def complete(
    hook: HookRequest,
    needs: Iterable[DataNeed],
    ehr: EhrAccess | None = None,
    also: Mapping[str, Query] | None = None,
) -> dict[str, Part]:
    """Every needed part by key: what was sent, and from `ehr` what was not, all at once.

    Further pages of what was sent are fetched too. `also` are queries asked at the same time, for
    parts of their own keys. Raises AnotherPatient when any part is about somebody else.
    """
    needed = {need.key: need for need in needs}
    sent = {key: _sent(hook, need) for key, need in needed.items()}
    parts = {key: one.part for key, one in sent.items()}
    if ehr is None:
        return parts
    queries: dict[str, Query] = {}  # nothing for what was sent whole, or has no id to ask with
    for key, need in needed.items():
        if sent[key].absent or sent[key].next_url is not None:
            query = query_for(need, hook.context.patient_id, hook.context.encounter_id)
            if query:
                queries[key] = replace(query, begin_at=sent[key].next_url or "")
    queries.update(also or {})
    fetched = ehr.fetch(queries) if queries else {}
    for key, part in fetched.items():
        checked = of_patient(part, key, queries[key].resource_type, hook.context.patient_id)
        parts[key] = _joined(sent[key], checked, needed[key]) if key in sent else checked
    return parts


def _joined(sent: _Sent, fetched: Part, need: DataNeed) -> Part:
    """The first page as it was sent and the pages after it."""
    if sent.next_url is None or not sent.found:
        return fetched
    if isinstance(fetched, Unknown):
        return Present((*sent.found, fetched)) if need.each_counts else fetched
    return Present((*sent.found, *(fetched.value if isinstance(fetched, Present) else ())))


def _sent(hook: HookRequest, need: DataNeed) -> _Sent:
    raw = hook.prefetch.get(need.key)
    if raw is None:
        named = "encounterId" not in need.template or hook.context.encounter_id
        return _Sent(NOT_SENT if named else NO_ENCOUNTER, absent=True)
    sent = _unwrapped(bytes(raw).strip())
    if isinstance(sent, Unknown):
        return _Sent(sent)
    if sent == b"null":
        return _Sent(NOTHING)
    page = searched(sent)
    if isinstance(page, Unknown):
        failed = isinstance(about(sent), OperationOutcomeResource)
        return _Sent(FAILED if failed else UNREADABLE)
    found = _of_the_patient(page, need, hook.context.patient_id)
    gap = _gap(page, need, found)
    if gap is None:
        return _Sent(Present(found) if found else NOTHING)
    proven = need.each_counts or gap is OLDER_LEFT
    part = Present((*found, gap)) if proven and found else gap
    return _Sent(part, found=found, next_url=page.next_url if gap is MORE_PAGES else None)


class _Wrapped(msgspec.Struct):
    """The old form of a prefetch value: `{"response": {"status": ...}, "resource": ...}`."""

    resourceType: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - FHIR's name
    resource: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    response: dict[str, msgspec.Raw] | None = None


_WRAPPED = msgspec.json.Decoder(_Wrapped)


def _unwrapped(sent: bytes) -> bytes | Unknown:
    """The value itself, taken out of the old wrapper where it stands in one."""
    if not sent.startswith(b"{") or sent.startswith(b'{"resourceType":"'):
        return sent
    try:
        value = _WRAPPED.decode(sent)
    except (ValueError, RecursionError):
        return sent
    if value.resourceType is not msgspec.UNSET or value.resource is msgspec.UNSET:
        return sent
    status = bytes((value.response or {}).get("status", b'"200"')).strip(b'" ')
    return bytes(value.resource).strip() if status.startswith(b"2") else FAILED


def _of_the_patient(page: SearchPage, need: DataNeed, patient_id: str) -> tuple[RawResource, ...]:
    """The matches of the wanted type and what came along with them."""
    matches: list[RawResource] = []
    for place, one in enumerate((*page.matches, *page.included)):
        what = one if isinstance(one, Resource) else about(one)
        if what is None:
            continue
        if is_anothers(what, patient_id):
            raise AnotherPatient(need.key)
        if place < len(page.matches) and what.kind == need.resource_type:
            matches.append(one)
    return (*matches, *page.included)


def _gap(page: SearchPage, need: DataNeed, found: tuple[RawResource, ...]) -> Unknown | None:
    """Why nothing may be concluded from what is missing on this page, or None."""
    if page.problem:
        return Unknown(page.problem)
    if page.next_url is not None:
        return OLDER_LEFT if need.newest_first and found else MORE_PAGES
    if page.next_url is None and (page.total or 0) > page.entries:  # it counts more than it gives
        return OLDER_LEFT if need.newest_first and found else limits.INCOMPLETE
    if page.matches and not found:
        return limits.SOMETHING_ELSE
    unread = page.unread and (need.each_counts or not found)
    return UNREADABLE if unread else None
