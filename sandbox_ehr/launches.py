"""EHR launches under way: what the EHR knows when it opens an app, under a token in its URL.

The order desk makes one (`running().launches.new(...)`) and opens
`{client.launch_url}?iss={fhir_base}&launch={token}`; the authorization endpoint redeems it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox_ehr.bounded import put
from sandbox_ehr.moods import Mood

LIFETIME = 600.0
_MOST = 1000  # kept at once; the oldest goes first


@dataclass(frozen=True, slots=True)
class Launch:
    """`user` is a reference ("Practitioner/1"). `app_context` is the text of a CDS Hooks link.

    `client_id` is the one app it is for; "" leaves it to whoever comes first.
    """

    patient_id: str = ""
    encounter_id: str = ""
    user: str = ""
    app_context: str = ""
    client_id: str = ""
    intent: str = ""
    fhir_context: tuple[dict[str, Any], ...] = ()
    need_patient_banner: bool = True
    moods: frozenset[Mood] = field(default_factory=frozenset)


class Launches:
    """Each token is good for ten minutes and for one authorization."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, tuple[float, Launch]] = {}

    def new(
        self,
        patient_id: str,
        encounter_id: str = "",
        user: str = "",
        app_context: str = "",
        **more: Any,
    ) -> str:
        """The `launch` of the app's URL. `more` are the other members of Launch."""
        token = secrets.token_urlsafe(24)
        launch = Launch(patient_id, encounter_id, user, app_context, **more)
        with self._lock:
            put(self._open, token, (self._clock() + LIFETIME, launch), _MOST)
        return token

    def peek(self, token: str) -> Launch | None:
        """The launch, when it is still open."""
        with self._lock:
            return self._still_open(token)

    def redeem(self, token: str) -> Launch | None:
        """The launch, once."""
        with self._lock:
            launch = self._still_open(token)
            self._open.pop(token, None)
            return launch

    def _still_open(self, token: str) -> Launch | None:
        until, launch = self._open.get(token, (0.0, None))
        return launch if launch is not None and self._clock() < until else None
