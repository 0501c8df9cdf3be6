"""An order and its chart from a live FHIR server, for `vialwise check --fhir`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from billing_rules.fhir import reading
from billing_rules.fhir.json.decoding import JsonObject
from billing_rules.fhir.read.chart import Part
from billing_rules.fhir.read.orders import READERS
from billing_rules.model.states import Nothing, Present, Unknown
from ehr_access import limits as reasons
from ehr_access.base import AddressRefused, FhirBase
from ehr_access.client import EhrClient
from ehr_access.limits import Limits
from ehr_access.query import ID, Query, queries_for
from ehr_access.resources import encounter_id, references, resources_of
from ehr_access.server_metadata import Capabilities
from ehr_access.transport import Transport
from vialwise import terminal
from vialwise.checking import check
from vialwise.checking.check import Question, check_holds_an_order, check_patient
from vialwise.terminal import CommandProblem


def server(base: str, token_file: str | None) -> tuple[FhirBase, str | None]:
    """The server that the user named, and the token to send there. Raises Problem for what is not
    an address, and for a token that would be sent in the clear."""
    try:
        address = FhirBase.parse(base)
    except AddressRefused as error:
        raise CommandProblem(
            f"--fhir {base}: {error}; write it like https://ehr.example/fhir"
        ) from None
    token = check.read_bytes(token_file).decode("ascii", "replace").strip() if token_file else None
    if token and not address.carries_tokens:
        raise CommandProblem(
            f"--fhir {base}: a token is sent over https only: use the https address"
        )
    return address, token


def client(
    address: FhirBase, token: str | None, seconds: float, transport: Transport | None = None
) -> EhrClient:
    """A client of one server, which has `seconds` for everything together."""
    transport, limits = transport or Transport(), Limits(seconds=seconds)
    known = Capabilities(transport, limits)
    return EhrClient(address, transport, known, token=token, limits=limits)


def question(ehr: EhrClient, patient_id: str, order: str) -> Question:
    """The order (a file, or an id on the server) and the chart that the rules need.

    Raises Problem, and NothingToCheck for a file without an order or with another patient's data.
    """
    if not ID.fullmatch(patient_id):
        raise CommandProblem("--patient takes the id alone, like 12345, not a reference or a name")
    with terminal.progress("Asking the FHIR server"):
        drafts = _drafts(ehr, order)
        check_patient(drafts, patient_id)
        parts = _parts(ehr, drafts, patient_id)
        medications = _medications(ehr, drafts)
    return Question(drafts, parts, elsewhere=[medications])


# ---------------------------------------------------------------- the order


def _drafts(ehr: EhrClient, order: str) -> list[JsonObject]:
    if order == check.STDIN or Path(order).exists():
        drafts = list(reading.entries(check.read_json(order)[1]))
    else:
        drafts = [_on_server(ehr, order)]
    check_holds_an_order(drafts)
    return drafts


def _on_server(ehr: EhrClient, order: str) -> JsonObject:
    """The order with this id, `MedicationRequest/1` or `1`. Raises Problem."""
    kind, slash, id_ = order.rpartition("/")
    kinds = (kind,) if slash else tuple(READERS)
    if not ID.fullmatch(id_) or not set(kinds) <= set(READERS):
        raise CommandProblem(
            f"--order {order} is neither a file nor an id: check the path or the id"
        )
    found = ehr.fetch({k: Query(k, id_) for k in kinds})
    answers = [resource for part in found.values() for resource in resources_of(part)]
    if answers:
        return answers[0]
    _check_reached(found)
    because = f" ({said})" if (said := _why(found)) else ""
    raise CommandProblem(
        f"--order {order} was not found on the FHIR server{because}: check file or id"
    )


def _check_reached(found: Mapping[str, Part]) -> None:
    """Raises Problem when nothing that was asked for could be asked."""
    if all(state == reasons.NOT_REACHED for state in found.values()):
        raise CommandProblem("the FHIR server could not be reached: check --fhir and the network")


def _why(found: Mapping[str, Part]) -> str:
    """Each reason once, with the types it is of unless it is of all that was asked for."""
    kinds: dict[str, list[str]] = {}
    for kind, state in found.items():
        if isinstance(state, Unknown):
            kinds.setdefault(state.because, []).append(kind)
    return "; ".join(
        because if len(of) == len(found) else f"{', '.join(of)}: {because}"
        for because, of in sorted(kinds.items())
    )


# ---------------------------------------------------------------- the chart


def _parts(ehr: EhrClient, drafts: list[JsonObject], patient_id: str) -> dict[str, Part]:
    encounter = next(filter(None, map(encounter_id, drafts)), "")
    parts: dict[str, Part] = dict(ehr.fetch(queries_for(patient_id, encounter)))
    if isinstance(parts.get("patient"), Nothing):
        raise CommandProblem("the FHIR server has no such patient: check --patient")
    _check_reached(parts)
    for state in parts.values():
        found = state.value if isinstance(state, Present) else ()
        check_patient((f for f in found if not isinstance(f, Unknown)), patient_id)
    parts.setdefault("encounter", Unknown("the order names no encounter"))
    return parts


def _medications(ehr: EhrClient, drafts: Iterable[JsonObject]) -> list[JsonObject]:
    """The Medication resources that the drafts refer to."""
    wanted = {r for d in drafts for r in references(d, ("medicationReference",))}
    ids = {r.rpartition("/")[2] for r in wanted if r.startswith("Medication/")}
    found = ehr.fetch({id_: Query("Medication", id_) for id_ in ids if ID.fullmatch(id_)})
    return [medication for part in found.values() for medication in resources_of(part)]
