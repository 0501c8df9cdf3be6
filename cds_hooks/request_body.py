"""The body of a request, whole and bounded."""

from __future__ import annotations

from flask import request

from cds_hooks.errors import Refused

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read(most_bytes: int) -> bytes:
    """The bytes sent, without a byte order mark. Raises Refused (413)."""
    body = _whole()
    if len(body) > most_bytes:
        raise Refused(413)
    return body.removeprefix(_BYTE_ORDER_MARK)


def _whole() -> bytes:
    """All of it, asked for at once where its length is known: in the pieces of 64 KB that Flask
    asks for, gunicorn copies the rest of the body again for each of them."""
    length = request.content_length
    if not length:
        return request.get_data(cache=False)
    pieces = iter(lambda: request.stream.read(length), b"")
    return b"".join(pieces)
