"""Which containers a site can fill an order from."""

from __future__ import annotations

from datetime import date

from billing_rules.model import Container, Drug, Site


def stocked_containers(drug: Drug, on: date, site: Site) -> tuple[Container, ...]:
    """Containers marketed on `on` that the site stocks; all of them when it states no stock."""
    marketed = tuple(c for c in drug.containers if c.marketed_on(on))
    return tuple(c for c in marketed if c.ndc in site.stocked) if site.stocked else marketed
