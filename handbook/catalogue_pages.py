"""A page for every drug and payer, as the catalogue knows them on a day."""

from __future__ import annotations

from datetime import date

from billing_rules.catalogue import Catalogue
from billing_rules.model import Drug
from handbook.markdown import heading, link, table, text


def index_page(catalogue: Catalogue, on: date) -> str:
    """The drugs and the payers."""
    drugs = [catalogue.drug(id_, on) for id_ in sorted(catalogue.drug_files)]
    payers = [catalogue.payer(id_, on) for id_ in sorted(catalogue.payer_files)]
    return "\n".join(
        [
            "# Drugs and payers",
            "",
            f"As the shipped files know them on {on}. `vialwise catalogue show` says it for any "
            "date, with the words each value stands in.",
            "",
            *heading(2, "Drugs"),
            *table(
                ("Drug", "HCPCS", "Billing unit"),
                (
                    (link(_named(d), f"{d.id}.md"), _code(d), text(d.billing_unit or "not known"))
                    for d in drugs
                ),
            ),
            *heading(2, "Payers"),
            *table(
                ("Payer", "JW", "JZ"),
                ((text(p.name), p.jw, p.jz) for p in payers),
            ),
        ]
    )


def _named(drug: Drug) -> str:
    return f"{drug.name} ({drug.brand})"


def _code(drug: Drug) -> str:
    return drug.hcpcs or "none of its own"


def drug_page(drug: Drug, on: date) -> str:
    """One drug: its code and its containers."""
    containers = (
        (c.ndc_shown, text(c.name), c.dose_status, link(c.source.title, c.source.url))
        for c in drug.containers
    )
    return "\n".join(
        [
            *heading(1, _named(drug)),
            f"As the shipped files know it on {on}.",
            "",
            f"- HCPCS: {_code(drug)}",
            f"- Billing unit: {text(drug.billing_unit or 'not known')}",
            "",
            *heading(2, "Containers"),
            *table(("NDC", "Container", "Kind", "Source"), containers),
            *heading(2, "Indications"),
            *(f"- {text(indication.name)}" for indication in drug.indications),
            "",
        ]
    )
