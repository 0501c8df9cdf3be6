"""The catalogue for a command: the shipped one, with the site's file over it, and its version."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import TypeVar

import msgspec

import billing_rules
from billing_rules.catalogue import Catalogue, load
from billing_rules.catalogue.files import CatalogueError, read_file
from vialwise.terminal import CommandProblem

# ----------------------------------------------------------------------
# The catalogue for a command: the shipped one, with the site's file over it.


F = TypeVar("F")


def catalogue(site: Path | None = None) -> Catalogue:
    """Read it strictly. Raises Problem with the one line that says what to correct."""
    try:
        return load(site, read=read_cached)
    except CatalogueError as error:
        raise CommandProblem(str(error)) from None


def read_cached(path: Path, shape: type[F], name: str) -> F:
    """A file of the catalogue, as `read_file` gives it and with its errors.

    What its YAML was read as is kept as JSON where Python keeps the bytecode of modules, and used
    while the YAML is the same byte for byte: that takes a twentieth of the time. The shape is
    checked again, and all that `load` checks.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).digest()
        image = Path(cache_from_source(str(path))).with_suffix(".json")
    except (OSError, NotImplementedError):  # read_file says it better; a Python without bytecode
        return read_file(path, shape, name)
    with contextlib.suppress(OSError, msgspec.DecodeError):
        found = image.read_bytes()
        if found.startswith(digest):
            return msgspec.json.decode(found[len(digest) :], type=shape)
    file = read_file(path, shape, name)
    if not sys.dont_write_bytecode:
        with contextlib.suppress(OSError):  # a folder that is not ours to write to
            image.parent.mkdir(parents=True, exist_ok=True)
            whole = image.with_name(f"{image.name}.{os.getpid()}")
            whole.write_bytes(digest + msgspec.json.encode(file))
            whole.replace(image)
    return file


def known_payer(payer_id: str | None, known: Catalogue) -> str | None:
    """`payer_id` when the catalogue has it. Raises Problem with the ids there are."""
    if payer_id is None or payer_id in known.payer_files:
        return payer_id
    ids = ", ".join(known.payer_files)
    raise CommandProblem(f"'{payer_id}' is not a payer of the catalogue: use one of {ids}")


def known_drug(name: str, known: Catalogue) -> str:
    """The id of the drug that `name` means: its id, a name, or a HCPCS code. Raises Problem."""
    wanted = name.strip().lower()
    if wanted in known.drug_files:
        return wanted
    found = known.identifiers.names.get(wanted) or known.identifiers.hcpcs.get(wanted.upper())
    if found:
        return found
    ids = ", ".join(known.drug_files)
    raise CommandProblem(f"'{name}' is not a drug of the catalogue: use one of {ids}")


# ----------------------------------------------------------------------
# Which program this is, and which rules and data it judges by.


_KINDS = (".py", ".yaml")


def installed_version() -> str:
    """Such as "0.2.0"."""
    # Takes as long to import as click, and few commands say the version.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("vialwise")
    except PackageNotFoundError:
        return "not installed, running from its source"


def rule_set(site: Path | None = None) -> str:
    """The same for equal rules, catalogue and site file: "0.2.0+3f2a9c81d2e4"."""
    room = Path(billing_rules.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(p for p in room.rglob("*") if p.suffix in _KINDS):
        digest.update(f"{path.relative_to(room).as_posix()}\0".encode() + path.read_bytes())
    if site:
        digest.update(b"site\0" + site.read_bytes())
    return f"{installed_version().partition(' ')[0]}+{digest.hexdigest()[:12]}"
