"""The body of a service call, read strictly where it matters and laxly where clients are lax.

CDS Hooks 2.0.1, "HTTP Request". About one in three published request bodies breaks its letter:
null or "" for what is absent, `Patient/` before the patient id, the user beside the context. Those
are read as meant; a missing or ill-typed required field is refused with 400.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from billing_rules.fhir.tolerant import absent
from cds_hooks import exact_json
from cds_hooks.errors import malformed
from cds_hooks.services import Service

_NOT_STAFF = ("Patient", "RelatedPerson")


@dataclass(frozen=True, slots=True, repr=False)
class Authorization:
    """The access token an EHR lends for one request; never logged, never kept."""

    access_token: str
    scope: str
    subject: str
    patient: str
    expires_in: int | None


@dataclass(frozen=True, slots=True, repr=False)
class OrderContext:
    """The context of order-select and order-sign (CDS Hooks Library 1.0.1).

    `draft_orders` is the Bundle as sent. `selections` is None where the hook has none: all
    drafts are meant.
    """

    user: str
    patient_id: str
    encounter_id: str
    draft_orders: Mapping[str, Any]
    selections: frozenset[str] | None

    @property
    def user_is_staff(self) -> bool:
        """False for patients and relatives, who get no billing cards (CDS Hooks Library)."""
        return not any(kind in _NOT_STAFF for kind in self.user.split("/")[:-1])


@dataclass(frozen=True, slots=True, repr=False)
class HookRequest:
    """One service call. `prefetch` values are not decoded: most orders are never ours."""

    hook: str
    instance: str
    context: OrderContext
    fhir_server: str
    authorization: Authorization | None
    prefetch: Mapping[str, msgspec.Raw]


def parse(body: bytes, service: Service, max_depth: int) -> HookRequest:
    """The request in `body`, addressed to `service`. Raises Refused (400)."""
    try:
        members = exact_json.members(body.removeprefix(b"\xef\xbb\xbf"))
        prefetch = members.pop("prefetch", None)
        said = {key: exact_json.decode(members[key], max_depth) for key in _READ & members.keys()}
        parts = _prefetch(prefetch)
    except exact_json.NotReadable as error:
        raise malformed(f"{error}."[0].upper() + f"{error}."[1:]) from None
    hook = _required_text(said, "hook")
    if hook not in service.hooks:
        raise malformed("This service does not answer that hook.")
    server = _text(said, "fhirServer")
    authorization = _authorization(said)
    if authorization and not server:
        raise malformed("fhirAuthorization needs fhirServer.")
    return HookRequest(
        hook=hook,
        instance=_required_text(said, "hookInstance"),
        context=_CONTEXTS[hook](_context(said), _user(said)),
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


def _authorization(said: Mapping[str, Any]) -> Authorization | None:
    """fhirAuthorization, None when absent or without a token (published clients send both)."""
    value = said.get("fhirAuthorization")
    if absent(value):
        return None
    if not isinstance(value, dict):
        raise malformed("fhirAuthorization is not an object.")
    token = _text(value, "access_token")
    if not token:
        return None
    seconds = value.get("expires_in")
    return Authorization(
        access_token=token,
        scope=_text(value, "scope"),
        subject=_text(value, "subject"),
        patient=bare_id(_text(value, "patient"), "Patient"),
        expires_in=seconds if isinstance(seconds, int) else None,
    )


# ---------------------------------------------------------------- context


def _context(said: Mapping[str, Any]) -> dict[str, Any]:
    context = said.get("context")
    if not isinstance(context, dict):
        raise malformed("context is missing or not an object.")
    return context


def _user(said: Mapping[str, Any]) -> str:
    """The user beside the context, where clients of CDS Hooks before 1.0 put it."""
    return _text(said, "user") or _text(said, "userId")


def _order_sign(context: dict[str, Any], user: str) -> OrderContext:
    return _orders(context, user, None)


def _order_select(context: dict[str, Any], user: str) -> OrderContext:
    selections = context.get("selections")
    if not isinstance(selections, list) or not all(isinstance(s, str) for s in selections):
        raise malformed("context.selections is missing or not a list of references.")
    return _orders(context, user, frozenset(s.strip() for s in selections if s.strip()))


def _orders(
    context: dict[str, Any], user: str, selections: frozenset[str] | None
) -> OrderContext:
    drafts = context.get("draftOrders")
    if not isinstance(drafts, dict) or drafts.get("resourceType", "Bundle") != "Bundle":
        raise malformed("context.draftOrders is missing or not a Bundle.")
    user = _text(context, "userId") or user
    if not user:
        raise malformed("context.userId is missing.")
    return OrderContext(
        user=user,
        patient_id=bare_id(_required_text(context, "patientId"), "Patient"),
        encounter_id=bare_id(_text(context, "encounterId"), "Encounter"),
        draft_orders=drafts,
        selections=selections,
    )


# hook -> how its context is read
_CONTEXTS: dict[str, Callable[[dict[str, Any], str], OrderContext]] = {
    "order-select": _order_select,
    "order-sign": _order_sign,
}


def bare_id(reference: str, kind: str) -> str:
    """The id in `Patient/123`, or `123` itself."""
    return reference.removeprefix(f"{kind}/")


def _text(values: Mapping[str, Any], key: str) -> str:
    """The string under `key`; "" when absent or null."""
    value = values.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"{key} is not a string.")
    return value.strip()


def _required_text(values: Mapping[str, Any], key: str) -> str:
    text = _text(values, key)
    if not text:
        raise malformed(f"{key} is missing.")
    return text
