"""The applications that are compared over HTTP, as their servers load them."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Flask, Response, request

from bench.wsgi import PATH

_CARD = {
    "uuid": "4f2b3c1a-0000-4000-8000-000000000001",
    "summary": "Bill the drug's own code: J2357",
    "indicator": "warning",
    "source": {"label": "static"},
}


def bare() -> Flask:
    """The least a Flask service can do: parse the body with orjson, answer one static card."""
    app = Flask(__name__, static_folder=None)

    def answer() -> Response:
        orjson.loads(request.get_data())
        return Response(orjson.dumps({"cards": [_CARD]}), content_type="application/json")

    app.add_url_rule(PATH, view_func=answer, methods=["POST"])
    return app


def service() -> Any:
    """The service without authentication."""
    from bench.in_process import application

    return application()


def healthchain() -> Any:
    """healthchain as shipped (its FastAPI gateway and pydantic models), answering one static card.
    Its addresses begin with /cds."""
    from healthchain.gateway import CDSHooksService, HealthChainAPI
    from healthchain.models import CDSRequest, CDSResponse

    hooks = CDSHooksService()

    def answer(request: CDSRequest) -> CDSResponse:
        return CDSResponse(cards=[_CARD])

    hooks.hook("order-sign", id=PATH.rpartition("/")[2])(answer)
    app = HealthChainAPI()
    app.register_service(hooks)
    return app
