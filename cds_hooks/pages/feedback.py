"""What became of the cards (CDS Hooks 2.0.1, "Feedback"; conformance A8).

A batch is kept whole or not at all. An entry sent again replaces itself, and one for a card that
is not known any more is taken all the same. What is malformed is refused in a fixed sentence.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Blueprint, Response

from cds_hooks import exact_json, services
from cds_hooks.cards.writing import plain_line
from cds_hooks.errors import RequestRefused, malformed
from cds_hooks.record.entries import Feedback
from cds_hooks.request import hook_request
from cds_hooks.running import Running
from service_parts.database import StoreFailed

log = logging.getLogger("cds_hooks")

MOST_ENTRIES = 1000
LONGEST_TEXT = 200  # characters of a code, its system or its display
LONGEST_COMMENT = 2000
_MOST_SUGGESTIONS = 50
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def blueprint(here: Running) -> Blueprint:
    """The addresses that take feedback. Who registers them states who may call."""
    calls = Blueprint("feedback", __name__)
    path = "/cds-services/<service_id>/feedback"
    calls.add_url_rule(path, "receive", partial(receive, here), methods=["POST"])
    return calls


def receive(here: Running, service_id: str) -> Response:
    """POST /cds-services/{id}/feedback."""
    if service_id not in services.SERVICES:
        raise RequestRefused(404, "There is no service of that id.")
    settings = here.settings
    body = hook_request.read_body(settings.max_body_bytes)
    entries = parse(body, settings.max_json_depth, settings.keep_comments)
    _keep(entries, service_id, here)
    return Response(b"{}", content_type="application/json")


def _keep(entries: Sequence[Feedback], service_id: str, here: Running) -> None:
    try:
        unknown = here.store.feedback(entries)
    except StoreFailed as error:
        log.error("%s feedback not kept: %s", service_id, error.kind)
        raise RequestRefused(503) from None
    log.info("%s feedback entries=%d unknown=%d", service_id, len(entries), unknown)


# ---------------------------------------------------------------- the body


def parse(body: bytes, max_depth: int, keep_comments: bool = False) -> tuple[Feedback, ...]:
    """The entries in `body`. Raises Refused (400, or 413 for too many)."""
    try:
        said = exact_json.decode(body, max_depth)
    except exact_json.UnreadableJson as error:
        raise malformed(f"{error}."[0].upper() + f"{error}."[1:]) from None
    entries = said.get("feedback") if isinstance(said, dict) else None
    if not isinstance(entries, list):
        raise malformed("feedback is missing or not a list.")
    if len(entries) > MOST_ENTRIES:
        raise RequestRefused(413, f"Send at most {MOST_ENTRIES} entries at once.")
    return tuple(_entry(entry, keep_comments) for entry in entries)


def _entry(entry: Any, keep_comments: bool) -> Feedback:
    if not isinstance(entry, dict):
        raise malformed("An entry of feedback is not an object.")
    outcome = entry.get("outcome")
    if outcome not in ("accepted", "overridden"):
        raise malformed("outcome is neither accepted nor overridden.")
    why = _object(entry, "overrideReason")
    reason = _object(why, "reason")
    comment = _text(why, "userComment", LONGEST_COMMENT)
    return Feedback(
        card=_card(entry),
        outcome=outcome,
        outcome_at=_time(entry),
        accepted=_accepted(entry),
        reason_code=_text(reason, "code"),
        reason_system=_text(reason, "system"),
        reason_display=_text(reason, "display"),
        comment_sent=bool(comment),
        comment=comment if keep_comments else "",
    )


def _card(entry: Mapping[str, Any]) -> str:
    """Our cards have UUIDs; anything else could be text of a chart and is not kept."""
    card = entry.get("card")
    if not isinstance(card, str) or not _UUID.fullmatch(card.strip()):
        raise malformed("card is missing or not a UUID.")
    return card.strip().lower()


def _time(entry: Mapping[str, Any]) -> datetime:
    text = entry.get("outcomeTimestamp")
    if not isinstance(text, str):
        raise malformed("outcomeTimestamp is missing or not a string.")
    try:
        time = datetime.fromisoformat(text.strip())
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise malformed("outcomeTimestamp is not an ISO 8601 time.") from None


def _accepted(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the accepted suggestions; ours are UUIDs, others are passed over."""
    suggestions = entry.get("acceptedSuggestions")
    if suggestions is None:
        return ()
    if not isinstance(suggestions, list) or not all(isinstance(s, dict) for s in suggestions):
        raise malformed("acceptedSuggestions is not a list of objects.")
    ids = (_text(suggestion, "id") for suggestion in suggestions[:_MOST_SUGGESTIONS])
    return tuple(dict.fromkeys(id_.lower() for id_ in ids if _UUID.fullmatch(id_)))


def _object(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under `key`; empty when absent, null or ""."""
    value = holder.get(key)
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise malformed(f"{key} is not an object.")
    return value


def _text(holder: Mapping[str, Any], key: str, limit: int = LONGEST_TEXT) -> str:
    """The text under `key`, on one line and bounded; "" when absent or null."""
    value = holder.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"{key} is not a string.")
    return plain_line(value, limit)
