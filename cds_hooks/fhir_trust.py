"""Which FHIR server a caller may send this service to, and as whom.

Without this a hook request could have the service carry a bearer token to any address (A3.6).
Authentication puts the registered client's bases and its client id at the EHR here; in open mode,
which is for development, the FHIR servers of this machine and those of the settings are allowed.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import g

from cds_hooks.settings import Settings
from ehr_access.base import FhirBase, allowed_base

_KEY = "fhir_trust"


@dataclass(frozen=True, slots=True)
class FhirTrust:
    """`bases` are FHIR base addresses; `loopback` also allows any on this machine.

    `subject` is this service's client id at the caller's EHR, "" when none was registered.
    """

    bases: frozenset[str] = frozenset()
    subject: str = ""
    loopback: bool = False

    def base(self, url: str) -> FhirBase:
        """`url` as an allowed base. Raises AddressRefused."""
        if self.loopback and (base := FhirBase.parse(url)).is_loopback:
            return base
        return allowed_base(url, self.bases)


NOBODY = FhirTrust()


def set_trust(value: FhirTrust) -> None:
    """What the authenticated client of the current request may do."""
    g.fhir_trust = value


def trust_of_request(settings: Settings) -> FhirTrust:
    """The trust in the caller of the current request; in open mode that of the settings."""
    registered = g.get(_KEY)
    if isinstance(registered, FhirTrust):
        return registered
    return FhirTrust(settings.fhir_bases, loopback=True) if settings.open else NOBODY
