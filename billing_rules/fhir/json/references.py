"""References between resources, in the forms that EHRs write them.

Relative ("Medication/1"), absolute, versioned ("/_history/2"), urn:uuid: of a Bundle entry, and
contained ("#m"). Ids are opaque: Epic's temporary ids have 194 characters (conformance A6.7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from billing_rules.fhir.json.values import as_objects

JsonObject = Mapping[str, object]
# To a resource as JSON or decoded, None for one that is not known.
Resolve = Callable[[str], object]


def unversioned(reference: str) -> str:
    """The reference without its version."""
    return reference.strip().split("/_history/")[0].rstrip("/")


def own_reference(resource: JsonObject, position: int) -> str:
    """`Type/id` of a resource, or `Type/#position` when it has no id."""
    kind, id_ = resource.get("resourceType"), resource.get("id")
    known = id_.strip() if isinstance(id_, str) else ""
    return f"{kind}/{known or f'#{position}'}"


def same(reference: str, other: str) -> bool:
    """Whether two references mean one resource, with or without base URL and version."""
    one, two = unversioned(reference), unversioned(other)
    if not one or not two:
        return False
    return one == two or one.endswith(f"/{two}") or two.endswith(f"/{one}")


def selected(reference: str, only: frozenset[str] | None) -> bool:
    """Whether `only` (order-select's selections; None means all) names this resource.

    A bare id counts, since some clients send no more.
    """
    if only is None:
        return True
    bare = reference.split("/", 1)[-1]
    return any(same(reference, wanted) or wanted.strip() == bare for wanted in only)


def entries(bundle: object) -> Iterator[JsonObject]:
    """The resources in a Bundle, a list of resources or entries, or a bare resource.

    A Bundle may lack type, entries and fullUrl; empty and unreadable entries give nothing.
    """
    for _, resource in _with_urls(bundle):
        yield resource


def resolver(*bundles: object) -> Callable[[str], JsonObject | None]:
    """A `resolve` over Bundles: finds by fullUrl (also urn:uuid:) or by `Type/id`."""
    by_reference: dict[str, JsonObject] = {}
    for bundle in bundles:
        for url, resource in _with_urls(bundle):
            if resource.get("id"):
                by_reference.setdefault(own_reference(resource, 0), resource)
            if url:
                by_reference.setdefault(unversioned(url), resource)

    def resolve(reference: str) -> JsonObject | None:
        wanted = unversioned(reference)
        if wanted in by_reference:
            return by_reference[wanted]
        return by_reference.get("/".join(wanted.split("/")[-2:]))

    return resolve


def _with_urls(bundle: object) -> Iterator[tuple[str, JsonObject]]:
    for outer in as_objects(bundle):
        inside = as_objects(outer.get("entry"))
        if inside or outer.get("resourceType") == "Bundle":
            for entry in inside:
                yield from _entry(entry)
        else:
            yield from _entry(outer)


def _entry(entry: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    url = entry.get("fullUrl")
    resources = [entry] if "resourceType" in entry else as_objects(entry.get("resource"))
    for resource in resources:
        yield (url if isinstance(url, str) else ""), resource
