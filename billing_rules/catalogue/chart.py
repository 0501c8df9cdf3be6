"""The catalogue's chart side: indications, dosing tables, payers' criteria and clinical words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

from billing_rules.amounts import Amount
from billing_rules.catalogue.files import (
    CatalogueError,
    CodeLists,
    CriteriaFile,
    DosingTableFile,
    DrugClassFile,
    DrugFile,
    IndicationFile,
    NeedFile,
    ObservationKindFile,
    PayerFile,
    Sourced,
    SourceFile,
    TermsFile,
    as_file,
    check_sources,
    read_yaml,
    sourced_values,
)
from billing_rules.catalogue.terms import DrugClass, ObservationKind, Terms
from billing_rules.catalogue.values import (
    InForce,
    days_in,
    decimal_of,
    listed,
    source_of,
    units_per_period,
)
from billing_rules.dated import Dated
from billing_rules.model import (
    Criteria,
    DosingCell,
    DosingTable,
    Indication,
    Need,
)

# Kinds of evidence the rules look for that are neither one result nor one drug class.
EVIDENCE = ("weight", "total_ige", "sensitisation", "eosinophils")

Sources = Mapping[str, SourceFile]


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


def _codes(name: str, lists: CodeLists, sources: Sources, values: InForce) -> frozenset[str]:
    found = Dated(lists).on_or_none(values.on) or []
    if found:
        values.sources[name] = source_of(sources, found[0])
    return frozenset(code for sourced in found for code in listed(sourced))


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


def read_tables(folder: Path) -> dict[str, DosingTable]:
    """Every dosing table of the folder, by id. Raises CatalogueError."""
    tables = {}
    for path in sorted(folder.glob("*.yaml")):
        name = f"{folder.name}/{path.name}"
        file = as_file(read_yaml(path), DosingTableFile, name)
        if file.id != path.stem:
            raise CatalogueError(f"{name}: its id is '{file.id}'; file and id have one name")
        check_sources({"source": file.source}, (), name)
        try:
            tables[file.id] = _table(file)
        except ValueError as error:
            raise CatalogueError(f"{name}: {error}") from None
    return tables


def _table(file: DosingTableFile) -> DosingTable:
    source = file.source
    return DosingTable(
        name=file.name,
        verified=file.verified,
        age_from=file.age_from,
        age_below=file.age_below,
        cells=tuple(_cells(file)),
        source=source_of({"": source}, Sourced(None, "", "")),
    )


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
            raise ValueError(f"'{text}' is no band: write '30-60' first, then '>60-70'")
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
        raise ValueError(f"'{cell}' is no cell: write mg/weeks as '225/2', or '-' for no dose")
    return Amount(Decimal(found[1]), "mg"), Amount(Decimal(found[2]), "wk")


# ---------------------------------------------------------------- terms


def read_terms(path: Path) -> Terms:
    """The clinical vocabulary. Raises CatalogueError."""
    file = as_file(read_yaml(path), TermsFile, path.name)
    check_sources(file.sources, sourced_values(file), path.name)
    return Terms(
        observations={key: _kind(key, kind) for key, kind in file.observations.items()},
        drug_classes={key: _drug_class(key, c) for key, c in file.drug_classes.items()},
        perennial_snomed=frozenset(
            code for sourced in file.perennial_snomed for code in listed(sourced)
        ),
        perennial_words=_lower(file.perennial_words),
    )


def _kind(key: str, file: ObservationKindFile) -> ObservationKind:
    return ObservationKind(
        id=key,
        loinc=frozenset(listed(file.loinc)),
        words=_lower(file.words),
        not_words=_lower(file.not_words),
        unit=file.unit,
        perennial=file.perennial,
        sure_words=_lower(file.sure_words),
    )


def _drug_class(key: str, file: DrugClassFile) -> DrugClass:
    return DrugClass(
        id=key,
        rxnorm=frozenset(code for sourced in file.rxnorm for code in listed(sourced)),
        names=_lower(file.names),
        form_words=_lower(file.form_words),
        not_form_words=_lower(file.not_form_words),
    )


def _lower(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)


# ---------------------------------------------------------------- checks across files


def check_chart_words(
    drugs: Mapping[str, DrugFile], payers: Mapping[str, PayerFile], terms: Terms
) -> None:
    """Needs and criteria name kinds of evidence, drugs and indications that exist."""
    known = {*EVIDENCE, *terms.observations, *terms.drug_classes}
    for place, need in _all_needs(drugs.values(), payers.values()):
        if need not in known:
            raise CatalogueError(
                f"{place}: '{need}' is no kind of evidence; name a result or drug class of "
                f"terms.yaml, or {', '.join(EVIDENCE)}"
            )
    for payer in payers.values():
        for drug, indications in payer.criteria.items():
            _check_indications(payer.id, drug, indications, drugs)


def _all_needs(drugs: Iterable[DrugFile], payers: Iterable[PayerFile]) -> Iterator[tuple[str, str]]:
    for drug in drugs:
        for key, indication in drug.indications.items():
            place = f"drugs/{drug.id}.yaml: {key}"
            yield from ((place, need.what) for need in indication.needs)
    for payer in payers:
        for place, file in _all_criteria(payer):
            yield from ((place, need.what) for need in file.needs)
            yield from ((place, kind) for kind in listed(file.reassessment))


def _all_criteria(payer: PayerFile) -> Iterator[tuple[str, CriteriaFile]]:
    for drug, indications in payer.criteria.items():
        for key, versions in indications.items():
            for file in versions.values():
                if file:
                    yield f"payers/{payer.id}.yaml: {drug}, {key}", file


def _check_indications(
    payer: str, drug: str, indications: Iterable[str], drugs: Mapping[str, DrugFile]
) -> None:
    file = drugs.get(drug)
    if file is None:
        raise CatalogueError(f"payers/{payer}.yaml: '{drug}' has no file in drugs")
    known = indications_file(file, drugs).indications
    for key in indications:
        if key not in known:
            raise CatalogueError(
                f"payers/{payer}.yaml: '{key}' is no indication of {drug}; "
                f"known: {', '.join(known)}"
            )
