"""Patients and orders as hashes that only one installation can make.

HMAC-SHA256 (RFC 2104) with a secret of the installation: who reads the database without the
secret cannot find out whether a patient is in it by trying patient ids.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from billing_rules.model.entities import Code, DrugOrder, OrderLine

SHORTEST_SECRET = 32  # bytes: the length of the hash (RFC 2104, section 3)

# What an order says, without ids, spellings, lot and what it merely refers to. A date of service
# counts only where the order states one: the same draft signed tomorrow is the same order.
_CONTENT = (
    "kind",
    "stage",
    "codes",
    "dose",
    "billed",
    "containers",
    "containers_by_ndc",
    "supplied",
    "modifiers",
    "date_of_service",
    "interval",
    "route",
    "reasons",
    "discarded",
    "not_given",
)


class KeyedHashes:
    """The hashes of one installation."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"the secret has less than {SHORTEST_SECRET} bytes")
        self._secret = secret

    def patient(self, patient_id: str, fhir_server: str = "", tenant: str = "") -> str:
        """A patient id means a person only together with the EHR that gave it."""
        return self._hash("patient", tenant, fhir_server.rstrip("/"), patient_id)

    def order(self, order: DrugOrder) -> str:
        """The same for orders of equal content, in whatever sequence their lines were drafted."""
        lines = (*order.lines, *(s for s in order.services if s not in order.lines))
        return self._hash("order", order.drug_id, sorted(map(_content, lines)))

    def request(self, body: bytes) -> str:
        """Of a whole request, byte for byte: who has it can show that it was this one."""
        made = hmac.new(self._secret, b"request\0", hashlib.sha256)
        made.update(body)
        return made.hexdigest()

    def _hash(self, *parts: Any) -> str:
        text = json.dumps(parts).encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()


def _content(line: OrderLine) -> str:
    return json.dumps([_plain(getattr(line, name)) for name in _CONTENT])


def _plain(value: Any) -> Any:
    """`value` as JSON in which equal amounts are equal: 300, 300.0 and 3E2 are one number."""
    if isinstance(value, Code):
        return [value.system, value.code]
    if isinstance(value, Decimal):
        return str(value.normalize())
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    if isinstance(value, msgspec.Struct):
        members = (getattr(value, name) for name in value.__struct_fields__)
        return [type(value).__name__, *map(_plain, members)]
    return value
