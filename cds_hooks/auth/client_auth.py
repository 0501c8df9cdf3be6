"""Who may call: clients that prove who they are (CDS Hooks 2.0.1, "Trusting CDS Clients").

Nothing is let through by default. A refused caller gets 401 and not a word why; the log names the
check that failed, with the issuer if it is registered, and never the token.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import g, request

from cds_hooks.calls import call_log
from cds_hooks.cards.plan import SILENT_TRACKING
from cds_hooks.errors import RequestRefused, too_often
from cds_hooks.record.store import Store
from cds_hooks.settings import NOBODY, Client, FhirTrust, Settings, faults
from service_parts.log_events import Event

if TYPE_CHECKING:  # a service without registered clients starts without joserfc
    from cds_hooks.auth.client_tokens import Gate, Verdict

log = logging.getLogger("cds_hooks")

_WORD = re.compile(r"[A-Za-z0-9._:/+=@~-]{1,64}")  # what is logged of a tenant or a jti


def guard(settings: Settings, store: Store) -> Callable[[], None]:
    """What stands before every address that takes patient data: it lets a request of a registered
    client through, or ends it with 401 and no detail; the reason goes to the log. In open mode it
    lets everyone through. Raises ValueError with every fault of the registered clients."""
    found = faults(settings.clients, settings.development)
    if settings.open and settings.clients:
        found.append("clients are registered, but everyone may call: choose one of the two")
    if found:
        raise ValueError("; ".join(found))
    gate: Gate | None = None
    if settings.clients:
        from cds_hooks.auth.client_tokens import Gate, UsedTokens

        gate = Gate(settings.clients, UsedTokens(store), settings.development)

    def require_trusted_client() -> None:
        if request.method == "OPTIONS" or settings.open:
            return
        if gate is None:
            log.warning(Event("refused", {"check": "no client is registered"}))
            raise RequestRefused(401)
        _check(gate, settings)

    return require_trusted_client


def _check(gate: Gate, settings: Settings) -> None:
    """Let the client in that the request is of. Raises Refused (401, 429)."""
    verdict = gate.verdict(_authorization(), _audiences(settings))
    if verdict.wait:
        log.warning(Event("called too often", _named(verdict)))
        raise too_often(verdict.wait)
    if verdict.failed or verdict.client is None:
        log.warning(Event("refused", {"check": verdict.failed, **_named(verdict)}))
        raise RequestRefused(401)
    # From here on the request has a name, and an EHR whose data it may point to.
    note = call_log.of_request()
    note.client, note.tenant = verdict.client.iss, verdict.client.tenant
    g.registered_client = verdict.client


def caller() -> Client | None:
    """The registered client of the current request; None in open mode."""
    client: Client | None = g.get("registered_client")
    return client


def trust_of_request(settings: Settings) -> FhirTrust:
    """Which FHIR servers the caller of the current request may point to; in open mode, which is
    for development, those of this machine and of the settings."""
    client = caller()
    if client is not None:
        return FhirTrust(frozenset({client.fhir_base} - {""}), client.subject)
    return FhirTrust(settings.fhir_bases, loopback=True) if settings.open else NOBODY


def unseen_because() -> str:
    """Why the caller shows none of the cards it is sent; "" where it does."""
    client = caller()
    return SILENT_TRACKING if client is not None and client.silent_tracking else ""


def _authorization() -> str:
    """The header when there is exactly one; two could be read differently by a proxy and here."""
    sent = request.headers.getlist("Authorization")
    return sent[0] if len(sent) == 1 else ""


def _audiences(settings: Settings) -> frozenset[str]:
    """The public URL of what is called; for feedback that of its service too, as clients differ.

    The Host header is the caller's, so it is not asked.
    """
    service = (request.view_args or {}).get("service_id", "")
    return frozenset({settings.url(request.path), settings.url(f"/cds-services/{service}")})


def _named(verdict: Verdict) -> dict[str, str]:
    """Whose token it was, for the log: ids only, and those only of a registered issuer."""
    if verdict.client is None or verdict.token is None:
        return {}
    said = {"tenant": verdict.token.text("tenant"), "jti": verdict.token.text("jti")}
    ids = {name: value for name, value in said.items() if _WORD.fullmatch(value)}
    return {"iss": verdict.client.iss, **ids}
