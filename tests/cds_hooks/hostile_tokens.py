"""Tokens that must be refused: what each tries, the check that stops it, and the header it sends.

Registered is one EHR (tokens.registered) that signs with ES384 or RS384, for its own tenant.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import NamedTuple

from joserfc.jwk import ECKey

from tests.cds_hooks.tokens import (
    BASE,
    EC,
    EC_256,
    ISS,
    JKU,
    OTHER,
    RSA,
    SERVICE_URL,
    base64url,
    claims,
    key,
    raw,
    signed,
)


class Hostile(NamedTuple):
    tries: str
    check: str
    sends: Callable[[], str]


def soon(seconds: int = 300) -> int:
    return int(time.time()) + seconds


def by_shared_secret() -> str:
    """The known attack on libraries that let the token choose: HMAC with the public key's text."""
    pem = key(RSA).as_pem(private=False)
    unsigned = raw({"alg": "HS256", "typ": "JWT", "kid": RSA}, claims()).removesuffix(".")
    mac = hmac.new(pem, unsigned.removeprefix("Bearer ").encode(), hashlib.sha256).digest()
    return f"{unsigned}.{base64url(mac).decode()}"


def changed_afterwards() -> str:
    start, _, signature = signed().split(".")
    other = signed(claims(jti="another")).split(".")[1]
    return f"{start}.{other}.{signature}"


def with_its_own_key(header: str) -> str:
    own = key(OTHER)
    value = own.as_dict(private=False) if header == "jwk" else ["MIIB"]
    return signed(by=own, kid=EC, **{header: value})


def in_der() -> str:
    """An ECDSA signature in the form that JOSE does not use."""
    start = signed().rpartition(".")[0]
    return f"{start}.{base64url(b'0E' + bytes(100)).decode()}"


def impostor() -> ECKey:
    """Another key under the registered key's id."""
    return ECKey.generate_key("P-384", {"kid": EC})


HOSTILE = (
    # ---- no token at all
    Hostile("no header", "form", lambda: ""),
    Hostile("another scheme", "form", lambda: "Basic dXNlcjpwYXNz"),
    Hostile("a scheme alone", "form", lambda: "Bearer"),
    Hostile("no scheme", "form", lambda: signed().removeprefix("Bearer ")),
    Hostile("two parts", "form", lambda: signed().rpartition(".")[0]),
    Hostile("five parts, encrypted", "form", lambda: signed() + ".a.b"),
    Hostile("two tokens in one header", "form", lambda: f"{signed()}, {signed()}"),
    Hostile("letters outside ASCII", "form", lambda: "Bearer é.é.é"),
    Hostile("a header that is no JSON", "form", lambda: "Bearer e30x.e30.e30"),
    Hostile("a header that is a list", "form", lambda: raw(["alg"], claims(), b"x")),
    Hostile("a header that is a number", "form", lambda: raw(5, claims(), b"x")),
    Hostile("no algorithm", "form", lambda: raw({"kid": EC}, claims(), b"x")),
    Hostile("claims that are no JSON", "form", lambda: signed(payload="{")),
    Hostile("claims that are a list", "form", lambda: signed(payload="[]")),
    Hostile("claims nested without end", "form", lambda: signed(payload="[" * 4000)),
    Hostile("a number that is none", "form", lambda: signed(payload='{"exp":NaN}')),
    Hostile("a token of 9 KB", "form", lambda: signed(claims(pad="x" * 9000))),
    # ---- somebody else
    Hostile("an issuer that is not registered", "issuer", lambda: signed(claims(iss="https://x"))),
    Hostile("the issuer with a slash", "issuer", lambda: signed(claims(iss=ISS + "/"))),
    Hostile("the issuer in capitals", "issuer", lambda: signed(claims(iss=ISS.upper()))),
    Hostile("the issuer in a list", "issuer", lambda: signed(claims(iss=[ISS]))),
    Hostile("no issuer", "issuer", lambda: signed(claims(iss=None))),
    Hostile(
        "the public sandbox", "issuer", lambda: signed(claims(iss="https://sandbox.cds-hooks.org"))
    ),
    Hostile("another tenant", "tenant", lambda: signed(claims(tenant="clinic-8"))),
    Hostile("no tenant", "tenant", lambda: signed(claims(tenant=None))),
    Hostile("a tenant that is a number", "tenant", lambda: signed(claims(tenant=7))),
    # ---- another algorithm
    Hostile("algorithm none", "algorithm", lambda: raw({"alg": "none", "kid": EC}, claims())),
    Hostile("algorithm nOnE", "algorithm", lambda: raw({"alg": "nOnE", "kid": EC}, claims())),
    Hostile(
        "none with a signature",
        "algorithm",
        lambda: raw({"alg": "none", "kid": EC}, claims(), b"x"),
    ),
    Hostile("HS256 with the public key as secret", "algorithm", by_shared_secret),
    Hostile("HS384", "algorithm", lambda: raw({"alg": "HS384", "kid": EC}, claims(), b"x" * 48)),
    Hostile(
        "ES256, not registered for this EHR", "algorithm", lambda: signed(by=EC_256, alg="ES256")
    ),
    Hostile("RS256, not registered for this EHR", "algorithm", lambda: signed(by=RSA, alg="RS256")),
    Hostile("PS384", "algorithm", lambda: signed(by=RSA, alg="PS384")),
    Hostile(
        "an algorithm that is a list",
        "algorithm",
        lambda: raw({"alg": ["ES384"], "kid": EC}, claims(), b"x"),
    ),
    # ---- another kind of token
    Hostile("an access token", "type", lambda: signed(typ="at+jwt")),
    Hostile("a type that is a number", "type", lambda: signed(typ=5)),
    Hostile("an unknown extension, critical", "critical", lambda: signed(crit=["x"], x=True)),
    Hostile("a known claim, critical", "critical", lambda: signed(crit=["exp"], exp=1)),
    Hostile("an empty list of critical ones", "critical", lambda: signed(crit=[])),
    Hostile("a critical list that is a number", "critical", lambda: signed(crit=5)),
    Hostile("a payload that is not encoded", "form", lambda: signed(crit=["b64"], b64=False)),
    # ---- another key
    Hostile("no key id", "key-id", lambda: signed(kid=None)),
    Hostile("a blank key id", "key-id", lambda: signed(kid="")),
    Hostile("a key id that is a number", "key-id", lambda: signed(kid=5)),
    Hostile("an unknown key id", "key-known", lambda: signed(by=OTHER)),
    Hostile("a path as key id", "key-known", lambda: signed(kid="../../dev/null")),
    Hostile("an RSA algorithm with an EC key", "key-fits", lambda: signed(by=RSA, kid=EC)),
    Hostile("an EC algorithm with an RSA key", "key-fits", lambda: signed(by=EC, kid=RSA)),
    Hostile("a key of another curve", "key-fits", lambda: signed(by=EC_256)),
    # ---- no signature of theirs
    Hostile("another key under the same id", "signature", lambda: signed(by=impostor())),
    Hostile("its own key in the header", "signature", lambda: with_its_own_key("jwk")),
    Hostile("its own certificate in the header", "signature", lambda: with_its_own_key("x5c")),
    Hostile("claims changed afterwards", "signature", changed_afterwards),
    Hostile("an empty signature", "signature", lambda: signed().rpartition(".")[0] + "."),
    Hostile("half a signature", "signature", lambda: signed()[:-64]),
    Hostile(
        "a signature of zeros",
        "signature",
        lambda: raw({"alg": "ES384", "kid": EC}, claims(), bytes(96)),
    ),
    Hostile("a signature in DER", "signature", in_der),
    # ---- another time
    Hostile(
        "expired two minutes ago", "expires", lambda: signed(claims(exp=soon(-120), iat=soon(-420)))
    ),
    Hostile("no expiry", "expires", lambda: signed(claims(exp=None))),
    Hostile("an expiry that is a string", "expires", lambda: signed(claims(exp=str(soon())))),
    Hostile("an expiry that is true", "expires", lambda: signed(claims(exp=True))),
    Hostile("an expiry in milliseconds", "expires", lambda: signed(claims(exp=soon() * 1000))),
    Hostile("an expiry beyond all numbers", "expires", lambda: signed(claims(exp=10**400))),
    Hostile(
        "issued in five minutes", "issued", lambda: signed(claims(iat=soon(300), exp=soon(600)))
    ),
    Hostile("no time of issue", "issued", lambda: signed(claims(iat=None))),
    Hostile("a time of issue that is a string", "issued", lambda: signed(claims(iat="now"))),
    Hostile("not to be used yet", "not-before", lambda: signed(claims(nbf=soon(200)))),
    Hostile("a start that is a string", "not-before", lambda: signed(claims(nbf="soon"))),
    Hostile("a life of two hours", "lifetime", lambda: signed(claims(exp=soon(7200)))),
    Hostile("issued long ago, still valid", "lifetime", lambda: signed(claims(iat=1))),
    Hostile(
        "expired before it was issued",
        "lifetime",
        lambda: signed(claims(iat=soon(30), exp=soon(10))),
    ),
    # ---- for another service
    Hostile("for another service", "audience", lambda: signed(claims(aud=SERVICE_URL + "-2"))),
    Hostile("for discovery", "audience", lambda: signed(claims(aud=f"{BASE}/cds-services"))),
    Hostile("for feedback only", "audience", lambda: signed(claims(aud=SERVICE_URL + "/feedback"))),
    Hostile(
        "for the Host header's host",
        "audience",
        lambda: signed(claims(aud="http://localhost/cds-services/vialwise-orders")),
    ),
    Hostile(
        "for another scheme",
        "audience",
        lambda: signed(claims(aud=SERVICE_URL.replace("https", "http"))),
    ),
    Hostile(
        "for the address with a slash", "audience", lambda: signed(claims(aud=SERVICE_URL + "/"))
    ),
    Hostile("for others only", "audience", lambda: signed(claims(aud=["a", "b"]))),
    Hostile("for nobody", "audience", lambda: signed(claims(aud=[]))),
    Hostile("no audience", "audience", lambda: signed(claims(aud=None))),
    Hostile(
        "an audience that is an object",
        "audience",
        lambda: signed(claims(aud={"url": SERVICE_URL})),
    ),
    Hostile(
        "a number among the audiences", "audience", lambda: signed(claims(aud=[SERVICE_URL, 5]))
    ),
    # ---- not one call
    Hostile("no token id", "token-id", lambda: signed(claims(jti=None))),
    Hostile("a blank token id", "token-id", lambda: signed(claims(jti=" "))),
    Hostile("a token id that is a number", "token-id", lambda: signed(claims(jti=5))),
    Hostile("a token id of a kilobyte", "token-id", lambda: signed(claims(jti="x" * 1000))),
)

# These name an address for the keys: tried against an EHR that registered one, JKU.
HOSTILE_ADDRESSES = (
    Hostile("another address", "key-address", lambda: signed(jku="https://evil.example/jwks.json")),
    Hostile("one that begins alike", "key-address", lambda: signed(jku=JKU + ".evil.example")),
    Hostile("one below", "key-address", lambda: signed(jku=JKU + "/../evil.json")),
    Hostile("without https", "key-address", lambda: signed(jku=JKU.replace("https", "http"))),
    Hostile(
        "with a user name", "key-address", lambda: signed(jku=JKU.replace("://", "://ehr.example@"))
    ),
    Hostile("this machine", "key-address", lambda: signed(jku="http://127.0.0.1/latest/meta-data")),
    Hostile("a file", "key-address", lambda: signed(jku="file:///etc/passwd")),
    Hostile("a list", "key-address", lambda: signed(jku=[JKU])),
    Hostile("a blank one", "key-address", lambda: signed(jku="")),
)
