"""The access token that a CDS service is lent for one call: one patient, reading, five minutes.

CDS Hooks 3.0.0-ballot, "Passing the Access Token to the CDS Service": as little as the service
needs. What it needs is what its own prefetch templates name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox_ehr.cds_client import Lend, OfferedService
from sandbox_ehr.smart.tokens import LENT_SECONDS, Tokens

_TYPE = re.compile(r"[A-Z][A-Za-z]+")


def lender(tokens: Tokens, client_id: str) -> Lend:
    """Tokens for the service that is known here as `client_id`."""

    def lend(service: OfferedService, context: Mapping[str, Any]) -> dict[str, Any]:
        scope, patient = scopes(service), str(context["patientId"])
        token = tokens.lend(
            client_id,
            scope,
            patient=patient,
            user=str(context.get("userId", "")),
            encounter=str(context.get("encounterId", "")),
        )
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": LENT_SECONDS,
            "scope": scope,
            "subject": client_id,
            "patient": patient,
        }

    return lend


def scopes(service: OfferedService) -> str:
    """Read and search of the types its templates name, and the drugs that these refer to."""
    types = {found[0] for t in service.prefetch.values() if (found := _TYPE.match(t))}
    return " ".join(f"patient/{kind}.rs" for kind in sorted(types | {"Medication"}))
