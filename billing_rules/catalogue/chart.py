"""The catalogue's chart side: indications, dosing tables, payers' criteria and clinical words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import cast

import msgspec

from billing_rules.catalogue.files import (
    CatalogueError,
    CodeLists,
    CodeListsFile,
    CriteriaFile,
    DosingTableFile,
    DrugFile,
    IndicationFile,
    NeedFile,
    PayerFile,
    Sourced,
    Sources,
    TermsFile,
)
from billing_rules.catalogue.sources import Registry
from billing_rules.catalogue.terms import DrugClass, ObservationKind, Terms
from billing_rules.catalogue.values import (
    Dated,
    InForce,
    days_in,
    decimal_of,
    listed,
    source_of,
    units_per_period,
)
from billing_rules.model.entities import Amount, Criteria, DosingCell, DosingTable, Indication, Need

# Kinds of evidence the rules look for that are neither one result nor one drug class.
EVIDENCE = ("weight", "total_ige", "sensitisation", "eosinophils")


# ---------------------------------------------------------------- indications


def indications_file(drug: DrugFile, drugs: Mapping[str, DrugFile]) -> DrugFile:
    """The file the drug's indications stand in: its own, or its reference product's."""
    if drug.indications_as is None:
        return drug
    reference = drugs.get(drug.biosimilar_of or "")
    if reference is None:
        raise CatalogueError(
            f"drugs/{drug.id}.yaml: indications_as needs biosimilar_of, the id of the reference "
            "product's file"
        )
    return reference


def indications_of(
    drug: DrugFile, tables: Mapping[str, DosingTable], on: date
) -> tuple[Indication, ...]:
    """The indications the drug's label has on `on`."""
    found = []
    for key, file in drug.indications.items():
        try:
            found.append(_indication(key, file, drug, tables, on))
        except ValueError as error:
            place = f"drugs/{drug.id}.yaml: on {on}: {key}"
            raise CatalogueError(f"{place}: {error}") from None
    return tuple(indication for indication in found if indication)


def _indication(
    key: str, file: IndicationFile, drug: DrugFile, tables: Mapping[str, DosingTable], on: date
) -> Indication | None:
    values = InForce(file, drug.sources, on)
    if values.sourced("labelled") is None:
        return None
    ige_from, ige_to = _window(values.undated("total_ige"))
    return Indication(
        id=key,
        name=file.name,
        icd10cm=_codes("icd10cm", file.icd10cm, drug.sources, values),
        icd10cm_unspecified=_codes(
            "icd10cm_unspecified", file.icd10cm_unspecified, drug.sources, values
        ),
        snomed=_codes("snomed", file.snomed, drug.sources, values),
        snomed_unspecified=_codes(
            "snomed_unspecified", file.snomed_unspecified, drug.sources, values
        ),
        words=tuple(word.lower() for word in file.words),
        age_from=_years(values.undated("age_from")),
        age_below=_years(values.undated("age_below")),
        age_at_start=file.age_at_start,
        ige_from=ige_from,
        ige_to=ige_to,
        needs=needs_of(file.needs, drug.sources),
        doses=values.amounts("doses"),
        intervals=values.intervals("intervals"),
        tables=tuple(_table_named(table, tables) for table in file.tables),
        sources=values.sources,
    )


class CodeListsInUse:
    """The shared lists of diagnosis codes, and which of them a drug wrote so far."""

    def __init__(self, path: Path, registry: Registry) -> None:
        self._file = path.name
        self._lists = registry.admitted(path, CodeListsFile).lists
        self._used: set[str] = set()

    def written_out(self, drug: DrugFile) -> DrugFile:
        """The drug with the codes in place of the lists' names. Raises CatalogueError."""
        fields = ("icd10cm", "icd10cm_unspecified", "snomed", "snomed_unspecified")
        indications = {
            key: msgspec.structs.replace(
                file, **{name: self._codes(getattr(file, name), drug.id) for name in fields}
            )
            for key, file in drug.indications.items()
        }
        return msgspec.structs.replace(drug, indications=indications)

    def _codes(self, written: CodeLists, drug_id: str) -> CodeLists:
        names = {name for name in written.values() if isinstance(name, str)}
        if names - self._lists.keys():
            raise CatalogueError(
                f"drugs/{drug_id}.yaml: '{min(names - self._lists.keys())}' is not a list of "
                f"{self._file}; it has {', '.join(self._lists)}"
            )
        self._used |= names
        return {day: self._lists[v] if isinstance(v, str) else v for day, v in written.items()}

    def refuse_unused(self) -> None:
        """Raises CatalogueError for a list that no drug names."""
        unused = self._lists.keys() - self._used
        if unused:
            raise CatalogueError(f"{self._file}: no drug names the list '{min(unused)}'; remove it")


def _codes(name: str, lists: CodeLists, sources: Sources, values: InForce) -> frozenset[str]:
    found = cast(list[Sourced], Dated(lists).on_or_none(values.on) or [])
    if found:
        values.sources[name] = source_of(sources, found[0])
    return _codes_of(found)


def _years(sourced: Sourced | None) -> int | None:
    return int(decimal_of(str(sourced.value))) if sourced else None


def _window(sourced: Sourced | None) -> tuple[Decimal | None, Decimal | None]:
    bounds = [decimal_of(text) for text in listed(sourced)]
    if len(bounds) > 2 or bounds != sorted(bounds):
        raise ValueError("total_ige is a lower and, where known, an upper bound")
    return (bounds[0] if bounds else None, bounds[1] if len(bounds) == 2 else None)


def _table_named(name: str, tables: Mapping[str, DosingTable]) -> DosingTable:
    if name not in tables:
        raise ValueError(f"the dosing table '{name}' has no file dosing/{name}.yaml")
    return tables[name]


def needs_of(files: Iterable[NeedFile], sources: Sources) -> tuple[Need, ...]:
    return tuple(
        Need(
            what=file.what,
            source=source_of(sources, file.because),
            lasting=days_in(file.lasting),
            within=days_in(file.within),
        )
        for file in files
    )


# ---------------------------------------------------------------- criteria


def criteria_of(payer: PayerFile, on: date) -> dict[tuple[str, str], Criteria]:
    """What the payer wants on `on`, by drug and indication."""
    found = {
        (drug, indication): Dated(versions).on_or_none(on)
        for drug, indications in payer.criteria.items()
        for indication, versions in indications.items()
    }
    return {key: _criteria(file, payer.sources, on) for key, file in found.items() if file}


def _criteria(file: CriteriaFile, sources: Sources, on: date) -> Criteria:
    values = InForce(file, sources, on)
    limit = values.undated("most_units")
    wanted = values.undated("authorization") or file.first_period
    if wanted:
        values.sources["authorization"] = source_of(sources, wanted)
    return Criteria(
        diagnoses=frozenset(listed(values.undated("diagnoses"))),
        wants_severity=values.undated("wants_severity") is not None,
        needs=needs_of(file.needs, sources),
        authorization=wanted is not None,
        first_period=days_in(values.undated("first_period")),
        next_period=days_in(values.undated("next_period")),
        reassessment=listed(values.undated("reassessment")),
        most_units=units_per_period(str(limit.value)) if limit else None,
        sources=values.sources,
    )


# ---------------------------------------------------------------- dosing tables


def read_tables(folder: Path, registry: Registry) -> dict[str, DosingTable]:
    """Every dosing table of the folder, by id. Raises CatalogueError."""
    tables = {}
    for path in sorted(folder.glob("*.yaml")):
        name = f"{folder.name}/{path.name}"
        file = registry.admit(registry.read(path, DosingTableFile, name), name)
        if file.id != path.stem:
            raise CatalogueError(f"{name}: its id is '{file.id}'; file and id have one name")
        try:
            tables[file.id] = DosingTable(
                name=file.name,
                verified=file.verified,
                age_from=file.age_from,
                age_below=file.age_below,
                cells=tuple(_cells(file)),
                source=file.sources[file.source].cited(),
            )
        except ValueError as error:
            raise CatalogueError(f"{name}: {error}") from None
    return tables


def _cells(file: DosingTableFile) -> Iterator[DosingCell]:
    weights = _bands(file.weights)
    for ige, (written, cells) in zip(_bands(file.rows), file.rows.items(), strict=True):
        if len(cells) != len(weights):
            raise ValueError(f"row '{written}' has {len(cells)} cells for {len(weights)} weights")
        for weight, cell in zip(weights, cells, strict=True):
            yield DosingCell(*ige, *weight, *_dose(cell))


def _bands(written: Iterable[str]) -> list[tuple[Decimal, Decimal]]:
    """`"30-60"` and then `">60-70"`: each band begins where the one before it ends."""
    bands: list[tuple[Decimal, Decimal]] = []
    for text in written:
        found = re.fullmatch(r"(>?)(\d+)-(\d+)", text)
        if not found or bool(found[1]) != bool(bands):
            raise ValueError(f"'{text}' is not a band: write '30-60' first, then '>60-70'")
        low, high = Decimal(found[2]), Decimal(found[3])
        if low >= high or (bands and bands[-1][1] != low):
            raise ValueError(f"the band '{text}' does not begin where the one before it ends")
        bands.append((low, high))
    return bands


def _dose(cell: str) -> tuple[Amount | None, Amount | None]:
    if cell == "-":
        return None, None
    found = re.fullmatch(r"(\d+)/(\d+)", cell)
    if not found:
        raise ValueError(f"'{cell}' is not a cell: write mg/weeks as '225/2', or '-' for no dose")
    return Amount(Decimal(found[1]), "mg"), Amount(Decimal(found[2]), "wk")


# ---------------------------------------------------------------- terms


def read_terms(path: Path, registry: Registry) -> Terms:
    """The clinical vocabulary. Raises CatalogueError."""
    file = registry.admitted(path, TermsFile)
    observations = {
        key: ObservationKind(
            id=key,
            loinc=frozenset(listed(kind.loinc)),
            words=_lower(kind.words),
            not_words=_lower(kind.not_words),
            unit=kind.unit,
            perennial=kind.perennial,
            sure_words=_lower(kind.sure_words),
        )
        for key, kind in file.observations.items()
    }
    classes = {
        key: DrugClass(
            id=key,
            rxnorm=_codes_of(drug_class.rxnorm),
            names=_lower(drug_class.names),
            form_words=_lower(drug_class.form_words),
            not_form_words=_lower(drug_class.not_form_words),
        )
        for key, drug_class in file.drug_classes.items()
    }
    perennial = _codes_of(file.perennial_snomed)
    return Terms(observations, classes, perennial, _lower(file.perennial_words))


def _codes_of(values: Iterable[Sourced]) -> frozenset[str]:
    return frozenset(code for sourced in values for code in listed(sourced))


def _lower(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)


# ---------------------------------------------------------------- checks across files


def check_chart_words(
    drugs: Mapping[str, DrugFile], payers: Mapping[str, PayerFile], terms: Terms
) -> None:
    """Needs and criteria name kinds of evidence, drugs and indications that exist."""
    wanted = [
        (f"drugs/{drug.id}.yaml: {key}", need.what)
        for drug in drugs.values()
        for key, indication in drug.indications.items()
        for need in indication.needs
    ]
    for payer in payers.values():
        name = f"payers/{payer.id}.yaml"
        for drug_id, indications in payer.criteria.items():
            if drug_id not in drugs:
                raise CatalogueError(f"{name}: '{drug_id}' has no file in drugs")
            known = indications_file(drugs[drug_id], drugs).indications
            for key, versions in indications.items():
                if key not in known:
                    raise CatalogueError(
                        f"{name}: '{key}' is not an indication of {drug_id}; "
                        f"known: {', '.join(known)}"
                    )
                for file in filter(None, versions.values()):
                    kinds = [*(need.what for need in file.needs), *listed(file.reassessment)]
                    wanted += [(f"{name}: {drug_id}, {key}", kind) for kind in kinds]
    evidence = {*EVIDENCE, *terms.observations, *terms.drug_classes}
    for place, what in wanted:
        if what not in evidence:
            raise CatalogueError(
                f"{place}: '{what}' is not a kind of evidence; name a result or drug class of "
                f"terms.yaml, or {', '.join(EVIDENCE)}"
            )
