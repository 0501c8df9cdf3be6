"""The practice EHR with one invented patient's chart, and requests with a token for it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import fixtures
from billing_rules.data_needed import DATA_NEEDED
from tests.practice_ehr import Ehr, bundle, declares

TOKEN = "canary-token-5c1e"
TYPES = tuple(dict.fromkeys([*(n.resource_type for n in DATA_NEEDED), "Medication"]))
Resource = dict[str, Any]
Body = dict[str, Any]


def offer(ehr: Ehr, *types: str) -> None:
    """Declare these types, all of them when none is named."""
    params = dict.fromkeys(types or TYPES, "patient code category status intent use date")
    declares(ehr, **params)


def serve(ehr: Ehr, patient_id: str, more: Iterable[Resource] = ()) -> list[Resource]:
    """The whole chart of a patient, and whatever else."""
    held = [*fixtures.patient_everything(patient_id), *more]
    serve_all(ehr, held)
    return held


def serve_all(ehr: Ehr, resources: Iterable[Resource]) -> None:
    """These resources, and nothing else."""
    ehr.hold(resources)
    offer(ehr)


def searches(ehr: Ehr) -> list[str]:
    """What was asked, without the capability statement."""
    return [path for path in ehr.asked if not path.endswith("/metadata")]


def lent(body: Body, ehr: Ehr, **changes: Any) -> Body:
    """The request with a token for `ehr`; `changes` are members of fhirAuthorization."""
    changed = copy.deepcopy(body)
    changed["fhirServer"] = ehr.url
    changed["fhirAuthorization"] = {
        "access_token": TOKEN,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "vialwise-at-hollow-creek",
        **changes,
    }
    return changed


def request(hook: str, context: Body, prefetch: Body | None = None) -> Body:
    """A hook request made from nothing."""
    body = {
        "hook": hook,
        "hookInstance": "7f000000-0000-4000-8000-000000000099",
        "context": context,
    }
    return {**body, "prefetch": prefetch} if prefetch is not None else body


def searchset(resources: Iterable[Resource], *kinds: str) -> Resource:
    """The resources of these types as a prefetched Bundle."""
    return bundle(*(r for r in resources if r["resourceType"] in kinds))
