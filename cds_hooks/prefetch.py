"""What was sent with the request, each part present, none, or unknown with its reason.

CDS Hooks 2.0.1, "Prefetch Template": a key that is absent was not answered, null means asked and
nothing found, an OperationOutcome means that the EHR failed. Only the second is "none": the first
and third may never become "missing".
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from billing_rules.data_needed import DataNeed
from billing_rules.fhir.chart import Part
from billing_rules.fhir.reading import SearchPage, bundle_resources
from billing_rules.fhir.searchset import RawResource
from billing_rules.states import NOTHING, Present, Unknown
from cds_hooks.hook_request import HookRequest
from cds_hooks.patient_match import AnotherPatient, about, is_anothers

NOT_SENT = Unknown("the EHR did not send it")
NO_ENCOUNTER = Unknown("the request names no encounter")
FAILED = Unknown("the EHR reported an error")
UNREADABLE = Unknown("what the EHR sent could not be read")
MORE_PAGES = Unknown("the EHR sent a first page only")
SOMETHING_ELSE = Unknown("the EHR sent something else in its place")


def complete(hook: HookRequest, needs: Iterable[DataNeed]) -> dict[str, Part]:
    """Every needed part by key. Raises AnotherPatient when any is about somebody else."""
    return {need.key: _part(hook, need) for need in needs}


def _part(hook: HookRequest, need: DataNeed) -> Part:
    raw = hook.prefetch.get(need.key)
    if raw is None:
        asked = "encounterId" not in need.template or hook.context.encounter_id
        return NOT_SENT if asked else NO_ENCOUNTER
    sent = _unwrapped(bytes(raw).strip())
    if isinstance(sent, Unknown):
        return sent
    return NOTHING if sent == b"null" else _read(sent, need, hook.context.patient_id)


class _Wrapped(msgspec.Struct):
    """The old form of a prefetch value: `{"response": {"status": ...}, "resource": ...}`."""

    resourceType: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # noqa: N815 - FHIR's name
    resource: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    response: dict[str, msgspec.Raw] | None = None


_WRAPPED = msgspec.json.Decoder(_Wrapped)


def _unwrapped(sent: bytes) -> bytes | Unknown:
    """The value itself, taken out of the old wrapper where it stands in one."""
    if not sent.startswith(b"{"):
        return sent
    try:
        value = _WRAPPED.decode(sent)
    except (ValueError, RecursionError):
        return sent
    if value.resourceType is not msgspec.UNSET or value.resource is msgspec.UNSET:
        return sent
    status = bytes((value.response or {}).get("status", b'"200"')).strip(b'" ')
    return bytes(value.resource).strip() if status.startswith(b"2") else FAILED


def _read(sent: bytes, need: DataNeed, patient_id: str) -> Part:
    page = bundle_resources(sent)
    if isinstance(page, Unknown):
        told = about(sent)
        return FAILED if told and told.resourceType == "OperationOutcome" else UNREADABLE
    found = _of_the_patient(page, need, patient_id)
    gap = _gap(page, need, found)
    if gap:
        return Present((*found, gap)) if need.each_counts and found else gap
    return Present(found) if found else NOTHING


def _of_the_patient(page: SearchPage, need: DataNeed, patient_id: str) -> tuple[RawResource, ...]:
    """The matches of the wanted type and what came along with them."""
    told = [(resource, about(resource)) for resource in (*page.matches, *page.included)]
    if any(what is not None and is_anothers(what, patient_id) for _, what in told):
        raise AnotherPatient(need.key)
    wanted = [r for r, what in told if what and what.resourceType == need.resource_type]
    return (*wanted, *page.included)


def _gap(page: SearchPage, need: DataNeed, found: tuple[RawResource, ...]) -> Unknown | None:
    """Why nothing may be concluded from what is missing on this page, or None."""
    if page.problem:
        return Unknown(page.problem)
    if page.has_next and not (need.newest_first and found):
        return MORE_PAGES
    if page.matches and not found:
        return SOMETHING_ELSE
    unread = page.unread and (need.each_counts or not found)
    return UNREADABLE if unread else None
