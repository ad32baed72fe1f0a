"""What clients ask at the side of the documented API: whether a model is loaded, and the newer APIs that this server is not.

Source of the status: huggingface_hub 0.28, ``InferenceClient.get_model_status``, and text-generation 0.7, ``check_model_support``.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response

from mockserver.answer import Answerer
from mockserver.errors import ModelNotFoundError, OtherApiError
from mockserver.wire.strict_json import write_json

STATES = {"cold": "Loadable", "loading": "Loadable", "loaded": "Loaded"}
"""Our words for how a model is, and those of old clients."""

OTHER_APIS = {"v1/chat/completions": "chat completions", "v1/completions": "completions"}
"""What newer clients ask below whatever address they were given."""


def add_neighbours(app: Flask, answerer: Answerer) -> None:
    """`GET /models/ID` and `/status/ID` where there is a front door; 404 with a reason at the routes of other APIs."""
    if answerer.config.switches.front_door:
        _add_status(app, answerer)
    for route, name in OTHER_APIS.items():
        _add_other_api(app, route, name, answerer.config.models[0])


def _add_status(app: Flask, answerer: Answerer) -> None:
    def status(name: str, owner: str | None = None) -> Response:
        model = f"{owner}/{name}" if owner else name
        if model not in answerer.config.models:
            raise ModelNotFoundError(model)
        state = answerer.front_door.loading.state(model)
        told: dict[str, Any] = {
            "loaded": state == "loaded",
            "state": STATES[state],
            "compute_type": {"cpu": {"count": 1}},
            "framework": "text-generation-inference",
        }
        return Response(write_json(told), content_type="application/json")

    for place in ("models", "status"):
        app.add_url_rule(f"/{place}/<name>", f"{place}_status_short_name", status)
        app.add_url_rule(f"/{place}/<owner>/<name>", f"{place}_status", status)


def _add_other_api(app: Flask, route: str, name: str, model: str) -> None:
    def tell(above: str = "") -> Response:
        raise OtherApiError(name, f"/{above}" if above else f"/models/{model}")

    for rule in (f"/{route}", f"/<path:above>/{route}"):
        app.add_url_rule(rule, f"other{rule}", tell, methods=["GET", "POST"])
