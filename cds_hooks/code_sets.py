"""Which editions of the code sets and policies the catalogue was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from billing_rules.catalogue import Catalogue
from billing_rules.model.dated import Dated

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
