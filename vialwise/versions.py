"""Which program this is, and which rules and data it judges by."""

from __future__ import annotations

import hashlib
from pathlib import Path

import billing_rules

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
