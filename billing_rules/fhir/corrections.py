"""A finding's corrections to a whole corrected copy of the order, one element changed at a time.

The copy differs from the original only where a correction says so: other codings, their order,
units, texts and everything unknown to us stay. What cannot be written where it was read raises
NotCorrectable, and the card then says what to change by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from billing_rules.fhir.codes import CodeSystems
from billing_rules.fhir.corrected_claims import change_lines, set_modifiers
from billing_rules.fhir.corrected_codes import replace_code
from billing_rules.fhir.corrected_units import set_units
from billing_rules.fhir.draft_copy import DraftCopy, Json, NotCorrectable
from billing_rules.fhir.tolerant import copied
from billing_rules.findings import (
    AddDiscardedLine,
    Correction,
    RemoveLine,
    RemoveOrder,
    ReplaceCode,
    SetBilledUnits,
    SetModifiers,
)

__all__ = ["NotCorrectable", "corrected"]


def corrected(
    resource: Mapping[str, Any],
    corrections: Sequence[Correction],
    preferred_uri: Mapping[str, str],
    systems: Mapping[str, str] | None = None,
) -> Json:
    """A copy of `resource` with `corrections` made; their item numbers are the original's.

    `preferred_uri` (short name -> URI) is used for codings that are new. `systems` (URI -> short
    name) makes ReplaceCode match the code system as well; without it the code alone decides.
    Raises NotCorrectable.
    """
    copy: Json = copied(dict(resource))
    draft = DraftCopy(copy, preferred_uri, CodeSystems(systems) if systems else None)
    for correction in corrections:
        draft.check_reference(correction.reference)
        _apply(draft, correction)
    change_lines(
        draft,
        added=[c for c in corrections if isinstance(c, AddDiscardedLine)],
        removed=[c for c in corrections if isinstance(c, RemoveLine)],
    )
    return copy


def _apply(draft: DraftCopy, correction: Correction) -> None:
    if isinstance(correction, ReplaceCode):
        replace_code(draft, correction)
    elif isinstance(correction, SetBilledUnits):
        set_units(draft, correction)
    elif isinstance(correction, SetModifiers):
        set_modifiers(draft, correction)
    elif isinstance(correction, RemoveOrder):
        raise NotCorrectable("a draft is withdrawn by deleting it, not by changing it")
