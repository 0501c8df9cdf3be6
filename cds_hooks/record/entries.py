"""What is kept of cards, of the answers to them and of calls, in words without any database.

No patient, user, name, resource or token is among them: patient and order stand as keyed hashes
that only this installation can make (conformance A8.8).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import msgspec

from billing_rules.catalogue import Catalogue
from billing_rules.catalogue.values import Dated
from billing_rules.model.entities import Code, DrugOrder, OrderLine

# ----------------------------------------------------------------------
# Which editions of the code sets and policies the catalogue was made from.


TitleAndDate = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CodeSets:
    """The sources of a catalogue by title and date of publication; `key` is the same for the
    same ones."""

    sources: tuple[TitleAndDate, ...] = ()
    key: str = ""


def of(catalogue: Catalogue) -> CodeSets:
    sources = tuple(sorted(set(_sources(catalogue))))
    return CodeSets(sources, hashlib.sha256(json.dumps(sources).encode()).hexdigest())


def _sources(catalogue: Catalogue) -> Iterable[TitleAndDate]:
    files: list[Any] = [*catalogue.drug_files.values(), *catalogue.payer_files.values()]
    files += [catalogue.site_file] if catalogue.site_file else []
    listed = [source for file in files for source in file.sources.values()]
    codes: list[Dated[Any]] = [*catalogue.modifiers.values(), *catalogue.known_codes.values()]
    listed += [value.source for dated in codes for value in dated.ever()]
    for source in listed:
        yield source.title, source.published.isoformat()


# ----------------------------------------------------------------------
# What is kept of cards and of the answers to them, in words without any database.
#
# No patient, user, name, resource or token is among them: patient and order stand as keyed hashes
# that only this installation can make (conformance A8.8).


RuleAndKind = tuple[str, str]
Outcome = Literal["accepted", "overridden"]
ByOrder = Mapping[str, frozenset[RuleAndKind]]  # order key -> findings


@dataclass(frozen=True, slots=True)
class ShownCard:
    """One card of an answer. `client` and `tenant` are "" for callers that are not told apart;
    `held_back` says why it was not shown, "" for one that was."""

    card: str
    suggestions: tuple[str, ...]
    service: str
    hook: str
    findings: tuple[RuleAndKind, ...]
    rule_set: str
    payer_id: str
    drug_id: str
    topic: str
    indicator: str
    patient_key: str
    order_key: str
    client: str = ""
    tenant: str = ""
    held_back: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Feedback:
    """What became of one card (CDS Hooks 2.0.1, "Feedback"); `outcome_at` is the client's time.

    The reason stands as the client sent it. `comment` is free text that may name a patient: ""
    unless the site asked to keep it.
    """

    card: str
    outcome: Outcome
    outcome_at: datetime
    accepted: tuple[str, ...] = ()
    reason_code: str = ""
    reason_system: str = ""
    reason_display: str = ""
    comment_sent: bool = False
    comment: str = ""


@dataclass(frozen=True, slots=True)
class AuditedCall:
    """One call and what became of it (conformance A10.6). `hook_instance` is "" unless it is a
    UUID; `code_sets` the key of the catalogue's sources; `input_hash` the keyed hash of the body;
    `cards` the UUIDs of the cards sent."""

    client: str
    tenant: str
    service: str
    hook: str
    hook_instance: str
    rule_set: str
    code_sets: str
    input_hash: str
    status: int
    outcome: str
    cards: tuple[str, ...]
    findings: tuple[RuleAndKind, ...]
    milliseconds: int


# ----------------------------------------------------------------------
# Patients and orders as hashes that only one installation can make.
#
# HMAC-SHA256 (RFC 2104) with a secret of the installation: who reads the database without the
# secret cannot find out whether a patient is in it by trying patient ids.


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
