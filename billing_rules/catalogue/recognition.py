"""By what a drug or a payer is recognised, looked up from the files once.

Two payers may claim one coverage. The more specific is the payer: first by `parent`, then by the
longer name that the coverage holds. What neither decides is refused here where the files alone
show it, and is no payer's where only a coverage does (billing_rules.orders.payers).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from billing_rules.catalogue.files import CatalogueError, DrugFile, PayerFile
from billing_rules.catalogue.values import listed
from billing_rules.model.entities import Container
from billing_rules.model.ndc import ndc_product


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What a drug is recognised by; values are drug ids."""

    ndcs: Mapping[str, str]  # 11 digits
    ndc_products: Mapping[str, str]  # first 9 digits
    rxnorm_products: Mapping[str, str]
    rxnorm_ingredients: Mapping[str, str]
    hcpcs: Mapping[str, str]
    names: Mapping[str, str]  # lower case
    name_pattern: re.Pattern[str]


def identifiers(
    drugs: Iterable[DrugFile], containers: Mapping[str, tuple[Container, ...]]
) -> Identifiers:
    """Every NDC, code and name of the drugs."""
    drugs = list(drugs)
    ndcs = {c.ndc: drug_id for drug_id, group in containers.items() for c in group}
    names = {name.lower(): drug.id for drug in drugs for name in drug.names}
    longest_first = sorted(names, key=len, reverse=True)
    pattern = "|".join(re.escape(name) for name in longest_first)
    products: dict[str, str] = {}
    ingredients: dict[str, str] = {}
    for drug in drugs:
        products.update({c: drug.id for c in listed(drug.rxnorm_products) if c not in products})
        for code in listed(drug.rxnorm_ingredient):
            ingredients.setdefault(code, drug.id)
    return Identifiers(
        ndcs=ndcs,
        ndc_products={ndc_product(code): drug_id for code, drug_id in ndcs.items()},
        rxnorm_products=products,
        rxnorm_ingredients=ingredients,
        hcpcs={str(s.value): d.id for d in drugs for s in d.hcpcs.values() if s.value is not None},
        names=names,
        name_pattern=re.compile(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", re.IGNORECASE),
    )


@dataclass(frozen=True, slots=True)
class PayerRecognition:
    """What a Coverage must say to be this payer's; all lower case.

    `not_names` has the words of its own file, those of the payers it is a part of, and the names
    of the payers that are a part of it: a coverage that names one of these is never its own.
    """

    payer_id: str
    identifiers: frozenset[str]
    type_codes: frozenset[str]
    names: tuple[str, ...]
    not_names: tuple[str, ...]
    part_of: tuple[str, ...] = ()  # the nearest first


def payer_recognition(payers: Mapping[str, PayerFile]) -> tuple[PayerRecognition, ...]:
    """How each payer is recognised. Raises CatalogueError where two claim the same mark."""
    part_of = {payer_id: tuple(_part_of(payer_id, payers)) for payer_id in payers}
    found = []
    for payer_id, payer in payers.items():
        file = payer.recognise
        excluded = [*file.not_names]
        for parent in part_of[payer_id]:
            excluded += payers[parent].recognise.not_names
        for part in payers.values():
            excluded += part.recognise.names if payer_id in part_of[part.id] else []
        found.append(
            PayerRecognition(
                payer_id,
                frozenset(_lower(file.identifiers)),
                frozenset(_lower(file.type_codes)),
                tuple(_lower(file.names)),
                tuple(_lower(excluded)),
                part_of[payer_id],
            )
        )
    for kind in _MARKS:
        _refuse_ties(kind, found)
    return tuple(found)


def _part_of(payer_id: str, payers: Mapping[str, PayerFile]) -> Iterator[str]:
    """The payers that this one is a part of, nearest first."""
    seen, parent = {payer_id}, payers[payer_id].parent
    while parent is not None:
        if parent not in payers or parent in seen:
            fault = "is a part of it" if parent in seen else "has no file in payers"
            raise CatalogueError(f"payers/{payer_id}.yaml: its parent '{parent}' {fault}")
        yield parent
        seen.add(parent)
        parent = payers[parent].parent


_MARKS = {"names": "name", "type_codes": "type code", "identifiers": "identifier"}


def _refuse_ties(kind: str, payers: Iterable[PayerRecognition]) -> None:
    first: dict[str, PayerRecognition] = {}
    for payer in payers:
        for mark in getattr(payer, kind):
            other = first.setdefault(mark, payer)
            related = other.payer_id in payer.part_of or payer.payer_id in other.part_of
            if other is not payer and not related:
                raise CatalogueError(
                    f"payers/{other.payer_id}.yaml and payers/{payer.payer_id}.yaml both claim the "
                    f"{_MARKS[kind]} '{mark}', so that a coverage with it would be neither's; "
                    "make one the parent of the other, or write a longer name"
                )


def _lower(words: Iterable[str]) -> Iterator[str]:
    return (word.lower() for word in words)
