"""The EHR's FHIR server with the token that a request lent (CDS Hooks 3.0.0-ballot, "Passing the
Access Token to the CDS Service").

The token is held here while the request is answered and nowhere else. It is used only for the
patient of the request, inside its scope and lifetime, and only towards the caller's own server.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cache

from billing_rules.fhir.json.decoding import Part
from cds_hooks.request.hook_request import HookRequest
from cds_hooks.settings import FhirTrust, Settings
from ehr_access import client as scoped
from ehr_access.base import AddressRefused, FhirBase
from ehr_access.client import EhrClient
from ehr_access.limits import Deadline, Limits
from ehr_access.query import Query
from ehr_access.scopes import Scopes
from ehr_access.server_metadata import Capabilities
from ehr_access.transport import Transport

log = logging.getLogger("cds_hooks")

_PARALLEL = 8
Timed = Callable[[str], AbstractContextManager[None]]  # times, under a name, what is done inside


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
        timed: Timed,
    ) -> None:
        self._client = client
        self._base = base
        self._scopes = scopes
        self._deadline = deadline
        self._timed = timed

    def fetch(self, queries: Mapping[str, Query]) -> dict[str, Part]:
        """Every query's answer by its key; what the scope does not allow is not asked."""
        with self._timed("ehr"):
            return scoped.fetch_allowed(self._client, self._scopes, queries, self._deadline)

    def query(self, reference: str) -> Query | None:
        """The read that a reference means: relative, or absolute inside this EHR's base."""
        return scoped.query_of(reference, self._base)


def ehr_of(
    hook: HookRequest,
    trust: FhirTrust,
    settings: Settings,
    servers: FhirServers,
    until: Deadline,
    timed: Timed,
) -> EhrAccess | None:
    """The EHR of `hook`, or None when the request lends no token or one that may not be used.
    `timed` takes the time that is spent with it."""
    token = hook.authorization
    if token is None:
        return None
    why_not = ""
    if not token.bearer:
        why_not = "it is not a Bearer token"
    elif token.expires_in is not None and token.expires_in <= 0:
        why_not = "it has expired"
    elif token.patient and token.patient != hook.context.patient_id:
        why_not = "it is for another patient"
    elif trust.subject and token.subject != trust.subject:
        why_not = "it was issued to another client"
    if why_not:
        log.warning("security: the access token was not used: %s", why_not)
        return None
    try:
        base = trust.base(hook.fhir_server)
    except AddressRefused as error:
        log.warning("security: the access token was not used: %s", error)
        return None
    if token.expires_in is not None:
        until = until.sooner(float(token.expires_in))
    limits = Limits(pages=settings.fetch_pages, parallel=_PARALLEL)
    client = EhrClient(
        base, servers.transport, servers.capabilities, token=token.access_token, limits=limits
    )
    return EhrAccess(client, base, Scopes.parse(token.scope), until, timed)
