"""The CDS Hooks service: draft orders in, cards out (CDS Hooks 2.0.1).

`create_app` and `Settings` are all that others need. The way of a request is written out in
views.py. The web application is loaded when it is first asked for: the command line reads requests
with this room and needs no Flask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cds_hooks.app import create_app
    from cds_hooks.settings import Settings

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> Any:
    if name == "create_app":
        from cds_hooks.app import create_app

        return create_app
    if name == "Settings":
        from cds_hooks.settings import Settings

        return Settings
    raise AttributeError(name)
