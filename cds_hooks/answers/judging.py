"""What the services judge on besides the request, and the judging itself, with faults logged.

A fault of the program in one rule silences no other: the rule is said on the card as not checked,
and logged by its name and the kind of fault alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from billing_rules.assess import PatientChart, assess
from billing_rules.catalogue import Catalogue
from billing_rules.model import OrderLine
from billing_rules.recognise import concerns_catalogue
from billing_rules.review import OrderReview
from cds_hooks.errors import Refused
from cds_hooks.settings import Settings
from service_parts.log_events import fault

if TYPE_CHECKING:  # the command line has no EHR to ask, and starts without requests
    from cds_hooks.fhir_authorization import EhrAccess

log = logging.getLogger("cds_hooks")

MOST_LINES = 200  # an 837P claim has 50 at most
TOO_MANY = f"More than {MOST_LINES} lines are for drugs that are checked here: send fewer at once."


@dataclass(frozen=True, slots=True, repr=False)
class Basis:
    """What a request is judged on: `today` is the day it is where the clinic is. `ehr` is None
    without a usable token.

    The command line may ask "what if": `payer_id` is taken for the payer, and `on` for the date of
    service of whatever was not given yet.
    """

    catalogue: Catalogue
    settings: Settings
    today: date
    ehr: EhrAccess | None = None
    payer_id: str | None = None
    on: date | None = None


def judged(
    lines: Sequence[OrderLine], patient: PatientChart, basis: Basis
) -> tuple[OrderReview, ...]:
    """Every order for a catalogued drug among `lines`, reviewed. Raises Refused (413) for more
    of them than anybody writes: each is compared with every other."""
    if len(lines) > MOST_LINES:
        ours = sum(concerns_catalogue([line], basis.catalogue) for line in lines)
        if ours > MOST_LINES:
            raise Refused(413, TOO_MANY, issue="too-costly")
    return assess(lines, patient, payer_id=basis.payer_id, failed=_log_fault)


def _log_fault(what: str, error: Exception) -> None:
    log.error("%s: %s", what, fault(error))
