"""Feedback as a CSV file, with what an EHR must be able to export of it (checklist F1.4).

45 CFR 170.315(b)(11)(ii)(C) names intervention, action, feedback, user, date and location. The
user is left empty: who answered is not in the feedback and is kept by the EHR. Nothing here is of
a patient; a comment is only said to have been sent. A card that was not shown says so in
`held_back`, and its action is "held back".
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime
from typing import TextIO

from cds_hooks.outcomes import CardOutcome

HEADER = (
    "intervention",
    "action",
    "feedback",
    "user",
    "date",
    "location",
    "card",
    "shown",
    "service",
    "hook",
    "findings",
    "rule_set",
    "drug",
    "payer",
    "topic",
    "indicator",
    "reason_code",
    "reason_system",
    "comment_sent",
    "accepted_suggestions",
    "held_back",
)
HELD_BACK = "held back"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute a cell that begins so


def write(rows: Iterable[CardOutcome], to: TextIO) -> None:
    """One line for each feedback, and one for each card without; those held back too."""
    lines = csv.writer(to)
    lines.writerow(HEADER)
    for row in rows:
        lines.writerow([_inert(cell) for cell in _cells(row)])


def _cells(row: CardOutcome) -> tuple[str, ...]:
    return (
        " ".join(row.rules),
        HELD_BACK if row.held_back else row.outcome,
        row.reason,
        "",
        _time(row.outcome_at),
        " ".join(part for part in (row.client, row.tenant) if part),
        row.card,
        _time(row.shown_at),
        row.service,
        row.hook,
        " ".join(f"{rule}/{kind}" for rule, kind in row.findings),
        row.rule_set,
        row.drug_id,
        row.payer_id,
        row.topic,
        row.indicator,
        row.reason_code,
        row.reason_system,
        "yes" if row.comment_sent else "no",
        " ".join(row.accepted),
        row.held_back,
    )


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _time(time: datetime | None) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z") if time else ""
