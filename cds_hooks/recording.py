"""What a service call asks of the store and tells it; no failure there costs a card.

While the database is away nothing is suppressed and nothing recorded, the log names the kind of
fault, and the answer goes out as it would have.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from billing_rules.review import OrderReview
from cds_hooks.calls.call_log import CallNote
from cds_hooks.cards.plan import HeldBack, PlannedCard, without_repeats
from cds_hooks.cards.writing import new_uuid
from cds_hooks.record.shown_cards import ShownCard
from cds_hooks.record.store import Store
from cds_hooks.request.hook_request import HookRequest
from cds_hooks.running import Running
from cds_hooks.services import Service
from service_parts.database import StoreFailed
from service_parts.log_events import fault

log = logging.getLogger("cds_hooks")
T = TypeVar("T")


def unrepeated(
    reviews: Sequence[OrderReview], hook: HookRequest, here: Running, note: CallNote
) -> Sequence[OrderReview]:
    """`reviews` without what was overridden for the same patient and order of late."""
    store, quiet_days = here.store, here.settings.quiet_days
    if quiet_days <= 0 or not any(review.findings for review in reviews):
        return reviews
    patient = store.keys.patient(hook.context.patient_id, hook.fhir_server)
    since = store.now() - timedelta(days=quiet_days)
    overridden = _tried(store, note, "looked up", lambda: store.overridden(patient, since))
    return without_repeats(reviews, overridden, store.keys.order) if overridden else reviews


def record(
    plan: Sequence[PlannedCard],
    cards: Sequence[Mapping[str, Any]],
    held: Sequence[HeldBack],
    hook: HookRequest,
    service: Service,
    here: Running,
    note: CallNote,
    unseen: str = "",
) -> None:
    """Keep what is about to be sent, `cards` are those of `plan`, written; and what is `held` back.
    `unseen` says why the EHR will not show what it is sent."""
    store = here.store
    if not (cards or held):
        return
    patient = store.keys.patient(hook.context.patient_id, hook.fhir_server)
    entries: list[tuple[PlannedCard, Mapping[str, Any], str]] = [
        (planned, card, unseen) for planned, card in zip(plan, cards, strict=True)
    ]
    for part in held:
        entries += [(planned, {"uuid": new_uuid()}, part.because) for planned in part.cards]
    order_keys: dict[int, str] = {}  # an order has two cards at most
    records = []
    for planned, card, because in entries:
        order = planned.review.order
        if id(order) not in order_keys:
            order_keys[id(order)] = store.keys.order(order)
        records.append(
            ShownCard(
                card=card["uuid"],
                suggestions=tuple(one["uuid"] for one in card.get("suggestions", ())),
                service=service.id,
                hook=hook.hook,
                findings=tuple((finding.rule, finding.kind) for finding in planned.findings),
                rule_set=here.settings.rule_set,
                payer_id=planned.review.payer.id,
                drug_id=planned.review.drug.id,
                topic=planned.topic.value,
                indicator=planned.severity.value,
                patient_key=patient,
                order_key=order_keys[id(order)],
                client=note.client,
                tenant=note.tenant,
                held_back=because,
            )
        )
    _tried(store, note, "recorded", lambda: store.record(records))


def _tried(store: Store, note: CallNote, what: str, do: Callable[[], T]) -> T | None:
    """What `do` answers; None when it fails, with the kind of fault
    in the log, or while it is left alone."""
    try:
        if store.backoff.over:
            with store.backoff.after_failure():
                return do()
        log.warning("cards not %s: the database failed a moment ago", what)
    except StoreFailed as error:
        log.error("cards not %s: %s", what, error.kind)
    except Exception as error:
        log.error("cards not %s: %s", what, fault(error))
    note.database_failures.append(f"cards {what}")
    return None
