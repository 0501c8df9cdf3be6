"""The catalogue for a command: the shipped one, with the site's file over it."""

from __future__ import annotations

from pathlib import Path

from billing_rules.catalogue import Catalogue, load
from billing_rules.catalogue.files import CatalogueError
from vialwise.problems import Problem


def catalogue(site: Path | None = None) -> Catalogue:
    """Read it strictly. Raises Problem with the one line that says what to mend."""
    try:
        return load(site)
    except CatalogueError as error:
        raise Problem(str(error)) from None


def known_payer(payer_id: str | None, known: Catalogue) -> str | None:
    """`payer_id` when the catalogue has it. Raises Problem with the ids there are."""
    if payer_id is None or payer_id in known.payer_files:
        return payer_id
    ids = ", ".join(known.payer_files)
    raise Problem(f"'{payer_id}' is no payer of the catalogue: use one of {ids}")


def known_drug(name: str, known: Catalogue) -> str:
    """The id of the drug that `name` means: its id, a name, or a HCPCS code. Raises Problem."""
    wanted = name.strip().lower()
    if wanted in known.drug_files:
        return wanted
    found = known.identifiers.names.get(wanted) or known.identifiers.hcpcs.get(wanted.upper())
    if found:
        return found
    ids = ", ".join(known.drug_files)
    raise Problem(f"'{name}' is no drug of the catalogue: use one of {ids}")
