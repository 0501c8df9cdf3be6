"""What a service is given, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from billing_rules.catalogue import Catalogue
from billing_rules.review import OrderReview
from cds_hooks.hook_request import HookRequest
from cds_hooks.services import Service
from cds_hooks.settings import Settings

if TYPE_CHECKING:  # a service that is lent no token starts without requests
    from cds_hooks.lent import Ehr


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """One request and everything that answers it. `ehr` is None without a usable token."""

    hook: HookRequest
    service: Service
    catalogue: Catalogue
    settings: Settings
    today: date
    ehr: Ehr | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Reviewed:
    """What the cards are written from.

    `drafts` are the resources that a suggestion may touch, `named` the references of the request
    that a card may name as what it is about. `plans`: whether the site's wish for a card on an
    order without findings counts here.
    """

    reviews: tuple[OrderReview, ...]
    drafts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    plans: bool = True
