"""The registry of sources: every document the catalogue rests on, once, by its id.

A document that more than one file cites stands in sources.yaml, one that only a single drug or
payer cites in that file, so that adding a drug is adding one file. The ids are one registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from billing_rules.catalogue.files import (
    CatalogueError,
    Sourced,
    SourceFile,
    Sources,
    SourcesFile,
    check_sources,
    read_file,
    sourced_values,
)

F = TypeVar("F", bound=msgspec.Struct)
NAME = "sources.yaml"


class Registry:
    """The sources by id, where each stands, and which were cited so far."""

    def __init__(self, data: Path, read: Callable[..., Any] = read_file) -> None:
        self._read = read
        self.shared = self.read(data / NAME, SourcesFile, NAME).sources
        self.sources: Sources = {}
        self._stands_in: dict[str, str] = {}
        self._documents: dict[tuple[object, ...], str] = {}
        self._cited: set[str] = set()
        self._register(self.shared, NAME)

    def read(self, path: Path, shape: type[F], name: str) -> F:
        """The file at `path`, as it is written. Raises CatalogueError."""
        file: F = self._read(path, shape, name)
        return file

    def admit(self, file: F, name: str) -> F:
        """`file` with the sources it cites, its own and the shared ones.

        Raises CatalogueError for a value without a source or not in its quote, for a source that
        the file has and does not cite, and for one that the registry has already.
        """
        own: Sources = file.sources  # type: ignore[attr-defined]
        self._register(own, name)
        cited = _cites({**self.shared, **own}, file, name)
        _refuse_unused(own.keys() - cited.keys(), name)
        self._cited |= cited.keys()
        return msgspec.structs.replace(file, sources=cited)

    def admitted(self, path: Path, shape: type[F]) -> F:
        """The file at `path`, read and admitted under its own name. Raises CatalogueError."""
        return self.admit(self.read(path, shape, path.name), path.name)

    def admit_overridden(self, file: F, name: str, site: Sources) -> F:
        """The same for a file with a site's values over it, which may leave sources unused."""
        own: Sources = file.sources  # type: ignore[attr-defined]
        sources = _cites({**self.shared, **own, **site}, file, name)
        return msgspec.structs.replace(file, sources=sources)

    def refuse_uncited(self) -> None:
        """Raises CatalogueError for a shared source that no file cites."""
        _refuse_unused(self.shared.keys() - self._cited, NAME)

    def _register(self, sources: Sources, name: str) -> None:
        for key, source in sources.items():
            if key in self._stands_in:
                raise CatalogueError(
                    f"{name}: the source '{key}' stands in {self._stands_in[key]} already; cite "
                    f"that one from {NAME}, or give this one another id"
                )
            document = (source.title, source.url, source.published, source.words)
            other = self._documents.setdefault(document, key)
            if other != key:
                raise CatalogueError(
                    f"{name}: the source '{key}' is the same document as '{other}' of "
                    f"{self._stands_in[other]}; write it once, in {NAME}, and cite it"
                )
            self._stands_in[key] = name
            self.sources[key] = source


def _cites(known: dict[str, SourceFile], file: Any, name: str) -> Sources:
    """The sources that the file's values name, checked."""
    values = [*sourced_values(file), *_whole(file)]
    check_sources(known, values, name)
    return {value.source: known[value.source] for value in values}


def _whole(file: Any) -> Iterator[Sourced]:
    """The one source that a whole file rests on: a dosing table, the modifiers."""
    source = getattr(file, "source", None)
    if isinstance(source, str):
        yield Sourced(None, source, "")


def _refuse_unused(unused: set[str], name: str) -> None:
    if unused:
        raise CatalogueError(
            f"{name}: nothing cites the source '{min(unused)}'; remove it, or cite it where its "
            "words are quoted"
        )
