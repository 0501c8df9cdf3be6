"""A page for every drug and payer, as the catalogue knows them on a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from billing_rules.catalogue import Catalogue
from billing_rules.catalogue.files import DrugFile, PayerFile, SourceFile, sourced_values
from billing_rules.model.entities import CERTAINTY, Drug
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
            "[Every document these facts rest on](sources.md), with the words that were read.",
            "",
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


def sources_page(catalogue: Catalogue) -> str:
    """Every document of the registry, and the facts of drugs and payers that rest on it."""
    facts: dict[str, dict[tuple[str, str], list[str]]] = {}
    files: list[DrugFile | PayerFile] = [*catalogue.drug_files.values()]
    for file in (*files, *catalogue.payer_files.values()):
        for what, value, quote, cited in _facts(file):
            facts.setdefault(cited, {}).setdefault((value, quote), []).append(what)
    lines = [
        *heading(1, "The sources"),
        "Every document that the shipped catalogue rests on, once, with the facts of drugs and "
        "payers taken from it. [Sources](../extending.md#sources) says how they were read.",
        "",
    ]
    for source_id, source in sorted(catalogue.sources.items(), key=lambda item: item[1].title):
        lines += [*heading(2, source.cited().title), *_described(source_id, source)]
        rows = facts.get(source_id, {}).items()
        words = "Words read" if source.words == "quoted" else "Our notes"
        lines += (
            table(
                ("Fact", "Value", words),
                (
                    (text("; ".join(dict.fromkeys(whats))), text(value), text(quote))
                    for (value, quote), whats in rows
                ),
            )
            if rows
            else ["No drug or payer, but the codes, clinical words or dosing tables.", ""]
        )
    return "\n".join(lines)


def _facts(file: DrugFile | PayerFile) -> Iterator[tuple[str, str, str, str]]:
    """(whose what, value, quote, source id) of each value of the file."""
    for name in file.__struct_fields__:
        for sourced in sourced_values(getattr(file, name)):
            value = (
                sourced.value if isinstance(sourced.value, str) else ", ".join(sourced.value or [])
            )
            yield f"{file.id}: {name.replace('_', ' ')}", value, sourced.quote, sourced.source


def _described(source_id: str, source: SourceFile) -> Iterator[str]:
    read = "" if source.published == source.read else f", read on {source.read}"
    yield f"- {link(source.url, source.url)}"
    yield f"- `{source_id}`: {source.published}{read}; {text(CERTAINTY[source.certainty])}"
    if source.words != "quoted":
        yield "- Not quoted: what stands here are our notes of it."
    if source.note:
        yield f"- Read was {text(source.note)}."
    yield ""
