"""The shape of the catalogue's YAML files, and reading them strictly.

Unknown keys, repeated keys, bare numbers where an amount is meant, values without a source and
values that do not stand in their source's quote are refused, each with file, place and remedy.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from billing_rules.model.entities import Certainty, Source


class CatalogueError(ValueError):
    """A catalogue or site file is wrong; the message says which file, where and what to do."""


class SourceFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One document of the registry: the address of the very page, the day it carries and the day it
    was read. A page without a date goes by the day it was read.

    `words` are the document's own where values quote it, or our notes of it. `home_page` says that
    only the site, or its list of pages, is known; `note` which copy was read where that matters.
    """

    title: str
    url: str
    certainty: Certainty
    published: date = date.min
    read: date = date.min
    words: Literal["quoted", "our notes"] = "quoted"
    home_page: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.published == date.min:
            msgspec.structs.force_setattr(self, "published", self.read)
        if self.published == date.min:
            raise ValueError("a source has a day: published, or read where the page carries none")

    def cited(self, quote: str = "") -> Source:
        """The document as what a value rests on, with the words the value stands in."""
        title = f"{self.title} (home page)" if self.home_page else self.title
        return Source(title, self.url, self.published, self.certainty, quote)


Sources = dict[str, SourceFile]


class SourcesFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`sources.yaml`: the documents that more than one file cites."""

    sources: Sources


class Sourced(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A value, the source it is from and the words there it stands in."""

    value: str | list[str] | None
    source: str
    quote: str


Timeline = dict[date, Sourced]


class ContainerFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Without `strength`, the labelled amount is CMS's billing units times the billing unit.

    `contents` says of a vial whether it holds powder or liquid, in words of the source.
    """

    ndc: Sourced
    form: str
    strength: Sourced | None = None
    billing_units: Sourced | None = None
    volume: Sourced | None = None
    per_package: int = 1
    dose_status: Sourced | None = None
    contents: Sourced | None = None
    marketed_from: Sourced | None = None
    marketed_until: Sourced | None = None


class NeedFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One thing that must be on file. `because` quotes the words that ask for it; `lasting` and
    `within` are durations such as "3 months", "90 days", "4 weeks", "12 mo"."""

    what: str
    because: Sourced
    lasting: Sourced | None = None
    within: Sourced | None = None


# By the day each list begins: the codes, or the name of a list of code_lists.yaml.
CodeLists = dict[date, list[Sourced] | str]


class IndicationFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A labelled indication: codes that serve it, ages in years, what the label wants known.

    `labelled` says since when the label has it, in words of the label; before its first day the
    drug does not have this indication. A list of codes may come from several sources and changes
    as a whole on its dates. `total_ige` is the widest window at any age, as ["30", "1300"]; one
    number is a lower bound with no upper one known. `tables` are ids of data/dosing.
    """

    name: str
    labelled: Timeline
    icd10cm: CodeLists = {}
    icd10cm_unspecified: CodeLists = {}
    snomed: CodeLists = {}
    snomed_unspecified: CodeLists = {}
    words: list[str] = []
    age_from: Sourced | None = None
    age_below: Sourced | None = None
    age_at_start: bool = False
    total_ige: Sourced | None = None
    needs: list[NeedFile] = []
    doses: Timeline = {}
    intervals: Timeline = {}
    tables: list[str] = []


class CodeListsFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`code_lists.yaml`: lists of diagnosis codes that more than one drug has, by name."""

    lists: dict[str, list[Sourced]]
    sources: Sources = {}


class DosingTableFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A dosing table by total IgE (IU/mL, rows) and weight (kg, columns), upper bounds inclusive,
    lower bounds exclusive but in the first band. A cell is "mg/weeks"; "-" is no dose."""

    id: str
    name: str
    verified: bool
    age_from: int
    source: str
    weights: list[str]
    rows: dict[str, list[str]]
    age_below: int | None = None
    sources: Sources = {}


class CriteriaFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a payer wants for one drug and indication, in one version of its policy.

    `diagnoses` only where the list was read to its end. `wants_severity` and `authorization` quote
    the words that ask for it. `most_units` such as "75 units/14 d"; periods such as "6 mo", and a
    period means that an authorization is needed.
    """

    diagnoses: Sourced | None = None
    wants_severity: Sourced | None = None
    needs: list[NeedFile] = []
    authorization: Sourced | None = None
    first_period: Sourced | None = None
    next_period: Sourced | None = None
    reassessment: Sourced | None = None
    most_units: Sourced | None = None


# drug id -> indication id -> first day of the policy's version; null ends it
CriteriaFiles = dict[str, dict[str, dict[date, CriteriaFile | None]]]


class DrugFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`indications_as` says that the indications are those of the reference product, the drug of
    `biosimilar_of`. `unread_indications` says that the label has more than stand here."""

    id: str
    name: str
    brand: str
    group: str
    names: list[str]
    sources: Sources = {}
    biosimilar_of: str | None = None
    hcpcs: Timeline = {}
    billing_unit: Timeline = {}
    unclassified_codes: Timeline = {}
    medically_unlikely_units: Timeline = {}
    opps_status: Timeline = {}
    single_dose_list: Sourced | None = None
    rxnorm_ingredient: Sourced | None = None
    rxnorm_products: Sourced | None = None
    containers: list[ContainerFile] = []
    routes: Sourced | None = None
    labelled_doses: Timeline = {}
    labelled_dose_per_weight: Timeline = {}
    intervals: Timeline = {}
    supervised_doses: Timeline = {}
    indications: dict[str, IndicationFile] = {}
    indications_as: Sourced | None = None
    unread_indications: Timeline = {}


class RecogniseFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a Coverage is recognised as this payer's, most specific first. What holds one of
    `not_names` is not this payer's, whatever else it holds."""

    identifiers: list[str] = []
    type_codes: list[str] = []
    names: list[str] = []
    not_names: list[str] = []


class PayerFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`parent` is the payer that this one is a part of: it decides whose a coverage is, no value is
    taken from it. `wanted_modifiers`: asked for beside JW and JZ, by HCPCS code or "all"."""

    id: str
    name: str
    parent: str | None = None
    sources: Sources = {}
    recognise: RecogniseFile = RecogniseFile()
    known: bool = True
    jw: Timeline = {}
    jz: Timeline = {}
    medically_unlikely_edits: Timeline = {}
    lines_per_ndc: Timeline = {}
    wanted_modifiers: dict[str, Timeline] = {}
    criteria: CriteriaFiles = {}


class ModifiersFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Each modifier's descriptor by start date, all from one `source`; the descriptor is the
    quote. `null` abolishes."""

    source: str
    modifiers: dict[str, dict[date, str | None]]
    not_modifiers: dict[str, Sourced] = {}
    sources: Sources = {}


class CodeFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`meaning` is CMS's descriptor; a code whose text is not ours to quote has itself."""

    kind: str
    meaning: Timeline


class CodesFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Codes that are no catalogued drug's own: unclassified, administration, neighbours."""

    codes: dict[str, CodeFile]
    sources: Sources = {}


class ObservationKindFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A kind of result. `loinc` codes; the result's words must hold one of `words` and none of
    `not_words`, because published maps mislabel these codes. `sure_words` are those that name the
    kind beyond doubt where no code of it stands; without them `words` do. `unit` is the UCUM unit
    compared in.
    """

    words: list[str]
    loinc: Sourced | None = None
    sure_words: list[str] = []
    not_words: list[str] = []
    unit: str = ""
    perennial: bool = False


class DrugClassFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A class of prior therapy: RxNorm ingredients, names, and words that tell the form apart
    (a corticosteroid is inhaled or nasal by its form, not by its ingredient)."""

    names: list[str]
    rxnorm: list[Sourced] = []
    form_words: list[str] = []
    not_form_words: list[str] = []


class TermsFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    observations: dict[str, ObservationKindFile] = {}
    drug_classes: dict[str, DrugClassFile] = {}
    perennial_snomed: list[Sourced] = []
    perennial_words: list[str] = []
    sources: Sources = {}


class SystemsFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Code systems by short name: every URI they are written with, preferred first."""

    systems: dict[str, list[str]]


class SiteFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A clinic's own file: what it stocks and charges, and values it overrides.

    `wanted_modifiers` are those its drug lines carry (340B: TB or JG), by HCPCS code or "all".
    """

    name: str
    sources: Sources = {}
    stocked: list[str] = []
    prices: dict[str, Timeline] = {}
    setting: str | None = None
    wanted_modifiers: dict[str, Timeline] = {}
    drugs: dict[str, dict[str, Any]] = {}
    payers: dict[str, dict[str, Any]] = {}
    modifiers: dict[str, dict[str, Any]] = {}


F = TypeVar("F")


def read_yaml(path: Path) -> Any:
    """The file's content. Raises CatalogueError naming the file and what is wrong with it."""
    import yaml  # only where a program does not remember what the files hold

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_strict_loader())  # noqa: S506
    except CatalogueError as error:
        raise CatalogueError(f"{path.name}: {error}") from None
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path.name}: is not valid YAML: {error}") from None


@cache
def _strict_loader() -> Any:
    """YAML as written, except that a repeated key is an error (YAML itself lets the last win)."""
    import yaml

    class StrictLoader(yaml.CSafeLoader):
        pass

    def mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
        found: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if key in found:
                line = key_node.start_mark.line + 1
                raise CatalogueError(f"line {line}: '{key}' stands twice; keep one of them")
            found[key] = loader.construct_object(value_node, deep=True)
        return found

    StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return StrictLoader


def as_file(content: Any, shape: type[F], name: str) -> F:
    """`content` as the given file shape. Raises CatalogueError naming the place."""
    try:
        return msgspec.convert(content, shape)
    except msgspec.ValidationError as error:
        raise CatalogueError(f"{name}: {_explained(str(error))}") from None


def read_file(path: Path, shape: type[F], name: str) -> F:
    """A file as the shape it must have. Raises CatalogueError naming the file, place and remedy."""
    return as_file(read_yaml(path), shape, name)


def _explained(message: str) -> str:
    if "Expected `str" in message and ("got `int`" in message or "got `float`" in message):
        return f"{message}; write the number in quotes, with its unit where it is an amount"
    return message


def check_sources(sources: Mapping[str, SourceFile], values: Iterable[Sourced], name: str) -> None:
    """Every value names a source of the registry and stands in its quote. Raises CatalogueError."""
    for sourced in values:
        if sourced.source not in sources:
            raise CatalogueError(
                f"{name}: '{sourced.value}' names the source '{sourced.source}', which neither "
                "this file nor sources.yaml has under sources"
            )
        for part in _parts(sourced.value):
            if not stands_in(part, sourced.quote):
                raise CatalogueError(
                    f"{name}: the value '{part}' does not stand in its quote '{sourced.quote}'; "
                    "correct the value or quote the words it is from"
                )


def _parts(value: str | list[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def stands_in(value: str, quote: str) -> bool:
    """Whether `value` stands in `quote` as whole words, whatever the case and spacing."""
    return _stands_as_written(value, quote) or _stands_otherwise(value, quote)


def _stands_as_written(value: str, quote: str) -> bool:
    """The same where case and spacing are those of the quote, as nearly always. A pattern for each
    of a thousand values was three quarters of the time it took to read the catalogue."""
    start = quote.find(value) if value else -1
    while start >= 0:
        before, after = quote[:start][-1:], quote[start + len(value) :][:2]
        if not _IN_A_WORD.fullmatch(before) and not _GOES_ON.match(after):
            return True
        start = quote.find(value, start + 1)
    return False


_IN_A_WORD = re.compile(r"[A-Za-z0-9.]")
_GOES_ON = re.compile(r"[A-Za-z0-9]|\.\d")


def _stands_otherwise(value: str, quote: str) -> bool:
    words = r"\s*".join(re.escape(word) for word in value.split())
    pattern = rf"(?<!{_IN_A_WORD.pattern}){words}(?!{_GOES_ON.pattern})"
    return re.search(pattern, quote, re.IGNORECASE) is not None


def sourced_values(struct: Any) -> Iterable[Sourced]:
    """Every Sourced value anywhere inside a file struct, timelines and containers included."""
    if isinstance(struct, Sourced):
        yield struct
    elif isinstance(struct, dict):
        for value in struct.values():
            yield from sourced_values(value)
    elif isinstance(struct, list):
        for value in struct:
            yield from sourced_values(value)
    elif isinstance(struct, msgspec.Struct):
        for name in struct.__struct_fields__:
            yield from sourced_values(getattr(struct, name))
