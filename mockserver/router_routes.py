"""The routes of text-generation-inference beside those that generate: `/ping`, `/tokenize`, `/metrics`; and loading models by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from time import perf_counter
from typing import Any

from flask import Flask, Response, request

from mockserver.answer import Answerer
from mockserver.application import BEGUN, current_request
from mockserver.control import current_visit
from mockserver.errors import ControlError, ModelNotFoundError
from mockserver.service.metrics import Metrics
from mockserver.wire.request import check_media_type, read_body
from mockserver.wire.strict_json import parse_json, write_json

MODEL_STATES = ("cold", "loaded")


def add_router_routes(app: Flask, answerer: Answerer) -> None:
    """Names and forms are those of ``router/src/server.rs``."""

    def tokenize() -> Response:
        body = partial(read_body, request.stream.read, request.content_length)
        pieces = answerer.tokenize(body, request.headers.get("content-type"), visit=current_visit())
        ends = [*accumulate(len(data) for _, _, data in pieces)]
        told = [
            {"id": token, "text": text, "start": end - len(data), "stop": end}
            for (token, text, data), end in zip(pieces, ends, strict=True)
        ]
        return _json(told)

    app.add_url_rule("/tokenize", "tokenize", tokenize, methods=["POST"])
    app.add_url_rule("/ping", "ping", lambda: Response(status=200, mimetype="text/plain"))
    if answerer.config.switches.bare_refusals:
        app.add_url_rule("/", "health_at_root", lambda: Response(status=200, mimetype="text/plain"))


def add_metrics(app: Flask, generating: frozenset[str]) -> None:
    """`/metrics`: how much was asked of the ``generating`` endpoints of this process, under the names of the router."""
    metrics = Metrics()

    @app.after_request
    def note_end(response: Response) -> Response:
        asked = current_request()
        if asked.endpoint in generating:
            metrics.note(response.status_code, perf_counter() - asked.environ[BEGUN])
        return response

    def page() -> Response:
        text, content_type = metrics.page()
        return Response(text, content_type=content_type)

    app.add_url_rule("/metrics", "metrics", page)


def add_model_control(app: Flask, answerer: Answerer) -> None:
    """`/_mock/models`: which models are loaded, and to load or evict one; `/_mock/cache/clear`: to forget the replies that were kept."""
    if not answerer.config.control:
        return
    loading, models = answerer.front_door.loading, answerer.config.models

    def told(model: str) -> dict[str, Any]:
        return {"id": model, "state": loading.state(model)}

    def set_model(model: str) -> Response:
        if model not in models:
            raise ModelNotFoundError(model)
        check_media_type(request.headers.get("content-type"))
        given = parse_json(read_body(request.stream.read, request.content_length))
        if not isinstance(given, dict) or given.keys() != {"state"} or given["state"] not in MODEL_STATES:
            raise ControlError('a model is told as {"state": "cold"} or {"state": "loaded"}')
        if not answerer.config.cold:
            raise ControlError("every model of this server is always loaded: start it with --cold SECONDS")
        (loading.evict if given["state"] == "cold" else loading.load)(model)
        return _json(told(model))

    def clear() -> Response:
        answerer.front_door.cache.clear()
        return _json({"cleared": True})

    add: Callable[..., None] = app.add_url_rule
    add("/_mock/models", "mock_models", lambda: _json([told(model) for model in models]))
    add("/_mock/models/<path:model>", "mock_set_model", set_model, methods=["POST"])
    add("/_mock/cache/clear", "mock_clear_cache", clear, methods=["POST"])


def _json(value: Any) -> Response:
    return Response(write_json(value), content_type="application/json")
