"""What a card's link hands to the app: `appContext` (CDS Hooks 2.0.1, "Link").

The EHR carries it from the card to the launch and may store it, log it or show it in an address.
So it is sealed: encrypted and authenticated with a key of the installation (JWE, "dir" with
A256GCM; RFC 7516, RFC 7518), expiring, and bound to the patient and the FHIR server it was made
for. The patient is in it as a keyed hash only. It opens nothing by itself: the app asks for it
after a launch of its own, and refuses it for anybody else's chart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from ehr_access.base import AddressRefused, FhirBase

VERSION = 1
LIFE = timedelta(hours=24)  # a draft from this morning is still found in the evening
_SKEW = timedelta(minutes=5)  # between the clocks of two machines
LONGEST = 1024  # characters; EHRs carry it in addresses
SHORTEST_KEY = 32  # bytes
_ALG, _ENC = "dir", "A256GCM"
_REGISTRY = jwe.JWERegistry(algorithms=[_ALG, _ENC])


@dataclass(frozen=True, slots=True, repr=False)
class AppContext:
    """Which card the app was opened from.

    `order` is the reference of the order the card is about, like "MedicationRequest/123"; "" where
    it has none. `rules` are the ids of the rules that spoke, most urgent first. `patient_id` and
    `fhir_base` say whose chart on which server, and are never in the text. `together` are all
    orders that were judged together for the card, `order` included; () when they are not
    known, as in a context of before there was this part, or do not fit.
    """

    card: str
    order: str
    rules: tuple[str, ...]
    patient_id: str
    fhir_base: str
    together: tuple[str, ...] = ()


class Refusal(Enum):
    """Why a context was not opened, as the end of "The link of the card cannot be used: ..."."""

    UNREADABLE = "it is not a context of a card"
    FOREIGN = "it was made by another installation, or before its secret was changed"
    ALTERED = "it was altered on its way"
    OTHER_VERSION = "it was made by another version"
    EXPIRED = "it has expired"
    ANOTHER_EHR = "it is of another EHR"
    ANOTHER_PATIENT = "it is of another patient"


def sealed(context: AppContext, key: bytes, now: datetime, life: timedelta = LIFE) -> str:
    """`context` as text for `appContext`: at most LONGEST characters, good until `now` + `life`.

    Of more rules than fit, the last are left out; then `together`, which is kept whole or not at
    all. Raises ValueError for a key that is too short, and for a card or an order's reference so
    long that nothing fits.
    """
    keys = _keys(key)
    for together in dict.fromkeys((context.together, ())):
        for count in range(len(context.rules), -1, -1):
            kept = replace(context, rules=context.rules[:count], together=together)
            text = _encrypted(keys, _claims(kept, keys, now + life))
            if len(text) <= LONGEST:
                return text
    raise ValueError(f"the context is longer than {LONGEST} characters")


def opened(
    text: str, key: bytes, patient_id: str, fhir_base: str, now: datetime
) -> AppContext | Refusal:
    """What `sealed` made for this patient on this FHIR server, or why that is not what `text` is.

    Whatever `text` is, nothing is raised.
    """
    keys = _keys(key)
    claims = _decrypted(text, keys)
    if isinstance(claims, Refusal):
        return claims
    if claims.get("version") != VERSION:
        return Refusal.OTHER_VERSION
    left = claims["expires"] - now.timestamp()
    if not 0 < left <= (LIFE + _SKEW).total_seconds():  # or made while a clock was wrong
        return Refusal.EXPIRED
    if not hmac.compare_digest(claims["ehr"], keys.ehr(fhir_base)):
        return Refusal.ANOTHER_EHR
    if not hmac.compare_digest(claims["patient"], keys.patient(patient_id, fhir_base)):
        return Refusal.ANOTHER_PATIENT
    return AppContext(
        claims["card"],
        claims["order"],
        tuple(claims["rules"]),
        patient_id,
        fhir_base,
        tuple(claims.get("together", ())),
    )


# ---------------------------------------------------------------- keys


def check_key(key: bytes) -> None:
    """Raises ValueError for a key that is too short."""
    _keys(key)


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    """What is derived from the installation's secret, each for one purpose (RFC 5869)."""

    content: OctKey
    binding: bytes
    id: str

    def ehr(self, fhir_base: str) -> str:
        return self._bound("ehr", _same_address(fhir_base))

    def patient(self, patient_id: str, fhir_base: str) -> str:
        return self._bound("patient", _same_address(fhir_base), patient_id)

    def _bound(self, *parts: str) -> str:
        made = hmac.new(self.binding, json.dumps(parts).encode(), hashlib.sha256)
        return _base64url(made.digest()[:16])


@lru_cache(maxsize=4)
def _keys(secret: bytes) -> _Keys:
    if len(secret) < SHORTEST_KEY:
        raise ValueError(f"the key has less than {SHORTEST_KEY} bytes")
    content = OctKey.import_key(_derived(secret, b"content", 32))
    return _Keys(content, _derived(secret, b"binding", 32), _base64url(_derived(secret, b"id", 8)))


def _derived(secret: bytes, purpose: bytes, length: int) -> bytes:
    info = b"vialwise appContext 1 " + purpose
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret)


def _same_address(fhir_base: str) -> str:
    """One spelling of an address, however it was written."""
    try:
        return FhirBase.parse(fhir_base).url
    except AddressRefused:
        return fhir_base


# ---------------------------------------------------------------- text


def _claims(context: AppContext, keys: _Keys, expires: datetime) -> dict[str, Any]:
    return {
        "version": VERSION,
        "card": context.card,
        "order": context.order,
        "rules": context.rules,
        "together": context.together,
        "expires": int(expires.timestamp()),
        "ehr": keys.ehr(context.fhir_base),
        "patient": keys.patient(context.patient_id, context.fhir_base),
    }


def _encrypted(keys: _Keys, claims: dict[str, Any]) -> str:
    header = {"alg": _ALG, "enc": _ENC, "kid": keys.id}
    content = json.dumps(claims, separators=(",", ":"), ensure_ascii=False)
    return jwe.encrypt_compact(header, content, keys.content, registry=_REGISTRY)


def _decrypted(text: str, keys: _Keys) -> dict[str, Any] | Refusal:
    """The claims, which only who has the key could have written."""
    kid = _key_id(text)
    if kid is None:
        return Refusal.UNREADABLE
    if kid != keys.id:
        return Refusal.FOREIGN
    try:
        content = jwe.decrypt_compact(text, keys.content, registry=_REGISTRY).plaintext
    except (JoseError, ValueError):
        return Refusal.ALTERED
    claims: dict[str, Any] = json.loads(content or b"{}")
    return claims


def _key_id(text: str) -> str | None:
    """Whose key it says it was made with; None when it is no JWE in its one spelling."""
    parts = text.split(".")
    if len(text) > LONGEST or len(parts) != 5:
        return None
    try:
        decoded = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts]
        header = json.loads(decoded[0])
    except (binascii.Error, ValueError, RecursionError):
        return None
    if [_base64url(part) for part in decoded] != parts or not isinstance(header, dict):
        return None
    kid = header.get("kid")
    return kid if isinstance(kid, str) else None


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
