"""Smart links: the registered app they mean, and the address that launches it.

CDS Hooks 2.0.1, "Link": the EHR adds `launch` and `iss` to a smart link; the link's appContext
comes back to the app with its token.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sandbox_ehr.desk.running import Desk
from sandbox_ehr.desk.worksheets import Worksheet
from sandbox_ehr.settings import Client


def of_menu(desk: Desk, sheet: Worksheet) -> tuple[Client, ...]:
    """The apps that can be opened without a card; one that an open card leads to is left out, so
    that there is one way to it."""
    links = (link for shown in sheet.open_cards for link in shown.card.links)
    linked = {c.id for x in links if x.type == "smart" and (c := desk.settings.app_at(x.url))}
    return tuple(c for c in desk.settings.clients if c.launch_url and c.id not in linked)


def launch_address(desk: Desk, sheet: Worksheet, app: Client, url: str, app_context: str) -> str:
    """The link with `iss` and a `launch` of its own, good once and for ten minutes."""
    launch = desk.launches.new(
        sheet.patient_id,
        sheet.encounter_id,
        sheet.user,
        app_context,
        client_id=app.id,
        need_patient_banner=False,
    )
    parts = urlsplit(url)
    query = [(k, v) for k, v in parse_qsl(parts.query) if k not in ("iss", "launch")]
    query += [("iss", desk.settings.fhir_base), ("launch", launch)]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))
