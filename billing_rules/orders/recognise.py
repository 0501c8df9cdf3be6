"""Which catalogued drug an order line is for, and how sure that is.

Most trusted first: the NDC on the box, the RxNorm product, the words, the HCPCS code. The HCPCS
code comes after the words because it is what is being checked: an order that says omalizumab and
carries tezepelumab's code is an omalizumab order with a wrong code. Words are display text, the
least reliable identifier where a product code is there, and the card says when only they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from billing_rules.catalogue import Catalogue, Identifiers
from billing_rules.model.entities import Identity, OrderLine
from billing_rules.model.ndc import ndc_candidates, ndc_product

By = Literal["NDC", "RxNorm", "HCPCS", "text"]
Vote = tuple[By, str, str]  # by what, what was seen, drug id


def recognise(line: OrderLine, catalogue: Catalogue) -> tuple[str, Identity] | None:
    """The drug id and identity of `line`, or None when it is for no catalogued drug."""
    votes = list(_votes(line, catalogue))
    if not votes:
        return None
    by, seen, drug_id = votes[0]
    drug_id = _more_specific(drug_id, votes, catalogue)
    return drug_id, Identity(by, seen, _conflict(votes, drug_id, catalogue))


def concerns_catalogue(lines: Iterable[OrderLine], catalogue: Catalogue) -> bool:
    """Whether any line is for a catalogued drug: the question that lets all others pass at once."""
    return any(next(_votes(line, catalogue), None) is not None for line in lines)


def _votes(line: OrderLine, catalogue: Catalogue) -> Iterator[Vote]:
    known = catalogue.identifiers
    for code in line.codes_of("ndc"):
        drug_id = drug_of_ndc(code, known)
        if drug_id:
            yield "NDC", code, drug_id
    for code in line.codes_of("rxnorm"):
        drug_id = known.rxnorm_products.get(code) or known.rxnorm_ingredients.get(code)
        if drug_id:
            yield "RxNorm", code, drug_id
    for words, drug_id in drugs_named(line.names, known):
        yield "text", words, drug_id
    for code in line.codes_of("hcpcs"):
        if code in known.hcpcs:
            yield "HCPCS", code, known.hcpcs[code]


def drug_of_ndc(code: str, known: Identifiers) -> str | None:
    """The drug whose box carries this NDC, the whole code first, then labeler and product."""
    forms = ndc_candidates(code)
    whole = {known.ndcs[form] for form in forms if form in known.ndcs}
    if len(whole) == 1:
        return whole.pop()
    products = {known.ndc_products.get(ndc_product(form)) for form in forms} - {None}
    return products.pop() if len(products) == 1 else None


def drugs_named(names: Iterable[str], known: Identifiers) -> list[tuple[str, str]]:
    """(words, drug id) of each different drug that the texts name; longest names win."""
    found: dict[str, str] = {}
    for name in names:
        for match in known.name_pattern.findall(name):
            found.setdefault(known.names[match.lower()], match)
    return [(words, drug_id) for drug_id, words in found.items()]


def _more_specific(drug_id: str, votes: list[Vote], catalogue: Catalogue) -> str:
    """A biosimilar's own code, name or NDC over its reference product's ingredient.

    The ingredient code and the bare generic name fit both, so they decide only when nothing
    more specific is there.
    """
    if any(by == "NDC" for by, _, _ in votes):
        return drug_id
    for _, _, other in votes:
        if catalogue.drug_files[other].biosimilar_of == drug_id:
            return other
    return drug_id


def _conflict(votes: list[Vote], drug_id: str, catalogue: Catalogue) -> str | None:
    """A sentence when the product is named twice, differently; HCPCS differences are a finding
    of their own, so they do not count here unless the words side with the HCPCS code."""
    others = [v for v in votes if not _same(v[2], drug_id, catalogue)]
    against = [v for v in others if v[0] in ("NDC", "RxNorm")]
    sided = [v for v in others if v[0] == "text"]
    if not against and not sided:
        return None
    first = votes[0]
    other = (against or sided)[0]
    names = catalogue.drug_files
    return (
        f"the order's {first[0]} {first[1]} is {names[first[2]].name}, "
        f"but its {other[0]} {other[1]} is {names[other[2]].name}"
    )


def _same(one: str, other: str, catalogue: Catalogue) -> bool:
    files = catalogue.drug_files
    return one == other or files[one].biosimilar_of == other or files[other].biosimilar_of == one
