"""The screens of a launched window, in the order of its navigation.

Each entry makes one blueprint. app.py puts it under /w/<window id>/ and `require_window` before it:
a view finds its window with window(), and url_for leads to the same window. Its forms write
`{{ csrf_field() }}`. The first screen's blueprint answers at "/" and is what a launch opens.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint

from smart_app.screens import (
    claim,
    close_out,
    documentation,
    dosing,
    history,
    order_page,
    packet,
    resource,
    worksheet,
)

SCREENS: tuple[Callable[[], Blueprint], ...] = (
    worksheet.blueprint,
    dosing.blueprint,
    claim.blueprint,
    documentation.blueprint,
    close_out.blueprint,
    history.blueprint,
    packet.blueprint,
    order_page.orders_blueprint,
    resource.blueprint,
)
