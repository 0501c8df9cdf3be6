"""The link from a card to the SMART app (CDS Hooks 2.0.1, "Link", type "smart").

`url` is the app's launch address as it is registered; the EHR adds issuer and launch to it. What
the app is to open stands sealed in `appContext` (ehr_access/app_context.py).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from billing_rules.model import Stage
from cds_hooks import client_auth
from cds_hooks.cards import PlannedCard
from cds_hooks.hook_request import HookRequest
from cds_hooks.settings import Settings
from cds_hooks.trust import FhirTrust, trust_of_request
from ehr_access.base import AddressRefused

log = logging.getLogger("cds_hooks")

LABEL = "Open in Vialwise"


def prepare(settings: Settings) -> None:
    """Load what sealing needs where there is an app to open, so that the first answer of a worker
    does not wait for it. Raises ValueError for a key that is too short."""
    if settings.app_launch_url and settings.context_key:
        from ehr_access import app_context

        app_context.check_key(settings.context_key)


def add(
    cards: Sequence[dict[str, Any]],
    plan: Sequence[PlannedCard],
    hook: HookRequest,
    settings: Settings,
) -> None:
    """Put the link in front of each card's links, where there is an app to open.

    None without its address and key, for a client that takes such links off, for an EHR whose FHIR
    server is not known, and for a host that cards may not link to.
    """
    url = settings.linked(settings.app_launch_url)
    if not cards or not url or not settings.context_key:
        return
    client = client_auth.caller()
    base = _fhir_base(hook, trust_of_request(settings))
    if not base or (client is not None and not client.app_link):
        return
    for card, about in zip(cards, plan, strict=True):
        if context := _context(card, about, hook.context.patient_id, base, settings):
            link = {"label": LABEL, "url": url, "type": "smart", "appContext": context}
            card["links"] = [link, *card.get("links", ())]


def _fhir_base(hook: HookRequest, trust: FhirTrust) -> str:
    """The FHIR server that the app will be launched from; "" when it cannot be told."""
    if not hook.fhir_server:
        alone = len(trust.bases) == 1 and not trust.loopback
        return next(iter(trust.bases)) if alone else ""
    try:
        return trust.base(hook.fhir_server).url
    except AddressRefused:
        return ""


def _context(
    card: Mapping[str, Any], about: PlannedCard, patient_id: str, base: str, settings: Settings
) -> str:
    from ehr_access.app_context import AppContext, sealed  # loaded by `prepare`

    review = about.review
    references = review.order.references
    drafted = review.order.stage is Stage.PLANNED
    rules = tuple(dict.fromkeys(finding.rule for finding in about.findings))
    order = references[0] if references else ""
    try:
        together = review.together if drafted else ()
        context = AppContext(card["uuid"], order, rules, patient_id, base, together)
        return sealed(context, settings.context_key, settings.clock())
    except ValueError:
        log.warning("no link to the app: the order's reference is too long")
        return ""
