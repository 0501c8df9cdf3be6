"""From what a user holds (a hook request, or an order with its chart) to reviews.

A hook request is judged by the very function that answers it in the service; an order with its
chart by billing_rules.assess, as all are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from billing_rules.assess import assess, read_orders, read_patient
from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import ASKED_BY_CODE, DATA_NEEDED
from billing_rules.fhir import reading
from billing_rules.fhir.json.decoding import JsonObject, RawResource
from billing_rules.fhir.read.chart import Part
from billing_rules.fhir.read.orders import READERS
from billing_rules.model.entities import OrderLine
from billing_rules.model.states import NOTHING, Present, Unknown
from billing_rules.review import OrderReview
from cds_hooks import answers
from cds_hooks.errors import RequestRefused
from cds_hooks.request import hook_request
from cds_hooks.request.hook_request import HookRequest, OrderContext
from cds_hooks.services import ORDERS, SERVICES, Service
from ehr_access.resources import AnotherPatient, about, is_anothers
from vialwise.terminal import CommandProblem

# ----------------------------------------------------------------------
# Files the user names: read within bounds, told apart, and refused in one line.


LARGEST = 64 * 1024 * 1024
STDIN = "-"


def read_json(name: str) -> tuple[bytes, dict[str, Any]]:
    """The file's bytes, and the JSON object in them. Raises Problem."""
    content = read_bytes(name)
    shown = "standard input" if name == STDIN else name
    if not content.strip():
        raise CommandProblem(
            f"{shown} is empty: give a CDS Hooks request or a FHIR resource in JSON"
        )
    try:
        value = json.loads(content)
    except UnicodeDecodeError:
        raise CommandProblem(f"{shown} is not text: give JSON, in UTF-8") from None
    except RecursionError:
        raise CommandProblem(f"{shown} is nested too deeply to be FHIR: check the file") from None
    except ValueError as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise CommandProblem(
            f"{shown} is not JSON{place}: FHIR in XML must be converted first"
        ) from None
    if not isinstance(value, dict):
        raise CommandProblem(
            f"{shown} holds no JSON object: give a CDS Hooks request or a FHIR resource"
        )
    return content, value


def read_bytes(name: str) -> bytes:
    """The content of a file, or of standard input for "-". Raises Problem."""
    try:
        if name == STDIN:
            content = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise CommandProblem(f"{name} does not exist: check the path") from None
    except IsADirectoryError:
        raise CommandProblem(f"{name} is a folder: name one JSON file in it") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise CommandProblem(
            f"{name} cannot be read ({why}): check the path and its rights"
        ) from None
    if len(content) > LARGEST:
        raise CommandProblem(
            f"{name} has more than {LARGEST >> 20} MB: give the order and its chart only"
        )
    return content


# ----------------------------------------------------------------------
# From what a user holds (a hook request, or an order with its chart) to reviews. No I/O.
#
# A hook request is judged by the very function that answers it in the service; an order with its
# chart by billing_rules.assess, as all are.


# What a resource refers to may stand in a resource of its own beside it: a payer's name, a drug.
_BESIDE = {"Coverage": ("Organization",), "ResearchSubject": ("ResearchStudy",)} | {
    kind: ("Medication",)
    for kind in (
        "MedicationRequest",
        "MedicationStatement",
        "MedicationDispense",
        "MedicationAdministration",
    )
}
# The chart's part -> the resource types it is read from.
PART_TYPES: Mapping[str, tuple[str, ...]] = {
    need.key: (need.resource_type, *_BESIDE.get(need.resource_type, ())) for need in DATA_NEEDED
}
NO_CHART = Unknown("no chart was given")
MOST_NESTED = 64
NOT_OURS = "No order here is for a drug of the catalogue: there was nothing to check."
UNOBTAINABLE = 412  # what the service cannot do without was not sent (cds_hooks/errors.py)


class NothingToCheck(ValueError):
    """The input holds no order, or data of two patients. The message says the remedy."""


@dataclass(frozen=True, slots=True)
class Question:
    """An order with its chart: drafts as JSON, and the chart's parts."""

    drafts: list[JsonObject]
    parts: Mapping[str, Any] = field(default_factory=dict)
    elsewhere: Sequence[object] = ()  # Bundles with resources that the drafts may refer to
    asked_by_code: frozenset[str] = ASKED_BY_CODE


@dataclass(frozen=True, slots=True, repr=False)
class HookQuestion:
    """A hook request, and the service that answers its hook."""

    hook: HookRequest
    service: Service


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The reviews, sentences on what could not be read, and why there is no review if none is."""

    reviews: tuple[OrderReview, ...]
    unread: tuple[str, ...] = ()
    nothing: str = NOT_OURS

    @property
    def has_findings(self) -> bool:
        return any(r.findings for r in self.reviews)

    @property
    def has_gaps(self) -> bool:
        return bool(self.unread) or any(r.not_checked for r in self.reviews)


def is_hook_request(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("hook"), str) and "resourceType" not in value


def of_hook_request(body: bytes, hook_name: str) -> HookQuestion:
    """The question a CDS Hooks request to `hook_name` asks, of the service that answers it.

    Raises NothingToCheck for a request that the service would refuse, or with data of two patients.
    """
    service = next((s for s in SERVICES.values() if hook_name in s.hooks), ORDERS)
    try:
        hook = hook_request.parse(body, service, MOST_NESTED)
    except RequestRefused as error:
        raise _refused(error) from None
    if isinstance(hook.context, OrderContext):
        check_patient(reading.entries(hook.context.draft_orders), hook.context.patient_id)
    return HookQuestion(hook, service)


ANOTHER_PATIENT = "it holds data of another patient than the order's: give those of one patient"


def of_order(order: JsonObject, chart: JsonObject | None) -> Question:
    """The question an order file asks, with the chart's Bundle when there is one.

    Raises NothingToCheck for a file without an order, or with data of two patients.
    """
    resources, charted = list(reading.entries(order)), list(reading.entries(chart or {}))
    check_holds_an_order(resources)
    patients = [r for r in (*charted, *resources) if r.get("resourceType") == "Patient"]
    if patients and isinstance(patients[0].get("id"), str):
        check_patient((*resources, *charted), str(patients[0]["id"]))
    drafts, beside = _told_apart(resources)
    parts = chart_parts(drafts, (*beside, *charted), chart is not None)
    return Question(drafts, parts, elsewhere=[order, chart or {}], asked_by_code=frozenset())


def _told_apart(resources: Iterable[JsonObject]) -> tuple[list[JsonObject], list[JsonObject]]:
    """The orders in a file and what stands beside them. Where any order is a draft, those that are
    none are history."""
    orders = [r for r in resources if _can_be_order(r)]
    drafts = [r for r in orders if r.get("status") == "draft"] or orders
    return drafts, [r for r in resources if not any(r is draft for draft in drafts)]


def check_holds_an_order(drafts: Iterable[JsonObject]) -> None:
    """Raises NothingToCheck when nothing among `drafts` can be an order."""
    if not any(map(_can_be_order, drafts)):
        kinds = ", ".join(READERS)
        raise NothingToCheck(f"there is no order in it: give one of {kinds}, or a Bundle of them")


def _can_be_order(resource: JsonObject) -> bool:
    return str(resource.get("resourceType")) in READERS  # whatever JSON stands there


def check_patient(resources: Iterable[RawResource | JsonObject], patient_id: str) -> None:
    """Raises NothingToCheck when a resource is about somebody else."""
    for resource in resources:
        told = about(resource)
        if told is not None and is_anothers(told, patient_id):
            raise NothingToCheck(ANOTHER_PATIENT)


def chart_parts(
    drafts: Iterable[JsonObject], charted: Iterable[JsonObject], has_chart: bool
) -> dict[str, Part]:
    """The chart's parts. What a given chart does not hold is none; without one it is unknown."""
    encounters = set(_encounters(drafts))
    everything = [r for r in charted if _belongs(r, encounters)]
    parts: dict[str, Part] = {}
    for need in DATA_NEEDED:
        types = PART_TYPES[need.key]
        found = [dict(r) for r in everything if r.get("resourceType") in types]
        whole = any(r["resourceType"] == types[0] for r in found)
        # There may be more than what stands beside an order; its coverage or visit is meant.
        gap = (NO_CHART,) if need.each_counts and not has_chart else ()
        absent = NOTHING if has_chart else NO_CHART
        parts[need.key] = Present((*found, *gap)) if whole else absent
    return parts


def _encounters(drafts: Iterable[JsonObject]) -> Iterable[str]:
    for draft in drafts:
        encounter = draft.get("encounter") or draft.get("context")
        reference = encounter.get("reference") if isinstance(encounter, dict) else None
        if isinstance(reference, str):
            yield reference.rpartition("/")[2].removeprefix("urn:uuid:")


def _belongs(resource: JsonObject, encounters: set[str]) -> bool:
    """Of all the visits in a chart only the order's own says where the drug is given."""
    return resource.get("resourceType") != "Encounter" or resource.get("id") in encounters


def answer(
    question: Question | HookQuestion,
    catalogue: Catalogue,
    today: date,
    *,
    on: date | None = None,
    payer_id: str | None = None,
) -> CheckResult:
    """Every order reviewed. `on` is the date of service whatever the order says; `today` is it
    for orders that say none. Raises NothingToCheck for a hook request that the service would
    refuse."""
    if isinstance(question, HookQuestion):
        return _of_service(question, catalogue, on or today, on, payer_id)
    lines = read_orders(question.drafts, catalogue, question.elsewhere)
    if on is not None:
        lines = tuple(replace(line, date_of_service=on) for line in lines)
    patient = read_patient(question.parts, catalogue, on or today, question.asked_by_code)
    return CheckResult(assess(lines, patient, payer_id=payer_id), tuple(_unread(lines)))


def _of_service(
    question: HookQuestion,
    catalogue: Catalogue,
    today: date,
    on: date | None,
    payer_id: str | None,
) -> CheckResult:
    """What the service would write cards from, with the settings that it has when none is given.

    Nothing is asked of an EHR here, whatever token the request lends.
    """
    hook, context = question.hook, question.hook.context
    basis = answers.Basis(catalogue, today, payer_id=payer_id, on=on)
    try:
        found = answers.ANSWERS[question.service.id](hook, basis)
    except RequestRefused as error:
        raise _refused(error, asks_ehr=hook.authorization is not None) from None
    except AnotherPatient:
        raise NothingToCheck(ANOTHER_PATIENT) from None
    drafts = context.draft_orders if isinstance(context, OrderContext) else None
    lines = read_orders(drafts, catalogue)
    because = NOT_OURS if found is None else f"The service would say nothing at {hook.hook}."
    return CheckResult(found or (), tuple(_unread(lines)), because)


def _refused(error: RequestRefused, asks_ehr: bool = False) -> NothingToCheck:
    """What the service would answer; where it would ask the EHR first, that this was not done."""
    why = error.why.rstrip(".")
    if error.status == UNOBTAINABLE and asks_ehr:
        return NothingToCheck(f"the EHR was not asked: {why}. Put it into the prefetch")
    return NothingToCheck(f"the service would refuse it: {why}. Correct the request")


def _unread(lines: Iterable[OrderLine]) -> Iterable[str]:
    for line in lines:
        for sentence in line.unread:
            yield f"{line.place}: {sentence}"
