"""The body of a service call, read strictly where it matters and laxly where clients are lax.

CDS Hooks 2.0.1, "HTTP Request". About one in three published request bodies breaks its letter:
null or "" for what is absent, `Patient/` before the patient id, the user beside the context. Those
are read as meant; a missing or ill-typed required field is refused with 400.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from billing_rules.fhir.tolerant import absent, as_number
from cds_hooks import contexts, exact_json
from cds_hooks.contexts import Context, OrderContext, bare_id, required_text, text
from cds_hooks.errors import malformed
from cds_hooks.services import Service

__all__ = ["Authorization", "HookRequest", "OrderContext", "parse"]


@dataclass(frozen=True, slots=True, repr=False)
class Authorization:
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
    authorization: Authorization | None
    prefetch: Mapping[str, msgspec.Raw]


def parse(body: bytes, service: Service, max_depth: int) -> HookRequest:
    """The request in `body`, addressed to `service`. Raises Refused (400)."""
    try:
        members = exact_json.members(body)
        prefetch = members.pop("prefetch", None)
        said = {key: exact_json.decode(members[key], max_depth) for key in _READ & members.keys()}
        parts = _prefetch(prefetch)
    except exact_json.NotReadable as error:
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
        context=contexts.read(hook, said.get("context"), _user(said)),
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
    token = text(value, "access_token")
    if not token:
        return None
    return Authorization(
        access_token=token,
        scope=text(value, "scope"),
        subject=text(value, "subject"),
        patient=bare_id(text(value, "patient"), "Patient"),
        bearer=text(value, "token_type").lower() in ("bearer", ""),
        expires_in=_lifetime(value.get("expires_in")),
    )


def _lifetime(value: object) -> Decimal | None:
    """Seconds; None when absent. What is no number is no time at all."""
    if value is None:
        return None
    return as_number(value) or Decimal(0)


def _user(said: Mapping[str, Any]) -> str:
    """The user beside the context, where clients of CDS Hooks before 1.0 put it."""
    return text(said, "user") or text(said, "userId")
