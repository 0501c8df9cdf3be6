"""Who may call: clients that prove who they are (CDS Hooks 2.0.1, "Trusting CDS Clients").

No client is registered yet, so without `open` every call is refused; nothing is let through by
default. Signed tokens of registered clients are checked here once clients can be registered.
"""

from __future__ import annotations

import logging

from flask import request

from cds_hooks.errors import Refused
from cds_hooks.running import running

log = logging.getLogger("cds_hooks")


def require_trusted_client() -> None:
    """Let the request through, or end it with 401 and no detail; the reason goes to the log."""
    if request.method == "OPTIONS" or running().settings.open:
        return
    log.warning("refused: no registered client")
    raise Refused(401)
