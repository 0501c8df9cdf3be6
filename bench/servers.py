"""The two applications that are compared over HTTP, as gunicorn loads them."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Flask, Response, request

_CARD = {
    "cards": [
        {
            "uuid": "4f2b3c1a-0000-4000-8000-000000000001",
            "summary": "Bill the drug's own code: J2357",
            "indicator": "warning",
            "source": {"label": "static"},
        }
    ]
}


def bare() -> Flask:
    """The least a Flask service can do: parse the body with orjson, answer one static card."""
    app = Flask(__name__, static_folder=None)

    def answer() -> Response:
        orjson.loads(request.get_data())
        return Response(orjson.dumps(_CARD), content_type="application/json")

    app.add_url_rule("/cds-services/vialwise-orders", view_func=answer, methods=["POST"])
    return app


def service() -> Any:
    """The service without authentication."""
    from bench.in_process import application

    return application()
