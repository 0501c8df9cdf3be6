"""Every resource the practice EHR keeps, with its versions, in memory.

What is kept is never changed in place and what is given out is a copy, so any thread may read while
another writes, and no caller can alter a chart by altering what it was given.
"""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from sandbox_ehr.fhir import searching
from sandbox_ehr.fhir.outcomes import FhirError

Resource = dict[str, Any]
T = TypeVar("T")
ID = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)  # FHIR R4, "id"


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a resource; without one, it was deleted then."""

    number: int
    at: str
    resource: Resource | None


def copied(value: T) -> T:
    """A copy of JSON, all the way down; copy.deepcopy takes five times as long for it."""
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}  # type: ignore[return-value]
    if isinstance(value, list):
        return [copied(inner) for inner in value]  # type: ignore[return-value]
    return value


class Records:
    """Resources by type and id. Every call is whole: it sees no half of another one's."""

    def __init__(
        self,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._lock = threading.RLock()
        self._now = now
        self._new_id = new_id
        self._kept: dict[str, dict[str, tuple[Version, ...]]] = {}

    @classmethod
    def of(cls, resources: Iterable[Resource], **how: Any) -> Records:
        """These resources, each under its own id. The later of two with one id is its newer
        version."""
        records = cls(**how)
        for resource in resources:
            records.update(resource)
        return records

    def begin_with(self, resources: Iterable[Resource]) -> None:
        """These resources and nothing else, without what came before."""
        with self._lock:
            self._kept = {}
            for resource in resources:
                self.update(resource)

    # ------------------------------------------------------------ reading

    def read(self, resource_type: str, id_: str) -> Resource | None:
        """The resource as it is now; None when there is none, or none any more."""
        versions = self._versions(resource_type, id_)
        return copied(versions[-1].resource) if versions else None

    def is_deleted(self, resource_type: str, id_: str) -> bool:
        """Whether it was here once."""
        versions = self._versions(resource_type, id_)
        return bool(versions) and versions[-1].resource is None

    def versions(self, resource_type: str, id_: str) -> list[Version]:
        """All its states, the newest first."""
        states = reversed(self._versions(resource_type, id_))
        return [replace(state, resource=copied(state.resource)) for state in states]

    def search(self, resource_type: str, params: Iterable[tuple[str, str]] = ()) -> list[Resource]:
        """All that match, in the order of `_sort` or as they came: `[("patient", "1")]`.

        Paging and includes are the FHIR endpoint's (fhir/search_answers.py). Raises FhirError (400)
        for a value that cannot be read; a parameter that is not known is left out.
        """
        return self.matching(searching.read_search(resource_type, list(params)))

    def matching(self, search: searching.FhirSearch) -> list[Resource]:
        """All that match a search that was read before."""
        return self.each(search, copied)

    def each(self, search: searching.FhirSearch, of: Callable[[Resource], T]) -> list[T]:
        """What `of` makes of each match. It sees what is kept itself, without the time that a copy
        takes, so it must change nothing and keep nothing of it."""
        found = filter(search.matches, self._current(search.resource_type))
        return [of(resource) for resource in search.sorted(found)]

    def types(self) -> tuple[str, ...]:
        """Every type that something is kept of."""
        with self._lock:
            return tuple(sorted(kind for kind, kept in self._kept.items() if kept))

    def _versions(self, resource_type: str, id_: str) -> tuple[Version, ...]:
        with self._lock:
            return self._kept.get(resource_type, {}).get(id_, ())

    def _current(self, resource_type: str) -> list[Resource]:
        with self._lock:
            kept = self._kept.get(resource_type, {})
            return [r for versions in kept.values() if (r := versions[-1].resource) is not None]

    # ------------------------------------------------------------ writing

    def create(self, resource: Resource, id_: str = "") -> Resource:
        """Keep it under a new id, whatever id it brings; as it is kept then. `id_` is one that
        `fresh_id` gave."""
        with self._lock:
            return self._put({**resource, "id": id_ or self.fresh_id()})

    def fresh_id(self) -> str:
        """An id for what will be created."""
        return self._new_id()

    def update(self, resource: Resource, if_match: str | None = None) -> Resource:
        """The next version of the resource with this id, or its first; as it is kept then.

        `if_match` is the version the writer last saw. Raises FhirError (400) for an id that is
        none, (412) when somebody else has written since.
        """
        kind, id_ = str(resource.get("resourceType")), resource.get("id")
        if not isinstance(id_, str) or not ID.fullmatch(id_):
            raise FhirError(400, "an id has 1 to 64 letters, digits, '-' and '.'")
        with self._lock:
            self._match(kind, id_, if_match)
            return self._put(resource)

    def delete(self, resource_type: str, id_: str, if_match: str | None = None) -> bool:
        """Whether there was something to delete. Raises FhirError (412) as `update` does."""
        with self._lock:
            self._match(resource_type, id_, if_match)
            versions = self._versions(resource_type, id_)
            if not versions or versions[-1].resource is None:
                return False
            gone = Version(versions[-1].number + 1, self._instant(), None)
            self._kept[resource_type][id_] = (*versions, gone)
            return True

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is written inside is undone when it ends with an exception; nobody writes beside."""
        with self._lock:
            before = {kind: dict(kept) for kind, kept in self._kept.items()}
            try:
                yield
            except BaseException:
                self._kept = before
                raise

    def _put(self, resource: Resource) -> Resource:
        kind, id_ = resource["resourceType"], resource["id"]
        versions = self._versions(kind, id_)
        number = versions[-1].number + 1 if versions else 1
        at = self._instant()
        kept = copied(resource)
        # "resourceType" and "id" first, then "meta", as every server writes them.
        meta = kept.pop("meta", None)
        meta = meta if isinstance(meta, dict) else {}
        meta = {**meta, "versionId": str(number), "lastUpdated": at}
        kept = {"resourceType": kind, "id": id_, "meta": meta, **kept}
        self._kept.setdefault(kind, {})[id_] = (*versions, Version(number, at, kept))
        return copied(kept)

    def _match(self, kind: str, id_: str, if_match: str | None) -> None:
        if if_match is None:
            return
        versions = self._versions(kind, id_)
        current = str(versions[-1].number) if versions and versions[-1].resource else ""
        if if_match != current:
            raise FhirError(412, "somebody else has changed this since: read it again")

    def _instant(self) -> str:
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# ---------------------------------------------------------------- bounded dictionaries


def put(kept: dict[str, T], key: str, value: T, most: int) -> None:
    """Keep `value`, and no more than `most` of them. The caller holds whatever lock there is."""
    while len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = value


def fingerprint(secret: str) -> str:
    """What a secret is kept by, so that memory and logs give none."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
