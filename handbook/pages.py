"""Every generated page by its path below docs/."""

from __future__ import annotations

from datetime import date

from billing_rules.catalogue import Catalogue
from billing_rules.rule_records import shipped
from handbook import catalogue_pages, rule_pages


def pages(catalogue: Catalogue, on: date) -> dict[str, str]:
    """Path -> Markdown. `on` is the day the catalogue is shown for."""
    scenarios = rule_pages.heard(catalogue)
    rules = {
        f"rules/{record.id}.md": rule_pages.rule_page(record, scenarios, catalogue)
        for record in shipped().records.values()
    }
    drugs = {
        f"catalogue/{id_}.md": catalogue_pages.drug_page(catalogue.drug(id_, on), on)
        for id_ in sorted(catalogue.drug_files)
    }
    return {
        "rules/index.md": rule_pages.index_page(),
        **rules,
        "catalogue/index.md": catalogue_pages.index_page(catalogue, on),
        "catalogue/sources.md": catalogue_pages.sources_page(catalogue),
        **drugs,
    }
