"""The ways in which the app can be registered at an EHR."""

from __future__ import annotations

from enum import Enum
from typing import Any


class ClientKind(Enum):
    PUBLIC = "public"
    SECRET = "client_secret_basic"
    RS384 = "private_key_jwt RS384"
    ES384 = "private_key_jwt ES384"

    @property
    def algorithm(self) -> str:
        """What it signs with; "" where it does not sign."""
        return self.value.partition(" ")[2]

    @property
    def written(self) -> dict[str, Any]:
        """The fields of smart_app.settings.RegisteredEhr."""
        return {
            "client": self.value.partition(" ")[0],
            **({"algorithm": self.algorithm} if self.algorithm else {}),
        }
