"""EHRs for the tests: their keys, what they register, and the tokens they sign."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, RSAKey

from cds_hooks.settings import Client
from sandbox_ehr.moods import Reply
from tests.practice_ehr import Ehr, practice_ehr

BASE = "https://cds.example"
SERVICE_URL = f"{BASE}/cds-services/vialwise-orders"
ISS = "https://ehr.example/r4"
TENANT = "clinic-7"
JKU = "https://ehr.example/jwks.json"
EC, RSA, EC_256, OTHER = "ec-384", "rsa/2048+=", "ec-256", "somebody-else"


@cache
def key(kid: str) -> Key:
    """A private key of that id; the id says its kind. Slashes and pluses are Epic's habit."""
    if kid.startswith("rsa"):
        return RSAKey.generate_key(2048, {"kid": kid})
    return ECKey.generate_key("P-256" if kid == EC_256 else "P-384", {"kid": kid})


def jwks(*kids: str, **extra: Any) -> str:
    """The public keys of those ids as an EHR publishes them."""
    keys = [{**key(kid).as_dict(private=False), "use": "sig", **extra} for kid in kids]
    return json.dumps({"keys": keys})


def registered(**changes: Any) -> Client:
    """An EHR whose keys were handed over."""
    said = {"iss": ISS, "tenant": TENANT, "jwks": jwks(EC, RSA, EC_256), **changes}
    if "jku" in changes:
        said["jwks"] = ""
    return Client(**said)


def claims(**changes: Any) -> dict[str, Any]:
    """What an EHR claims for one call; a claim that is None is left out."""
    now = int(time.time())
    said = {
        "iss": ISS,
        "aud": SERVICE_URL,
        "exp": now + 300,
        "iat": now,
        "jti": str(uuid.uuid4()),
        "tenant": TENANT,
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def signed(
    said: Mapping[str, Any] | None = None, by: str | Key = EC, payload: Any = None, **header: Any
) -> str:
    """The Authorization header with `said` signed; a header that is None is left out."""
    signer = key(by) if isinstance(by, str) else by
    kid = by if isinstance(by, str) else EC
    parts = {"alg": "RS384" if isinstance(signer, RSAKey) else "ES384", "typ": "JWT", "kid": kid}
    parts = {name: value for name, value in {**parts, **header}.items() if value is not None}
    body = payload if payload is not None else json.dumps(claims() if said is None else said)
    alg = jws.JWSRegistry.algorithms[parts["alg"]]
    signing = b".".join(map(base64url, (json.dumps(parts).encode(), _bytes(body))))
    return f"Bearer {(signing + b'.' + base64url(alg.sign(signing, signer))).decode()}"


def raw(header: Any, said: Any, signature: bytes = b"") -> str:
    """A token of any three parts, signed by nobody."""
    parts = (json.dumps(header).encode(), _bytes(json.dumps(said)), signature)
    return "Bearer " + b".".join(map(base64url, parts)).decode()


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()


@contextmanager
def key_server(*kids: str, **headers: str) -> Iterator[Ehr]:
    """A server whose /jwks.json holds the keys of those ids."""
    with practice_ehr() as server:
        server.url = server.url.removesuffix("/fhir") + "/jwks.json"
        server.replies["/jwks.json"] = Reply(json.loads(jwks(*kids)), headers=headers)
        yield server
