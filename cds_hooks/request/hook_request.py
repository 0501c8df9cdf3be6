"""The contexts of the hooks, read strictly where it matters (CDS Hooks Library 1.0.1, R4).

One class a shape. What is there but ill-typed is refused with 400; what published clients leave
out or write the old way is read as meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from billing_rules.fhir.json.values import absent, as_number, as_objects
from cds_hooks import exact_json
from cds_hooks.errors import RequestRefused, malformed
from cds_hooks.services import Service

_NOT_STAFF = ("Patient", "RelatedPerson")
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class PatientContext:
    """What every context says; all of that of patient-view and encounter-discharge.

    `user` is "" for order-dispatch, which has none.
    """

    user: str
    patient_id: str
    encounter_id: str

    @property
    def user_is_staff(self) -> bool:
        """False for patients and relatives, who get no billing cards (CDS Hooks Library)."""
        return not any(kind in _NOT_STAFF for kind in self.user.split("/")[:-1])


@dataclass(frozen=True, slots=True, repr=False)
class OrderContext(PatientContext):
    """order-select and order-sign.

    `draft_orders` is the Bundle as sent. `selections` is None where the hook has none: all
    drafts are meant.
    """

    draft_orders: Resource
    selections: frozenset[str] | None


@dataclass(frozen=True, slots=True, repr=False)
class DispatchContext(PatientContext):
    """order-dispatch: signed orders by reference, and the Tasks that hand them on."""

    orders: tuple[str, ...]
    performer: str
    tasks: tuple[Resource, ...]


@dataclass(frozen=True, slots=True, repr=False)
class AppointmentContext(PatientContext):
    """appointment-book: the proposed Appointments of a Bundle."""

    appointments: Resource


Context = PatientContext
Values = Mapping[str, Any]


def read_context(hook: str, context: object, user: str) -> Context:
    """The context of a `hook` that READERS knows; `user` is the one beside it (CDS Hooks before
    1.0). Raises Refused (400)."""
    if not isinstance(context, dict):
        raise malformed("context is missing or not an object.")
    return READERS[hook](context, user)


# ---------------------------------------------------------------- one hook each


def _patient_view(context: Values, user: str) -> PatientContext:
    return PatientContext(*_people(context, user))


def _encounter_discharge(context: Values, user: str) -> PatientContext:
    required_text(context, "encounterId")
    return PatientContext(*_people(context, user))


def _order_sign(context: Values, user: str) -> OrderContext:
    return _orders(context, user, None)


def _order_select(context: Values, user: str) -> OrderContext:
    return _orders(context, user, frozenset(_references(context, "selections", required=True)))


def _orders(context: Values, user: str, selections: frozenset[str] | None) -> OrderContext:
    drafts = _bundle(context, "draftOrders")
    return OrderContext(*_people(context, user), drafts, selections)


def _order_dispatch(context: Values, user: str) -> DispatchContext:
    """1.1 has `dispatchedOrders` and `fulfillmentTasks`, 1.0 `order` and `task`; the library's own
    example of 1.1 writes `fulfillment-tasks`."""
    orders = _references(context, "dispatchedOrders")
    orders = orders or tuple(filter(None, [text(context, "order")]))
    if not orders:
        raise malformed("context.dispatchedOrders is missing or empty.")
    names = ("fulfillmentTasks", "fulfillment-tasks", "task")
    tasks = [task for name in names for task in _resources(context, name)]
    return DispatchContext(
        user=text(context, "userId") or user,
        patient_id=bare_id(required_text(context, "patientId"), "Patient"),
        encounter_id=bare_id(text(context, "encounterId"), "Encounter"),
        orders=tuple(dict.fromkeys(orders)),
        performer=required_text(context, "performer"),
        tasks=tuple(tasks),
    )


def _appointment_book(context: Values, user: str) -> AppointmentContext:
    return AppointmentContext(*_people(context, user), _bundle(context, "appointments"))


# hook -> how its context is read
READERS: dict[str, Callable[[Values, str], Context]] = {
    "patient-view": _patient_view,
    "order-select": _order_select,
    "order-sign": _order_sign,
    "order-dispatch": _order_dispatch,
    "encounter-discharge": _encounter_discharge,
    "appointment-book": _appointment_book,
}


# ---------------------------------------------------------------- parts of a context


def _people(context: Values, user: str) -> tuple[str, str, str]:
    """User, patient and encounter."""
    user = text(context, "userId") or user
    if not user:
        raise malformed("context.userId is missing.")
    return (
        user,
        bare_id(required_text(context, "patientId"), "Patient"),
        bare_id(text(context, "encounterId"), "Encounter"),
    )


def _bundle(context: Values, key: str) -> Resource:
    value = context.get(key)
    if not isinstance(value, dict) or value.get("resourceType", "Bundle") != "Bundle":
        raise malformed(f"context.{key} is missing or not a Bundle.")
    return value


def _references(context: Values, key: str, required: bool = False) -> tuple[str, ...]:
    value = context.get(key)
    if value is None and not required:
        return ()
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise malformed(f"context.{key} is missing or not a list of references.")
    return tuple(v.strip() for v in value if v.strip())


def _resources(context: Values, key: str) -> Sequence[Resource]:
    value = context.get(key)
    if not absent(value) and not isinstance(value, (dict, list)):
        raise malformed(f"context.{key} is not a resource.")
    return as_objects(value)


def bare_id(reference: str, kind: str) -> str:
    """The id in `Patient/123`, or `123` itself."""
    return reference.removeprefix(f"{kind}/")


def text(values: Values, key: str) -> str:
    """The string under `key`; "" when absent or null. Raises Refused (400) for anything else."""
    value = values.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"{key} is not a string.")
    return value.strip()


def required_text(values: Values, key: str) -> str:
    """The string under `key`, which must be there. Raises Refused (400)."""
    found = text(values, key)
    if not found:
        raise malformed(f"{key} is missing.")
    return found


# ----------------------------------------------------------------------
# The body of a service call, read strictly where it matters and laxly where clients are lax.
#
# CDS Hooks 2.0.1, "HTTP Request". About one in three published request bodies breaks its letter:
# null or "" for what is absent, `Patient/` before the patient id, the user beside the context.
# Those are read as meant; a missing or ill-typed required field is refused with 400.


@dataclass(frozen=True, slots=True, repr=False)
class FhirAuthorization:
    """The access token an EHR lends for one request; never logged, never kept."""

    access_token: str
    scope: str
    subject: str
    patient: str
    expires_in: Decimal | None
    bearer: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class HookRequest:
    """One service call. `prefetch` values are not decoded: most orders are never ours."""

    hook: str
    instance: str
    context: Context
    fhir_server: str
    authorization: FhirAuthorization | None
    prefetch: Mapping[str, msgspec.Raw]


def parse(body: bytes, service: Service, max_depth: int) -> HookRequest:
    """The request in `body`, addressed to `service`. Raises Refused (400)."""
    try:
        members = exact_json.members(body)
        prefetch = members.pop("prefetch", None)
        said = {key: exact_json.decode(members[key], max_depth) for key in _READ & members.keys()}
        parts = _prefetch(prefetch)
    except exact_json.UnreadableJson as error:
        raise malformed(f"{error}."[0].upper() + f"{error}."[1:]) from None
    hook = required_text(said, "hook")
    if hook not in service.hooks:
        raise malformed("This service does not answer that hook.")
    server = text(said, "fhirServer")
    authorization = _authorization(said)
    if authorization and not server:
        raise malformed("fhirAuthorization needs fhirServer.")
    return HookRequest(
        hook=hook,
        instance=required_text(said, "hookInstance"),
        context=read_context(hook, said.get("context"), _user(said)),
        fhir_server=server,
        authorization=authorization,
        prefetch=parts,
    )


_READ = frozenset(
    {"hook", "hookInstance", "context", "fhirServer", "fhirAuthorization", "user", "userId"}
)


def _prefetch(raw: msgspec.Raw | None) -> dict[str, msgspec.Raw]:
    if raw is None or bytes(raw).strip() in (b"null", b'""', b"[]"):
        return {}
    return exact_json.members(raw)


# ---------------------------------------------------------------- authorization


def _authorization(said: Mapping[str, Any]) -> FhirAuthorization | None:
    """fhirAuthorization, None when absent or without a token (published clients send both)."""
    value = said.get("fhirAuthorization")
    if absent(value):
        return None
    if not isinstance(value, dict):
        raise malformed("fhirAuthorization is not an object.")
    token = text(value, "access_token")
    if not token:
        return None
    return FhirAuthorization(
        access_token=token,
        scope=text(value, "scope"),
        subject=text(value, "subject"),
        patient=bare_id(text(value, "patient"), "Patient"),
        bearer=text(value, "token_type").lower() in ("bearer", ""),
        expires_in=_lifetime(value.get("expires_in")),
    )


def _lifetime(value: object) -> Decimal | None:
    """Seconds; None when absent. What is not a number is no time at all."""
    if value is None:
        return None
    return as_number(value) or Decimal(0)


def _user(said: Mapping[str, Any]) -> str:
    """The user beside the context, where clients of CDS Hooks before 1.0 put it."""
    return text(said, "user") or text(said, "userId")


# ----------------------------------------------------------------------
# The body of a request, whole and bounded.


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_body(most_bytes: int) -> bytes:
    """The bytes sent, without a byte order mark. Raises Refused (413)."""
    body = _whole()
    if len(body) > most_bytes:
        raise RequestRefused(413)
    return body.removeprefix(_BYTE_ORDER_MARK)


def _whole() -> bytes:
    """All of it, asked for at once where its length is known: in the pieces of 64 KB that Flask
    asks for, gunicorn copies the rest of the body again for each of them."""
    from flask import request  # what reads a request from a file starts without the web

    length = request.content_length
    if not length:
        return request.get_data(cache=False)
    pieces = iter(lambda: request.stream.read(length), b"")
    return b"".join(pieces)
