"""What it costs to check a client's token: RS384, the key handed over, a fresh token each call."""

from __future__ import annotations

import json
import logging
import statistics
import time
import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from bench.bodies import SIZES, TODAY, body
from bench.in_process import ROUNDS, store
from bench.wsgi import PATH, answer_of
from billing_rules import catalogue
from cds_hooks import Settings, create_app
from cds_hooks.settings import Client

_URL, _ISSUER = "http://127.0.0.1", "https://ehr.example/r4"
_CALLS = 200  # of each timing


def added() -> float:
    """Milliseconds of CPU time that the check adds to a request: the median of five differences."""
    logging.disable(logging.ERROR)
    key = RSAKey.generate_key(2048, {"kid": "bench", "use": "sig"})
    known = catalogue.load()
    apps = [create_app(known, s, store()) for s in (_settings(open=True), _registered(key))]
    sent = body(SIZES["18 KB"], ours=False)  # the cheapest request: the difference shows best
    found = []
    for _ in range(ROUNDS + 1):  # the first warms
        tokens = [_token(key) for _ in range(_CALLS)]
        without, checked = (_timed(app, sent, tokens) for app in apps)
        found.append((checked - without) * 1000)
    return statistics.median(found[1:])


def _settings(**changes: Any) -> Settings:
    return Settings(public_url=_URL, today=lambda: TODAY, **changes)


def _registered(key: RSAKey) -> Settings:
    keys = json.dumps({"keys": [key.as_dict(private=False)]})
    client = Client(iss=_ISSUER, jwks=keys, calls_per_minute=10**6)
    return _settings(clients=(client,), development=True)


def _token(key: RSAKey) -> str:
    now = int(time.time())
    said = {
        "iss": _ISSUER,
        "aud": _URL + PATH,
        "iat": now,
        "exp": now + 300,
        "jti": str(uuid.uuid4()),
    }
    header = {"alg": "RS384", "kid": "bench", "typ": "JWT"}
    return "Bearer " + jwt.encode(header, said, key, algorithms=["RS384"])


def _timed(app: Any, sent: bytes, tokens: list[str]) -> float:
    started = time.process_time()
    for token in tokens:
        answer_of(app, sent, token)
    return (time.process_time() - started) / len(tokens)
