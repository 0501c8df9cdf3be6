"""Every check of an id_token has a token that fails it, and only it."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, Key, KeySet, OctKey, RSAKey

from ehr_access.server_metadata import SmartConfiguration
from ehr_access.signed_tokens import Fetched, KeySource
from smart_app.launch.identity import CHECKS, IssuerKeys, NotVerified, verified
from tests.smart_app.strict_ehr import laid_over, signing_key

ISSUER, KEYS, CLIENT, NONCE = "https://ehr.example", "https://ehr.example/keys", "c-1", "n-1"
CONFIGURATION = SmartConfiguration(
    "https://ehr.example/a",
    "https://ehr.example/t",
    "",
    KEYS,
    ISSUER,
    frozenset(),
    (),
    ("S256",),
    (),
    (),
    False,
)
CURVE = ECKey.generate_key("P-256", {"kid": "p-256"})
pytestmark = pytest.mark.filterwarnings("ignore:Key size should be")  # weak() is


@cache
def weak() -> Key:
    return RSAKey.generate_key(1024, {"kid": "weak"})


def keys(*published: Key) -> IssuerKeys:
    every = published or (signing_key(), signing_key("EC"), weak(), CURVE)
    document = json.dumps(KeySet(every).as_dict(private=False)).encode()
    return IssuerKeys(lambda address: KeySource(address, fetch=lambda _: Fetched(document, 60)))


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    own = {
        "iss": ISSUER,
        "aud": CLIENT,
        "sub": "u-1",
        "exp": now + 300,
        "iat": now,
        "nonce": NONCE,
        "fhirUser": "Practitioner/7",
    }
    return laid_over(own, changes)


def token(said: Any = None, key: Key | None = None, **header: Any) -> str:
    signer = key or signing_key()
    alg = "RS256" if isinstance(signer, RSAKey) else "ES384"
    whole = laid_over({"alg": alg, "kid": signer.kid}, header)
    body = said if isinstance(said, bytes) else json.dumps(said or claims()).encode()
    registry = jws.JWSRegistry(
        algorithms=list(jws.JWSRegistry.algorithms), strict_check_header=False
    )
    return jws.serialize_compact(whole, body, signer, registry=registry)


def with_header(**header: Any) -> str:
    """A token whose header was changed after it was signed."""
    whole = json.dumps({"alg": "RS256", "kid": signing_key().kid, **header}).encode()
    return urlsafe_b64encode(whole).decode().rstrip("=") + token()[token().index(".") :]


def failed(text: str, nonce: str = NONCE, configuration: Any = CONFIGURATION) -> str:
    with pytest.raises(NotVerified) as error:
        verified(text, configuration, CLIENT, nonce, keys())
    return error.value.check


@pytest.mark.parametrize("kind", ["RSA", "EC"])
def test_a_good_token_gives_its_claims(kind: str) -> None:
    text = token(key=signing_key(kind))
    said = verified(text, CONFIGURATION, CLIENT, NONCE, keys())
    assert said["fhirUser"] == "Practitioner/7"


def test_rs384_is_good_too() -> None:
    assert verified(token(alg="RS384"), CONFIGURATION, CLIENT, NONCE, keys())


def test_an_issuer_with_one_key_need_not_name_it() -> None:
    text = token(kid=None)
    assert verified(text, CONFIGURATION, CLIENT, NONCE, keys(signing_key()))
    with pytest.raises(NotVerified, match="signature"):
        verified(
            token(key=RSAKey.generate_key(2048), kid=None),
            CONFIGURATION,
            CLIENT,
            NONCE,
            keys(signing_key()),
        )
    with pytest.raises(NotVerified, match="key-fits"):
        verified(text, CONFIGURATION, CLIENT, NONCE, keys(signing_key("EC")))


def test_an_audience_of_several_names_who_it_was_made_for() -> None:
    assert verified(token(claims(aud=[CLIENT])), CONFIGURATION, CLIENT, NONCE, keys())
    both = claims(aud=[CLIENT, "other"], azp=CLIENT)
    assert verified(token(both), CONFIGURATION, CLIENT, NONCE, keys())


HOSTILE: dict[str, list[Callable[[], str]]] = {
    "readable": [
        lambda: "",
        lambda: "x.y.z",
        lambda: token(b"[]"),
        lambda: token(b"not json"),
        lambda: token().replace(".", "!"),
        lambda: "a" * 100_000,
        lambda: with_header(b64=False),
    ],
    "algorithm": [
        lambda: token(key=OctKey.import_key("s" * 64, {"kid": "rsa/1+="}), alg="HS256"),
        lambda: token(alg="PS256"),
        lambda: token(alg="RS512"),
        lambda: with_header(alg="none"),
    ],
    "critical": [lambda: with_header(crit=["x"], x=1)],
    "key-id": [lambda: token(kid="")],
    "key-known": [
        lambda: token(kid=None),  # of several keys
        lambda: token(kid="somebody-else"),
        lambda: token(key=weak()),
        lambda: token(kid="new", jwk=signing_key().as_dict(private=False)),
        lambda: token(kid="new", jku="https://evil.example/keys"),
    ],
    "key-fits": [
        lambda: token(key=signing_key("EC"), kid=signing_key().kid),
        lambda: token(kid=signing_key("EC").kid),
        lambda: token(kid=CURVE.kid, key=signing_key("EC")),
    ],
    "signature": [
        lambda: token()[:-4] + "AAAA",
        lambda: token(key=RSAKey.generate_key(2048), kid=signing_key().kid),
        lambda: ".".join(
            (token().split(".")[0], token(claims(sub="me")).split(".")[1], token().split(".")[2])
        ),
    ],
    "issuer": [
        lambda: token(claims(iss=ISSUER + "/")),
        lambda: token(claims(iss=None)),
        lambda: token(claims(iss=[ISSUER])),
    ],
    "audience": [
        lambda: token(claims(aud="other")),
        lambda: token(claims(aud=None)),
        lambda: token(claims(aud=[CLIENT, "other"])),
        lambda: token(claims(aud=[])),
        lambda: token(claims(azp="other")),
        lambda: token(claims(aud={CLIENT: 1})),
    ],
    "expires": [
        lambda: token(claims(exp=time.time() - 61)),
        lambda: token(claims(exp=None)),
        lambda: token(claims(exp="tomorrow")),
        lambda: token(claims(exp=True)),
    ],
    "issued": [
        lambda: token(claims(iat=time.time() - 700)),
        lambda: token(claims(iat=time.time() + 120)),
        lambda: token(claims(iat=None)),
    ],
    "not-before": [lambda: token(claims(nbf=time.time() + 120)), lambda: token(claims(nbf="x"))],
    "nonce": [lambda: token(claims(nonce="other")), lambda: token(claims(nonce=None))],
    "subject": [
        lambda: token(claims(sub=None)),
        lambda: token(claims(sub="")),
        lambda: token(claims(sub="s" * 256)),
        lambda: token(claims(sub=7)),
    ],
}


@pytest.mark.parametrize(
    ("check", "made"), [(check, made) for check, all_ in HOSTILE.items() for made in all_]
)
def test_a_hostile_token_fails_the_check_meant_for_it(check: str, made: Callable[[], str]) -> None:
    assert failed(made()) == check


def test_every_check_has_a_hostile_token() -> None:
    assert set(CHECKS) <= HOSTILE.keys()


def test_an_ehr_without_keys_or_issuer_proves_nothing() -> None:
    from dataclasses import replace

    for change in ({"jwks_uri": ""}, {"issuer": ""}):
        assert failed(token(), configuration=replace(CONFIGURATION, **change)) == "published"


def test_a_nonce_that_was_never_sent_is_never_right() -> None:
    assert failed(token(claims(nonce="")), nonce="") == "nonce"
