"""By what a drug or a payer is recognised, looked up from the files once.

Two payers may claim one coverage. The more specific is the payer: first by `parent`, then by the
longer name that the coverage holds. What neither decides is refused here where the files alone
show it, and is no payer's where only a coverage does (billing_rules.orders.payers)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, cast

from billing_rules.catalogue.chart import (
    CodeListsInUse,
    check_chart_words,
    criteria_of,
    indications_file,
    indications_of,
    read_tables,
    read_terms,
)
from billing_rules.catalogue.files import (
    CatalogueError,
    CodesFile,
    DrugFile,
    ModifiersFile,
    PayerFile,
    SiteFile,
    Sourced,
    SourceFile,
    Sources,
    SystemsFile,
    as_file,
    check_sources,
    read_file,
    read_yaml,
    sourced_values,
)
from billing_rules.catalogue.sources import Registry
from billing_rules.catalogue.terms import Terms
from billing_rules.catalogue.values import (
    Dated,
    InForce,
    Resolved,
    change_days,
    containers_of,
    listed,
    source_of,
)
from billing_rules.model.entities import (
    Container,
    DosingTable,
    Drug,
    KnownCode,
    Modifier,
    ModifierPolicy,
    Payer,
    Site,
    WantedModifiers,
    ndc_candidates,
    ndc_product,
)


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


# ----------------------------------------------------------------------
# The catalogue: drugs, payers, modifiers and codes, read strictly once, asked by date.
#
# `load()` reads the shipped YAML and, over it, a site's own file. Every question takes the date
# of service and answers with the value in force that day; nothing falls back to another day's
# value.


DATA = Path(__file__).parents[1] / "data"
UNKNOWN_PAYER = "unknown-payer"
F = TypeVar("F", DrugFile, PayerFile)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything the rules know. Build it with `load()`."""

    drug_files: Mapping[str, DrugFile]
    payer_files: Mapping[str, PayerFile]
    modifiers: Mapping[str, Dated[Modifier]]
    not_modifiers: Mapping[str, str]
    known_codes: Mapping[str, Dated[KnownCode]]
    systems: Mapping[str, str]  # URI -> short name
    preferred_uri: Mapping[str, str]  # short name -> URI to write
    identifiers: Identifiers
    payer_recognition: tuple[PayerRecognition, ...]
    sources: Mapping[str, SourceFile] = field(default_factory=dict)  # the registry
    terms: Terms = Terms({}, {}, frozenset(), ())
    site_file: SiteFile | None = None
    _containers: Mapping[str, tuple[Container, ...]] = field(default_factory=dict)
    _tables: Mapping[str, DosingTable] = field(default_factory=dict)
    _drugs: Resolved[Drug] = field(default_factory=lambda: Resolved({}), compare=False)
    _payers: Resolved[Payer] = field(default_factory=lambda: Resolved({}), compare=False)

    def drug_ids(self) -> tuple[str, ...]:
        return tuple(self.drug_files)

    def drug(self, drug_id: str, on: date) -> Drug:
        """The drug as it stood on `on`. Raises KeyError for an id that is not catalogued."""
        return self._drugs.on(drug_id, on, self._drug)

    def payer(self, payer_id: str, on: date) -> Payer:
        """The payer's rules on `on`. Raises KeyError for a payer without a file."""
        return self._payers.on(payer_id, on, self._payer)

    def _drug(self, drug_id: str, on: date) -> Drug:
        file = self.drug_files[drug_id]
        values = InForce(file, file.sources, on)
        reference = indications_file(file, self.drug_files)
        return Drug(
            id=file.id,
            name=file.name,
            brand=file.brand,
            group=file.group,
            biosimilar_of=file.biosimilar_of,
            hcpcs=values.text("hcpcs"),
            billing_unit=values.amount("billing_unit"),
            medically_unlikely_units=values.whole("medically_unlikely_units"),
            opps_status=values.text("opps_status"),
            containers=self._containers[drug_id],
            routes=_routes(file),
            labelled_doses=values.amounts("labelled_doses"),
            labelled_dose_per_weight=values.amount("labelled_dose_per_weight"),
            intervals=values.intervals("intervals"),
            unclassified_codes=values.texts("unclassified_codes"),
            supervised_doses=values.whole("supervised_doses"),
            unread_indications=values.text("unread_indications"),
            indications=indications_of(reference, self._tables, on),
            sources=values.sources,
        )

    def _payer(self, payer_id: str, on: date) -> Payer:
        file = self.payer_files[payer_id]
        values = InForce(file, file.sources, on)
        return Payer(
            id=file.id,
            name=file.name,
            known=file.known,
            jw=_policy(values, "jw"),
            jz=_policy(values, "jz"),
            medically_unlikely_edits=values.text("medically_unlikely_edits") == "MUE",
            lines_per_ndc=cast(Any, values.text("lines_per_ndc") or "not stated"),
            sources=values.sources,
            criteria=criteria_of(file, on),
            wanted_modifiers=_wanted(file, on),
        )

    def payer_name(self, payer_id: str) -> str:
        """A payer's name; the id itself where the catalogue knows none, as of an earlier one."""
        file = self.payer_files.get(payer_id)
        return file.name if file else payer_id

    def modifier(self, code: str, on: date) -> Modifier | None:
        """The modifier, or None when no such modifier was in force on `on`."""
        dated = self.modifiers.get(code)
        return dated.on_or_none(on) if dated else None

    def known_code(self, code: str, on: date) -> KnownCode | None:
        """What `code` meant on `on`, or None when the catalogue does not know it that day."""
        dated = self.known_codes.get(code)
        return dated.on_or_none(on) if dated else None

    def site(self, on: date) -> Site:
        """The clinic's stock, prices and place of service on `on`."""
        if self.site_file is None:
            return Site()
        file = self.site_file
        prices = {c: Dated(t).on_or_none(on) for c, t in file.prices.items()}
        priced = {c: p for c, p in prices.items() if p is not None}
        first = next(iter(priced.values()), None)
        return Site(
            name=file.name,
            stocked=frozenset(ndc_candidates(text)[0] for text in file.stocked),
            prices={c: Decimal(str(p.value)) for c, p in priced.items()},
            price_source=source_of(file.sources, first) if first else None,
            setting=file.setting,
            wanted_modifiers=_wanted(file, on),
        )


_ROUTES = {"sc": "subcutaneous", "subcutaneously": "subcutaneous", "iv": "intravenous"}


def _routes(file: DrugFile) -> tuple[str, ...]:
    return tuple(_ROUTES.get(text.lower(), text.lower()) for text in listed(file.routes))


def _wanted(file: PayerFile | SiteFile, on: date) -> dict[str, WantedModifiers]:
    """The modifiers wanted on `on`, by HCPCS code or "all"."""
    found = {code: Dated(days).on_or_none(on) for code, days in file.wanted_modifiers.items()}
    return {
        code: WantedModifiers(listed(sourced), source_of(file.sources, sourced))
        for code, sourced in found.items()
        if sourced is not None and sourced.value is not None
    }


def _policy(values: InForce, name: str) -> ModifierPolicy:
    if values.starts_later(name):
        return "not yet"
    return cast(ModifierPolicy, values.text(name) or "not stated")


# ---------------------------------------------------------------- loading


def load(
    site: Path | None = None, data: Path = DATA, read: Callable[..., Any] = read_file
) -> Catalogue:
    """Read the catalogue in `data`, with the site's file over it.

    `read` gives what stands in a file of `data`, as read_file does: a program may remember it.

    Raises CatalogueError with file, place and remedy for anything that is not as it must be.
    """
    site_file = read_file(site, SiteFile, site.name) if site else None
    over = site_file or SiteFile("")
    registry = Registry(data, read)
    lists = CodeListsInUse(data / "code_lists.yaml", registry)
    drugs = _files(data / "drugs", DrugFile, registry, over.drugs, over.sources, lists.written_out)
    payers = _files(data / "payers", PayerFile, registry, over.payers, over.sources)
    if UNKNOWN_PAYER not in payers:
        raise CatalogueError(f"payers: '{UNKNOWN_PAYER}' is missing; every order needs a payer")
    modifiers = registry.admitted(data / "modifiers.yaml", ModifiersFile)
    codes = registry.admitted(data / "codes.yaml", CodesFile)
    systems = registry.read(data / "code_systems.yaml", SystemsFile, "code_systems.yaml").systems
    terms = read_terms(data / "terms.yaml", registry)
    tables = read_tables(data / "dosing", registry)
    registry.refuse_uncited()
    lists.refuse_unused()
    _check_words(payers.values(), codes, modifiers)
    containers = {drug.id: containers_of(drug) for drug in drugs.values()}
    if site_file:
        _check_site(site_file, containers)
    drug_changes = {
        drug.id: (*change_days(drug), *change_days(indications_file(drug, drugs)))
        for drug in drugs.values()
    }
    catalogue = Catalogue(
        drug_files=drugs,
        payer_files=payers,
        modifiers={code: _modifier(modifiers, code) for code in modifiers.modifiers},
        not_modifiers={code: s.quote for code, s in modifiers.not_modifiers.items()},
        known_codes=_known_codes(codes, drugs.values()),
        systems={uri: name for name, uris in systems.items() for uri in uris},
        preferred_uri={name: uris[0] for name, uris in systems.items()},
        identifiers=identifiers(drugs.values(), containers),
        payer_recognition=payer_recognition(payers),
        sources=registry.sources,
        terms=terms,
        site_file=site_file,
        _containers=containers,
        _tables=tables,
        _drugs=Resolved(drug_changes),
        _payers=Resolved({payer.id: change_days(payer) for payer in payers.values()}),
    )
    _check_values(catalogue)
    check_chart_words(catalogue.drug_files, catalogue.payer_files, terms)
    return catalogue


def _files(
    folder: Path,
    shape: type[F],
    registry: Registry,
    overrides: Mapping[str, dict[str, Any]],
    site: Sources,
    completed: Callable[[F], F] = lambda file: file,
) -> dict[str, F]:
    """Every file of a folder by id, and over it what a site's file says of the same id."""

    def named(stem: str, file: F) -> tuple[F, str]:
        name = f"{folder.name}/{stem}.yaml"
        if file.id != stem:
            raise CatalogueError(f"{name}: its id is '{file.id}'; file and id have one name")
        return completed(file), name

    files: dict[str, F] = {}
    for path in sorted(folder.glob("*.yaml")):
        file = registry.read(path, shape, f"{folder.name}/{path.name}")
        files[path.stem] = registry.admit(*named(path.stem, file))
    for stem, changes in overrides.items():
        base = read_yaml(folder / f"{stem}.yaml") if stem in files else {}
        own = {**base.get("sources", {}), **changes.get("sources", {})}
        content = {**base, **changes, "sources": own}
        file, name = named(stem, as_file(content, shape, f"{folder.name}/{stem}.yaml"))
        files[stem] = registry.admit_overridden(file, name, site)
    return files


def _check_values(catalogue: Catalogue) -> None:
    """Every value of every drug and payer can be read, not only those in force today."""
    for folder, resolved, ask in (
        ("drugs", catalogue._drugs, catalogue.drug),
        ("payers", catalogue._payers, catalogue.payer),
    ):
        for key, day in resolved.changes():
            try:
                ask(key, day)
            except CatalogueError:
                raise
            except ValueError as error:
                raise CatalogueError(f"{folder}/{key}.yaml: on {day}: {error}") from None


_PAYER_WORDS = {
    "jw": ("required", "recognised", "denies"),
    "jz": ("required", "recognised", "denies"),
    "medically_unlikely_edits": ("MUE",),
    "lines_per_ndc": ("one line", "one line per NDC"),
}
_KINDS = ("drug", "unclassified", "administration")


def _check_words(payers: Iterable[PayerFile], codes: CodesFile, modifiers: ModifiersFile) -> None:
    """Payer rules and kinds of codes are words the rules know; modifiers look like modifiers."""
    for payer in payers:
        for name, words in _PAYER_WORDS.items():
            for sourced in getattr(payer, name).values():
                if sourced.value is not None and sourced.value not in words:
                    raise CatalogueError(
                        f"payers/{payer.id}.yaml: {name} is '{sourced.value}'; "
                        f"write {' or '.join(words)}, or leave it out where nothing is stated"
                    )
    for code, file in codes.codes.items():
        if file.kind not in _KINDS:
            raise CatalogueError(f"codes.yaml: {code}: kind must be {', '.join(_KINDS)}")
    for code in [*modifiers.modifiers, *modifiers.not_modifiers]:
        if not re.fullmatch(r"[A-Z0-9]{2}", code):
            raise CatalogueError(f"modifiers.yaml: '{code}' is not two capital letters or digits")


def _check_site(site: SiteFile, containers: Mapping[str, tuple[Container, ...]]) -> None:
    check_sources(site.sources, sourced_values(site.prices), "site file")
    check_sources(site.sources, sourced_values(site.wanted_modifiers), "site file")
    known = {c.ndc for group in containers.values() for c in group}
    for text in site.stocked:
        forms = ndc_candidates(text)
        if len(forms) != 1 or forms[0] not in known:
            raise CatalogueError(
                f"site file: stocked NDC '{text}' is not one of the catalogue's containers; "
                "write it with hyphens as on the box, or add the container under drugs"
            )
    for code, timeline in site.prices.items():
        for sourced in timeline.values():
            if not re.fullmatch(r"\d+(\.\d+)?", str(sourced.value)):
                raise CatalogueError(
                    f"site file: the price of {code}, '{sourced.value}', is not a plain number of "
                    "dollars per billing unit"
                )


def _modifier(file: ModifiersFile, code: str) -> Dated[Modifier]:
    return Dated(
        {
            start: None
            if text is None
            else Modifier(code, text, source_of(file.sources, Sourced(text, file.source, text)))
            for start, text in file.modifiers[code].items()
        }
    )


def _known_codes(codes: CodesFile, drugs: Iterable[DrugFile]) -> dict[str, Dated[KnownCode]]:
    known = {
        code: Dated({start: _known_code(codes, code, s) for start, s in file.meaning.items()})
        for code, file in codes.codes.items()
    }
    for drug in drugs:
        known.update(_own_codes(drug))
    return known


def _known_code(codes: CodesFile, code: str, sourced: Sourced) -> KnownCode | None:
    """None where abolished; the meaning is empty where the code stands for itself (CPT)."""
    if sourced.value is None:
        return None
    meaning = "" if sourced.value == code else str(sourced.value)
    kind = cast(Any, codes.codes[code].kind)
    return KnownCode(code, kind, meaning, None, source_of(codes.sources, sourced))


def _own_codes(drug: DrugFile) -> dict[str, Dated[KnownCode]]:
    """The drug's own codes over time, each meaning the drug while in force."""
    timelines: dict[str, dict[date, KnownCode | None]] = {}
    for start, sourced in sorted(drug.hcpcs.items()):
        for timeline in timelines.values():
            timeline[start] = None
        if sourced.value is None:
            continue
        unit = Dated(drug.billing_unit).on_or_none(start)
        meaning = f"{drug.name}, {unit.value}" if unit else drug.name
        code = str(sourced.value)
        timelines.setdefault(code, {})[start] = KnownCode(
            code, "drug", meaning, drug.id, source_of(drug.sources, sourced)
        )
    return {code: Dated(timeline) for code, timeline in timelines.items()}
