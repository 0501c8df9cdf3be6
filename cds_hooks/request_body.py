"""The body of a request, whole and bounded."""

from __future__ import annotations

from flask import request

from cds_hooks.errors import Refused

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(most_bytes: int) -> bytes:
    """The bytes sent, without a byte order mark. Raises Refused (413)."""
    body = request.get_data(cache=False)
    if len(body) > most_bytes:
        raise Refused(413)
    return body.removeprefix(_BYTE_ORDER_MARK)
