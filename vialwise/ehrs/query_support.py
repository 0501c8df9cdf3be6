"""Which of the rules' queries a FHIR server supports, and what each rule lacks there.

Of a live server, or of an EHR as its vendor's public documents declare it (vialwise/ehrs/*.yaml).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from billing_rules.catalogue.files import as_file, read_yaml
from billing_rules.data_needed import DATA_NEEDED, DataNeed
from billing_rules.model.states import Unknown
from billing_rules.rules import RULES
from ehr_access.query import Query, query_for
from ehr_access.server_metadata import Capability, SmartConfiguration

# ----------------------------------------------------------------------
# What a FHIR server offers of what the rules ask for: of a live one, or of an EHR as its vendor's
# public documents declare it (ehrs/*.yaml).


_EHRS = Path(__file__).parent
_ANYONE = "1"  # an id: only the form of the queries matters


class DeclaredType(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Of one type, whether it can be read by id, and its search parameters."""

    read: bool = False
    search: tuple[str, ...] = ()


class Document(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    title: str
    captured: str


class Note(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A fact with the document it stands in, and when that was captured."""

    says: str
    source: str
    captured: str


class Ehr(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is publicly known of an EHR. A type in neither `offered` nor `absent` is not known."""

    name: str
    fhir_version: str
    source: Document
    offered: dict[str, DeclaredType]
    absent: tuple[str, ...]
    notes: tuple[Note, ...]
    ask: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuerySupport:
    """Whether one of the rules' queries can be asked: all of it (`query`, perhaps without what only
    narrows), or not because of `why_not`. `known` is False where nothing says either."""

    need: DataNeed
    query: Query | None
    left_out: frozenset[str] = frozenset()
    why_not: str = ""
    known: bool = True

    @property
    def can_be_asked(self) -> bool:
        return self.query is not None


def ehr_names() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in _EHRS.glob("*.yaml")))


def ehr(name: str) -> Ehr:
    """One of `ehr_names`. Raises CatalogueError for a file that is not as it should be."""
    file = f"{name}.yaml"
    return as_file(read_yaml(_EHRS / file), Ehr, file)


def support_of_server(capability: Capability | Unknown) -> tuple[QuerySupport, ...]:
    """What a live server declares; without a statement nothing is known."""
    if isinstance(capability, Unknown):
        return tuple(
            QuerySupport(need, None, why_not=capability.because, known=False)
            for need in DATA_NEEDED
        )
    return tuple(_offer(need, capability) for need in DATA_NEEDED)


def support_of_ehr(said: Ehr) -> tuple[QuerySupport, ...]:
    """What a vendor's documents declare."""
    capability = Capability(
        said.fhir_version,
        {
            kind: frozenset({"read"} if of.read else ()) | ({"search-type"} if of.search else set())
            for kind, of in said.offered.items()
        },
        {kind: frozenset(of.search) for kind, of in said.offered.items()},
    )
    stated = {*said.offered, *said.absent}
    return tuple(
        _offer(need, capability)
        if need.resource_type in stated
        else QuerySupport(
            need, None, why_not="no public document says whether it is offered", known=False
        )
        for need in DATA_NEEDED
    )


def _offer(need: DataNeed, capability: Capability) -> QuerySupport:
    query = query_for(need, _ANYONE, _ANYONE)
    assert query is not None
    adapted = capability.adapted(query)
    if isinstance(adapted, Unknown):
        return QuerySupport(need, None, why_not=adapted.because)
    return QuerySupport(need, adapted, query.names() - adapted.names())


# ----------------------------------------------------------------------
# From what a FHIR server offers to which rules can be answered there, and what to ask for.


# What signing in needs, and what it is for (SMART App Launch 2.2, "Capability Sets").
_SMART = (
    ("launch-ehr", "the app opens from a card or from the EHR's menu"),
    ("launch-standalone", "the app opens by itself"),
    ("permission-v2", "scopes as finely as the rules need them; version 1 is taken too"),
    ("client-confidential-asymmetric", "the app signs in with a key, not with a shared secret"),
)
_PKCE = "S256"


@dataclass(frozen=True, slots=True)
class RuleSupport:
    """Whether a rule can be answered: `reads` are its queries, `lacking` those that cannot be
    asked."""

    rule: str
    reads: tuple[QuerySupport, ...]

    @property
    def lacking(self) -> tuple[QuerySupport, ...]:
        return tuple(offer for offer in self.reads if not offer.can_be_asked)

    @property
    def whole(self) -> bool:
        return not self.lacking

    @property
    def in_part(self) -> bool:
        """Something can be asked of it, or it has the order, from which it speaks without it."""
        return bool(self.lacking) and len(self.lacking) < len(self.reads)


def rule_support(offers: Sequence[QuerySupport]) -> tuple[RuleSupport, ...]:
    """Every rule, in card order."""
    return tuple(
        RuleSupport(rule.id, tuple(offer for offer in offers if offer.need.key in rule.queries))
        for rule in RULES
    )


def to_ask(offers: Sequence[QuerySupport]) -> list[str]:
    """What to ask the EHR team for, a sentence a type."""
    lacking: dict[str, list[QuerySupport]] = {}
    for offer in offers:
        if not offer.can_be_asked:
            lacking.setdefault(offer.need.resource_type, []).append(offer)
    return [_asked_for(kind, found) for kind, found in lacking.items()]


def _asked_for(kind: str, offers: list[QuerySupport]) -> str:
    searched = any(offer.need.is_search for offer in offers)
    how = f"search by patient (patient/{kind}.rs)" if searched else f"read (patient/{kind}.r)"
    if not all(offer.known for offer in offers):
        return f"{kind}: is it offered? Needed is {how}."
    return f"{kind}: {how}, as {offers[0].why_not}."


def smart_checks(said: SmartConfiguration | Unknown) -> list[tuple[str, bool, str]]:
    """What of SMART is offered: (name, whether, what for)."""
    if isinstance(said, Unknown):
        return []
    methods = said.challenge_methods
    checks = [(f"PKCE {_PKCE}", _PKCE in methods, "nobody else can use the code of a sign-in")]
    return [*checks, *((name, name in said.capabilities, why) for name, why in _SMART)]


def smart_to_ask(said: SmartConfiguration | Unknown) -> list[str]:
    if isinstance(said, Unknown):
        return [f"SMART: where do apps sign in? Not known, because {said.because}."]
    return [f"SMART {name}: {why}." for name, there, why in smart_checks(said) if not there]


def names(offers: Iterable[QuerySupport]) -> list[str]:
    """The parts of the chart that these are, once each."""
    return list(dict.fromkeys(offer.need.key for offer in offers))
