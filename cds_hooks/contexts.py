"""The contexts of the hooks, read strictly where it matters (CDS Hooks Library 1.0.1, R4).

One class a shape. What is there but ill-typed is refused with 400; what published clients leave
out or write the old way is read as meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing_rules.fhir.tolerant import absent, as_objects
from cds_hooks.errors import malformed

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


def read(hook: str, context: object, user: str) -> Context:
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
        raise malformed(f"context.{key} is no resource.")
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
