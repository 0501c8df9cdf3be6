"""The EHR's FHIR server with the token that a request lent (CDS Hooks 3.0.0-ballot, "Passing the
Access Token to the CDS Service").

The token is held here while the request is answered and nowhere else. It is used only for the
patient of the request, inside its scope and lifetime, and only towards the caller's own server.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache

from billing_rules.fhir.json.decoding import Part
from cds_hooks.calls.call_log import CallNote
from cds_hooks.fhir_trust import FhirTrust
from cds_hooks.request.hook_request import Authorization, HookRequest
from cds_hooks.settings import Settings
from ehr_access import scoped
from ehr_access.base import AddressRefused, FhirBase
from ehr_access.capability import Capabilities
from ehr_access.client import EhrClient
from ehr_access.limits import Deadline, Limits
from ehr_access.query import Query
from ehr_access.scopes import Scopes
from ehr_access.transport import Transport

log = logging.getLogger("cds_hooks")

_PARALLEL = 8


class FhirServers:
    """What all requests share of the FHIR servers: connections and capability statements."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.capabilities = Capabilities(self.transport)


@cache
def servers() -> FhirServers:
    """Those of this process; nothing of any patient is among them."""
    return FhirServers()


class EhrAccess:
    """One EHR for one request: its token, its scope and what is left of the deadline."""

    def __init__(
        self,
        client: EhrClient,
        base: FhirBase,
        scopes: Scopes,
        deadline: Deadline,
        note: CallNote,
    ) -> None:
        self._client = client
        self._base = base
        self._scopes = scopes
        self._deadline = deadline
        self._note = note

    def fetch(self, queries: Mapping[str, Query]) -> dict[str, Part]:
        """Every query's answer by its key; what the scope does not allow is not asked."""
        with self._note.hop("ehr"):
            return scoped.fetch(self._client, self._scopes, queries, self._deadline)

    def query(self, reference: str) -> Query | None:
        """The read that a reference means: relative, or absolute inside this EHR's base."""
        return scoped.query_of(reference, self._base)


def ehr_of(
    hook: HookRequest,
    trust: FhirTrust,
    settings: Settings,
    servers: FhirServers,
    until: Deadline,
    note: CallNote,
) -> EhrAccess | None:
    """The EHR of `hook`, or None when the request lends no token or one that may not be used.
    `note` takes the time that is spent with it."""
    lent = hook.authorization
    if lent is None:
        return None
    why_not = _misused(lent, hook, trust)
    if why_not:
        log.warning("security: the access token was not used: %s", why_not)
        return None
    try:
        base = trust.base(hook.fhir_server)
    except AddressRefused as error:
        log.warning("security: the access token was not used: %s", error)
        return None
    if lent.expires_in is not None:
        until = until.sooner(float(lent.expires_in))
    limits = Limits(pages=settings.fetch_pages, parallel=_PARALLEL)
    client = EhrClient(
        base, servers.transport, servers.capabilities, token=lent.access_token, limits=limits
    )
    return EhrAccess(client, base, Scopes.parse(lent.scope), until, note)


def _misused(lent: Authorization, hook: HookRequest, trust: FhirTrust) -> str:
    """Why the token must not be used; "" when nothing speaks against it."""
    if not lent.bearer:
        return "it is no Bearer token"
    if lent.expires_in is not None and lent.expires_in <= 0:
        return "it has expired"
    if lent.patient and lent.patient != hook.context.patient_id:
        return "it is for another patient"
    if trust.subject and lent.subject != trust.subject:
        return "it was issued to another client"
    return ""
