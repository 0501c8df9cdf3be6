"""Which FHIR server a caller may send this service to, and as whom.

Without this a hook request could have the service carry a bearer token to any address (A3.6).
Authentication says it of each request (auth/client_auth.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from ehr_access.base import FhirBase, allowed_base


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
