"""What ends a request: a status and a fixed sentence. error_answers.py makes answers of them.

The command line reads requests too, so nothing here knows of the web.
"""

from __future__ import annotations

_RETRY_AFTER = "60"  # seconds


class RequestRefused(Exception):
    """Ends the request with `status`. `why` is a fixed sentence that holds nothing of the input."""

    def __init__(self, status: int, why: str = "", issue: str = "", retry_after: str = "") -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.issue = issue
        self.retry_after = retry_after or (_RETRY_AFTER if status == 503 else "")


def malformed(why: str) -> RequestRefused:
    """400 with a sentence a developer can act on."""
    return RequestRefused(400, why)


def unobtainable(why: str) -> RequestRefused:
    """412: what the service cannot do without was neither sent nor to be had (CDS Hooks 2.0.1,
    "HTTP Status Codes"). `why` is built from fixed sentences only."""
    return RequestRefused(412, why)


def too_often(seconds: int) -> RequestRefused:
    """429, to be sent again after `seconds` (RFC 6585, section 4)."""
    return RequestRefused(429, retry_after=str(seconds))
