"""The key by which this EHR proves to a CDS service who is calling.

CDS Hooks 2.0.1, "Trusting CDS Clients": every call carries a JWT, signed ES384, that names the
issuer, the very address called, and is used once.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

ALGORITHM = "ES384"
LIFE = 300  # seconds; "no more than five minutes in the future"


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key of this process. `issuer` and `jku` are what the service has registered."""

    key: ECKey
    issuer: str
    jku: str

    def token(self, url: str) -> str:
        """A token for one call of `url`."""
        now = int(time.time())
        header = {"alg": ALGORITHM, "typ": "JWT", "kid": self.key.kid, "jku": self.jku}
        claims = {
            "iss": self.issuer,
            "aud": url,
            "exp": now + LIFE,
            "iat": now,
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode(header, claims, self.key, algorithms=[ALGORITHM])

    def jwks(self) -> dict[str, Any]:
        """The public half, as a service fetches it."""
        public = self.key.as_dict(private=False)
        return {"keys": [{**public, "use": "sig", "alg": ALGORITHM}]}


def new_key(issuer: str, jku: str) -> SigningKey:
    """A fresh key: what it signed is worth nothing once the process has ended."""
    kid = f"cds-client-{uuid.uuid4()}"
    return SigningKey(ECKey.generate_key("P-384", {"kid": kid}), issuer, jku)
