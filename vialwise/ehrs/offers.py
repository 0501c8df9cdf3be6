"""What a FHIR server offers of what the rules ask for: of a live one, or of an EHR as its vendor's
public documents declare it (ehrs/*.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from billing_rules.catalogue.files import as_file, read_yaml
from billing_rules.data_needed import DATA_NEEDED, DataNeed
from billing_rules.model.states import Unknown
from ehr_access.capability import Capability
from ehr_access.query import Query, query_for

_EHRS = Path(__file__).parent
_ANYONE = "1"  # an id: only the form of the queries matters


class Declared(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
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
    offered: dict[str, Declared]
    absent: tuple[str, ...]
    notes: tuple[Note, ...]
    ask: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
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


def of_server(capability: Capability | Unknown) -> tuple[Offer, ...]:
    """What a live server declares; without a statement nothing is known."""
    if isinstance(capability, Unknown):
        return tuple(
            Offer(need, None, why_not=capability.because, known=False) for need in DATA_NEEDED
        )
    return tuple(_offer(need, capability) for need in DATA_NEEDED)


def of_ehr(said: Ehr) -> tuple[Offer, ...]:
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
        else Offer(need, None, why_not="no public document says whether it is offered", known=False)
        for need in DATA_NEEDED
    )


def _offer(need: DataNeed, capability: Capability) -> Offer:
    query = query_for(need, _ANYONE, _ANYONE)
    assert query is not None
    adapted = capability.adapted(query)
    if isinstance(adapted, Unknown):
        return Offer(need, None, why_not=adapted.because)
    return Offer(need, adapted, query.names() - adapted.names())
