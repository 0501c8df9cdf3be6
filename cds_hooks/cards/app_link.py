"""The link from a card to the SMART app (CDS Hooks 2.0.1, "Link", type "smart").

`url` is the app's launch address as it is registered; the EHR adds issuer and launch to it. What
the app is to open stands sealed in `appContext` (ehr_access/app_context.py).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from billing_rules.model.entities import Stage
from cds_hooks.cards.plan import PlannedCard
from cds_hooks.request.hook_request import HookRequest
from cds_hooks.settings import Client, FhirTrust, Settings
from ehr_access.base import AddressRefused

log = logging.getLogger("cds_hooks")

LABEL = "Open in Vialwise"


@dataclass(frozen=True, slots=True, repr=False)
class AppLink:
    """Where the cards of one answer link to: the app's address, the FHIR server that it will be
    launched from, and whose chart."""

    url: str
    base: str
    patient_id: str
    key: bytes = field(repr=False)
    now: datetime


def prepare(settings: Settings) -> None:
    """Load what sealing needs where there is an app to open, so that the first answer of a worker
    does not wait for it. Raises ValueError for a key that is too short."""
    if settings.app_launch_url and settings.context_key:
        from ehr_access import app_context

        app_context.check_key(settings.context_key)


def of_answer(
    hook: HookRequest, settings: Settings, client: Client | None, trust: FhirTrust
) -> AppLink | None:
    """The link of an answer to `client` (None: open mode), None where there is no app to open.

    None without its address and key, for a client that takes such links off, for an EHR whose FHIR
    server is not known, and for a host that cards may not link to.
    """
    url = settings.linked(settings.app_launch_url)
    if not url or not settings.context_key or (client is not None and not client.app_link):
        return None
    base = _fhir_base(hook, trust)
    if not base:
        return None
    return AppLink(url, base, hook.context.patient_id, settings.context_key, settings.clock())


def _fhir_base(hook: HookRequest, trust: FhirTrust) -> str:
    """The FHIR server that the app will be launched from; "" when it cannot be told."""
    if not hook.fhir_server:
        alone = len(trust.bases) == 1 and not trust.loopback
        return next(iter(trust.bases)) if alone else ""
    try:
        return trust.base(hook.fhir_server).url
    except AddressRefused:
        return ""


def links(app: AppLink, card: str, about: PlannedCard) -> list[dict[str, str]]:
    """The link of the card with the UUID `card`; none when what it is to open cannot be sealed."""
    from ehr_access.app_context import AppContext, sealed  # loaded by `prepare`

    review = about.review
    references = review.order.references
    rules = tuple(dict.fromkeys(finding.rule for finding in about.findings))
    order = references[0] if references else ""
    together = review.together if review.order.stage is Stage.PLANNED else ()
    try:
        context = sealed(
            AppContext(card, order, rules, app.patient_id, app.base, together), app.key, app.now
        )
    except ValueError:
        log.warning("no link to the app: the order's reference is too long")
        return []
    return [{"label": LABEL, "url": app.url, "type": "smart", "appContext": context}]
