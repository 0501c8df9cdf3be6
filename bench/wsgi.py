"""One request to a WSGI application, called as a server calls it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

PATH = "/cds-services/vialwise-orders"


def answer_of(app: Any, body: bytes, authorization: str = "") -> bytes:
    """The body of the application's answer, which must be a success."""
    status: list[str] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
    }
    if authorization:
        environ["HTTP_AUTHORIZATION"] = authorization

    def start_response(line: str, headers: object, exc_info: object = None) -> None:
        status.append(line)

    parts: Iterable[bytes] = app(environ, start_response)
    answer = b"".join(parts)
    if not status[0].startswith("200"):
        raise SystemExit(f"the service answered {status[0]}: {answer!r}")
    return answer
