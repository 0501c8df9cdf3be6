"""The catalogue: drugs, payers, modifiers and codes, read strictly once, asked by date.

`load()` reads the shipped YAML and, over it, a site's own file. Every question takes the date of
service and answers with the value in force that day; nothing falls back to another day's value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from billing_rules import ndc
from billing_rules.amounts import Amount
from billing_rules.catalogue_files import (
    CatalogueError,
    CodesFile,
    ContainerFile,
    DrugFile,
    ModifiersFile,
    PayerFile,
    SiteFile,
    Sourced,
    SourceFile,
    SystemsFile,
    Timeline,
    as_file,
    check_sources,
    read_yaml,
    sourced_values,
)
from billing_rules.dated import Dated
from billing_rules.model import (
    Container,
    DoseStatus,
    Drug,
    KnownCode,
    Modifier,
    ModifierPolicy,
    Payer,
    Site,
    Source,
)
from billing_rules.terms import Terms

FORMS = ("vial", "syringe", "autoinjector", "pen", "container")  # container: form not stated
DATA = Path(__file__).parent / "data"
UNKNOWN_PAYER = "unknown-payer"


@dataclass(frozen=True, slots=True)
class PayerRecognition:
    """What a Coverage must say to be this payer's; all lower case."""

    payer_id: str
    identifiers: frozenset[str]
    type_codes: frozenset[str]
    names: tuple[str, ...]
    not_names: tuple[str, ...]


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
    terms: Terms = Terms({}, {}, frozenset(), ())
    site_file: SiteFile | None = None
    _containers: Mapping[str, tuple[Container, ...]] = field(default_factory=dict)

    def drug_ids(self) -> tuple[str, ...]:
        return tuple(self.drug_files)

    def drug(self, drug_id: str, on: date) -> Drug:
        """The drug as it stood on `on`. Raises KeyError for an id that is not catalogued."""
        file = self.drug_files[drug_id]
        sources: dict[str, Source] = {}
        return Drug(
            id=file.id,
            name=file.name,
            brand=file.brand,
            group=file.group,
            biosimilar_of=file.biosimilar_of,
            hcpcs=_text(file, "hcpcs", on, sources),
            billing_unit=_amount(file, "billing_unit", on, sources),
            medically_unlikely_units=_whole(file, "medically_unlikely_units", on, sources),
            opps_status=_text(file, "opps_status", on, sources),
            containers=self._containers[drug_id],
            routes=_routes(file),
            labelled_doses=_amounts(file, "labelled_doses", on, sources),
            labelled_dose_per_weight=_amount(file, "labelled_dose_per_weight", on, sources),
            intervals=_intervals(file, on, sources),
            unclassified_codes=_texts(file, "unclassified_codes", on, sources),
            sources=sources,
        )

    def payer(self, payer_id: str, on: date) -> Payer:
        """The payer's rules on `on`. Raises KeyError for a payer without a file."""
        file = self.payer_files[payer_id]
        sources: dict[str, Source] = {}
        edits = _in_force(file, "medically_unlikely_edits", on, sources)
        return Payer(
            id=file.id,
            name=file.name,
            known=file.known,
            jw=_policy(file, "jw", on, sources),
            jz=_policy(file, "jz", on, sources),
            medically_unlikely_edits=edits is not None and edits.value == "MUE",
            lines_per_ndc=cast(Any, _stated(file, "lines_per_ndc", on, sources)),
            sources=sources,
        )

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
            stocked=frozenset(ndc.candidates(text)[0] for text in file.stocked),
            prices={c: Decimal(str(p.value)) for c, p in priced.items()},
            price_source=_source(file.sources, first) if first else None,
            setting=file.setting,
        )


# ---------------------------------------------------------------- dated values of a file


def _source(sources: Mapping[str, SourceFile], sourced: Sourced) -> Source:
    file = sources[sourced.source]
    return Source(file.title, file.url, file.published, cast(Any, file.certainty), sourced.quote)


def _in_force(file: Any, name: str, on: date, sources: dict[str, Source]) -> Sourced | None:
    timeline: Timeline = getattr(file, name)
    sourced = Dated(timeline).on_or_none(on)
    if sourced is None or sourced.value is None:
        return None
    sources[name] = _source(file.sources, sourced)
    return sourced


def _text(file: Any, name: str, on: date, sources: dict[str, Source]) -> str | None:
    sourced = _in_force(file, name, on, sources)
    return str(sourced.value) if sourced else None


def _texts(file: Any, name: str, on: date, sources: dict[str, Source]) -> tuple[str, ...]:
    sourced = _in_force(file, name, on, sources)
    if sourced is None:
        return ()
    value = sourced.value
    return (value,) if isinstance(value, str) else tuple(value or ())


def _whole(file: Any, name: str, on: date, sources: dict[str, Source]) -> int | None:
    text = _text(file, name, on, sources)
    return int(text) if text else None


def _amount(file: Any, name: str, on: date, sources: dict[str, Source]) -> Amount | None:
    text = _text(file, name, on, sources)
    return Amount.parse(text) if text else None


def _amounts(file: Any, name: str, on: date, sources: dict[str, Source]) -> tuple[Amount, ...]:
    texts = _texts(file, name, on, sources)
    return tuple(amount for text in texts for amount in _listed_amounts(text))


def _listed_amounts(text: str) -> list[Amount]:
    """`"75,150,300 mg"` as three amounts: labels write the unit once, after the last number."""
    *numbers, last = text.split(",")
    amount = Amount.parse(last)
    return [*(Amount.parse(f"{number.strip()} {amount.unit}") for number in numbers), amount]


def _intervals(file: DrugFile, on: date, sources: dict[str, Source]) -> tuple[Amount, ...]:
    return tuple(_interval(text) for text in _texts(file, "intervals", on, sources))


def _interval(text: str) -> Amount:
    """`"q4w"` or `"4 wk"`, as labels and policies write it. Raises ValueError."""
    every = re.fullmatch(r"q(\d+)w", text)
    return Amount.parse(f"{every[1]} wk" if every else text)


_ROUTES = {"sc": "subcutaneous", "subcutaneously": "subcutaneous", "iv": "intravenous"}


def _routes(file: DrugFile) -> tuple[str, ...]:
    value = file.routes.value if file.routes else None
    texts = [value] if isinstance(value, str) else value or []
    return tuple(_ROUTES.get(text.lower(), text.lower()) for text in texts)


def _policy(file: PayerFile, name: str, on: date, sources: dict[str, Source]) -> ModifierPolicy:
    timeline: Timeline = getattr(file, name)
    if timeline and on < min(timeline):
        sources[name] = _source(file.sources, timeline[min(timeline)])
        return "not yet"
    return cast(ModifierPolicy, _stated(file, name, on, sources))


def _stated(file: PayerFile, name: str, on: date, sources: dict[str, Source]) -> str:
    return _text(file, name, on, sources) or "not stated"


# ---------------------------------------------------------------- loading


def load(site: Path | None = None, data: Path = DATA) -> Catalogue:
    """Read the catalogue in `data`, with the site's file over it.

    Raises CatalogueError with file, place and remedy for anything that is not as it must be.
    """
    site_file = as_file(read_yaml(site), SiteFile, site.name) if site else None
    drugs = _files(data / "drugs", DrugFile, site_file.drugs if site_file else {}, site_file)
    payers = _files(data / "payers", PayerFile, site_file.payers if site_file else {}, site_file)
    if UNKNOWN_PAYER not in payers:
        raise CatalogueError(f"payers: '{UNKNOWN_PAYER}' is missing; every order needs a payer")
    modifiers = _modifiers(data / "modifiers.yaml")
    codes = as_file(read_yaml(data / "codes.yaml"), CodesFile, "codes.yaml")
    check_sources(codes.sources, sourced_values(codes), "codes.yaml")
    systems = as_file(read_yaml(data / "code_systems.yaml"), SystemsFile, "code_systems.yaml")
    _check_words(payers.values(), codes)
    containers = {drug.id: _containers(drug) for drug in drugs.values()}
    if site_file:
        _check_site(site_file, containers)
    catalogue = Catalogue(
        drug_files=drugs,
        payer_files=payers,
        modifiers={code: _modifier(modifiers, code) for code in modifiers.modifiers},
        not_modifiers={code: s.quote for code, s in modifiers.not_modifiers.items()},
        known_codes=_known_codes(codes, drugs.values()),
        systems={uri: name for name, uris in systems.systems.items() for uri in uris},
        preferred_uri={name: uris[0] for name, uris in systems.systems.items()},
        identifiers=_identifiers(drugs.values(), containers),
        payer_recognition=tuple(_recognition(p) for p in payers.values()),
        site_file=site_file,
        _containers=containers,
    )
    _check_amounts(catalogue)
    return catalogue


_DATED = (
    "hcpcs", "billing_unit", "medically_unlikely_units", "labelled_doses",
    "labelled_dose_per_weight", "intervals",
)


def _check_amounts(catalogue: Catalogue) -> None:
    """Every dated value of every drug can be read, not only those in force today."""
    for drug_id, file in catalogue.drug_files.items():
        for start in {start for name in _DATED for start in getattr(file, name)}:
            try:
                catalogue.drug(drug_id, start)
            except ValueError as error:
                raise CatalogueError(f"drugs/{drug_id}.yaml: on {start}: {error}") from None


_PAYER_WORDS = {
    "jw": ("required", "recognised", "denies"),
    "jz": ("required", "recognised", "denies"),
    "medically_unlikely_edits": ("MUE",),
    "lines_per_ndc": ("one line", "one line per NDC"),
}
_KINDS = ("drug", "unclassified", "administration")


def _check_words(payers: Iterable[PayerFile], codes: CodesFile) -> None:
    """Payer rules and kinds of codes are words the rules know."""
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


def _files(
    folder: Path, shape: type[Any], overrides: Mapping[str, dict[str, Any]], site: SiteFile | None
) -> dict[str, Any]:
    contents = {path.stem: read_yaml(path) for path in sorted(folder.glob("*.yaml"))}
    for key, changes in overrides.items():
        base = contents.get(key, {"sources": {}})
        sources = {**base["sources"], **_raw_sources(site), **changes.get("sources", {})}
        contents[key] = {**base, **changes, "sources": sources}
    files = {}
    for stem, content in contents.items():
        name = f"{folder.name}/{stem}.yaml"
        file = as_file(content, shape, name)
        if file.id != stem:
            raise CatalogueError(f"{name}: its id is '{file.id}'; file and id have one name")
        check_sources(file.sources, sourced_values(file), name)
        files[stem] = file
    return files


def _raw_sources(site: SiteFile | None) -> dict[str, Any]:
    if site is None:
        return {}
    return {
        key: {
            "title": s.title,
            "url": s.url,
            "published": s.published,
            "certainty": s.certainty,
        }
        for key, s in site.sources.items()
    }


def _check_site(site: SiteFile, containers: Mapping[str, tuple[Container, ...]]) -> None:
    check_sources(site.sources, sourced_values(site.prices), "site file")
    known = {c.ndc for group in containers.values() for c in group}
    for text in site.stocked:
        forms = ndc.candidates(text)
        if len(forms) != 1 or forms[0] not in known:
            raise CatalogueError(
                f"site file: stocked NDC '{text}' is none of the catalogue's containers; "
                "write it with hyphens as on the box, or add the container under drugs"
            )
    for code, timeline in site.prices.items():
        for sourced in timeline.values():
            if not re.fullmatch(r"\d+(\.\d+)?", str(sourced.value)):
                raise CatalogueError(
                    f"site file: the price of {code}, '{sourced.value}', is no plain number of "
                    "dollars per billing unit"
                )


def _containers(drug: DrugFile) -> tuple[Container, ...]:
    return tuple(_container(drug, c) for c in drug.containers)


def _container(drug: DrugFile, file: ContainerFile) -> Container:
    place = f"drugs/{drug.id}.yaml: container {file.ndc.value}"
    forms = ndc.candidates(str(file.ndc.value))
    if len(forms) != 1:
        raise CatalogueError(f"{place}: write the NDC with hyphens, as on the box")
    if file.form not in FORMS:
        raise CatalogueError(f"{place}: form must be one of {', '.join(FORMS)}")
    strength = _strength(drug, file, place)
    _check_units(drug, file, strength, place)
    status = file.dose_status or drug.single_dose_list
    return Container(
        ndc=forms[0],
        ndc_shown=str(file.ndc.value),
        form=cast(Any, file.form),
        strength=strength,
        volume=_amount_at(file.volume, place) if file.volume else None,
        per_package=file.per_package,
        dose_status=_dose_status(drug, file, place),
        marketed_from=_day(file.marketed_from, place),
        marketed_until=_day(file.marketed_until, place),
        source=_source(drug.sources, file.ndc),
        dose_status_source=_source(drug.sources, status) if status else None,
    )


def _dose_status(drug: DrugFile, file: ContainerFile, place: str) -> DoseStatus:
    """The NDC's own label first, then CMS's single-dose code list, else unknown: ask.

    Absence from the list never means multiple-dose: the list is not exhaustive.
    """
    if file.dose_status is None:
        return "single-dose" if drug.single_dose_list else "unknown"
    text = str(file.dose_status.value).lower()
    if text in ("single-dose", "single-use"):
        return "single-dose"
    if text in ("multi-dose", "multiple-dose"):
        return "multiple-dose"
    raise CatalogueError(f"{place}: dose_status must be single-dose or multiple-dose")


def _day(sourced: Sourced | None, place: str) -> date | None:
    if sourced is None:
        return None
    try:
        return date.fromisoformat(str(sourced.value))
    except ValueError:
        raise CatalogueError(f"{place}: '{sourced.value}' is no date (YYYY-MM-DD)") from None


def _strength(drug: DrugFile, file: ContainerFile, place: str) -> Amount:
    """The labelled amount: stated, else CMS's billing units times the one billing unit."""
    if file.strength is not None:
        return _amount_at(file.strength, place)
    units = Dated(drug.billing_unit).ever()
    if file.billing_units is None or len(units) != 1:
        raise CatalogueError(f"{place}: state its strength, or its billing_units from CMS")
    return _amount_at(units[0], place) * _number_at(file.billing_units, place)


def _amount_at(sourced: Sourced, place: str) -> Amount:
    try:
        return Amount.parse(str(sourced.value))
    except ValueError as error:
        raise CatalogueError(f"{place}: {error}") from None


def _number_at(sourced: Sourced, place: str) -> Decimal:
    try:
        return Decimal(str(sourced.value))
    except ArithmeticError:
        raise CatalogueError(f"{place}: '{sourced.value}' is no number") from None


def _check_units(drug: DrugFile, file: ContainerFile, strength: Amount, place: str) -> None:
    """CMS's billing units of one container must agree with its labelled strength."""
    if file.billing_units is None:
        return
    units = Dated(drug.billing_unit).ever()
    amounts = [_amount_at(unit, place) for unit in units]
    expected = {strength.to(u.unit).value / u.value for u in amounts}
    if _number_at(file.billing_units, place) not in expected:
        raise CatalogueError(
            f"{place}: {file.billing_units.value} billing units are not {strength}; "
            "one of the two is wrong"
        )


def _modifiers(path: Path) -> ModifiersFile:
    file = as_file(read_yaml(path), ModifiersFile, path.name)
    descriptors = (
        Sourced(text, file.source, text)
        for timeline in file.modifiers.values()
        for text in timeline.values()
        if text is not None
    )
    check_sources(file.sources, [*descriptors, *file.not_modifiers.values()], path.name)
    for code in [*file.modifiers, *file.not_modifiers]:
        if not re.fullmatch(r"[A-Z0-9]{2}", code):
            raise CatalogueError(f"{path.name}: '{code}' is not two capital letters or digits")
    return file


def _modifier(file: ModifiersFile, code: str) -> Dated[Modifier]:
    return Dated(
        {
            start: None
            if text is None
            else Modifier(code, text, _source(file.sources, Sourced(text, file.source, text)))
            for start, text in file.modifiers[code].items()
        }
    )


def _known_codes(codes: CodesFile, drugs: Iterable[DrugFile]) -> dict[str, Dated[KnownCode]]:
    known = {
        code: Dated(
            {
                start: _known_code(codes, code, s)
                for start, s in file.meaning.items()
            }
        )
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
    return KnownCode(code, kind, meaning, None, _source(codes.sources, sourced))


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
            code, "drug", meaning, drug.id, _source(drug.sources, sourced)
        )
    return {code: Dated(timeline) for code, timeline in timelines.items()}


def _identifiers(
    drugs: Iterable[DrugFile], containers: Mapping[str, tuple[Container, ...]]
) -> Identifiers:
    drugs = list(drugs)
    ndcs = {c.ndc: drug_id for drug_id, group in containers.items() for c in group}
    names = {name.lower(): drug.id for drug in drugs for name in drug.names}
    longest_first = sorted(names, key=len, reverse=True)
    pattern = "|".join(re.escape(name) for name in longest_first)
    return Identifiers(
        ndcs=ndcs,
        ndc_products={ndc.product_of(code): drug_id for code, drug_id in ndcs.items()},
        rxnorm_products=_rxnorm(drugs, "rxnorm_products"),
        rxnorm_ingredients=_rxnorm(drugs, "rxnorm_ingredient"),
        hcpcs={
            str(s.value): d.id for d in drugs for s in d.hcpcs.values() if s.value is not None
        },
        names=names,
        name_pattern=re.compile(rf"(?<![a-z0-9])(?:{pattern})(?![a-z0-9])", re.IGNORECASE),
    )


def _rxnorm(drugs: Iterable[DrugFile], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for drug in drugs:
        sourced: Sourced | None = getattr(drug, name)
        value = sourced.value if sourced else None
        for code in [value] if isinstance(value, str) else value or []:
            found.setdefault(code, drug.id)
    return found


def _recognition(payer: PayerFile) -> PayerRecognition:
    r = payer.recognise
    return PayerRecognition(
        payer.id,
        frozenset(text.lower() for text in r.identifiers),
        frozenset(text.lower() for text in r.type_codes),
        tuple(text.lower() for text in r.names),
        tuple(text.lower() for text in r.not_names),
    )
