"""`POST /fhir/_services/smart/Launch`: a client that shows cards asks for the `launch` of an app.

No standard names it. The CDS Hooks Sandbox asks a FHIR server this way before it opens a smart
link (cds-hooks/sandbox, src/retrieve-data-helpers/launch-context-retrieval.js), and shows a link
for which it got nothing as one that cannot be opened.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.running import running
from sandbox_ehr.smart import people
from sandbox_ehr.smart.access import Access

PATH = "/_services/smart/Launch"


class Parameters(msgspec.Struct):
    patient: str = ""
    encounter: str = ""
    appContext: str = ""


class Wanted(msgspec.Struct):
    launchUrl: str
    parameters: Parameters = msgspec.field(default_factory=Parameters)


def launch_of(body: bytes, access: Access) -> dict[str, Any]:
    """`{"launch_id": ...}`, good once and for ten minutes. Raises FhirError."""
    it = running()
    try:
        wanted = msgspec.json.decode(body, type=Wanted)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise FhirError(400, "the body wants launchUrl and parameters.patient") from None
    client = it.settings.app_at(wanted.launchUrl)
    if client is None:
        raise FhirError(404, "no app is registered under this launchUrl", "not-found")
    patient = it.records.read("Patient", wanted.parameters.patient)
    if patient is None or not access.covers("r", patient):
        raise FhirError(404, "no patient whom you may see has this id", "not-found")
    token = it.launches.new(
        wanted.parameters.patient,
        wanted.parameters.encounter[:500],
        people.default(it.records),
        wanted.parameters.appContext[:4000],
        client_id=client.id,
    )
    return {"launch_id": token}
