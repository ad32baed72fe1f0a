"""Flask routes and the one error handler. Every request goes through Flask; what it means is settled in ``answer.py``."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.utils import get_content_length

from mockserver.answer import Answerer
from mockserver.application import Answer, Application, current_request
from mockserver.config import Config
from mockserver.connection import breaking
from mockserver.control import VISIT, add_control, current_visit
from mockserver.cross_origin import add_cross_origin
from mockserver.errors import (
    ApiError,
    BadJsonError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    OverloadedError,
    RateLimitedError,
    TooLargeError,
)
from mockserver.messages import Reply
from mockserver.page import add_page
from mockserver.release import distribution_version
from mockserver.scenario.pacing import Clock
from mockserver.wire.request import read_body
from mockserver.wire.strict_json import write_json

log = logging.getLogger("mockserver")

GENERATING = frozenset({"generate", "generate_short_name", "generate_default_model", "generate_plain", "generate_stream"})
"""The endpoints that generate."""


def create_app(config: Config | None = None, *, clock: Clock | None = None) -> Application:
    """The server as a WSGI app; by a ``VirtualClock`` nothing waits. Raises UnknownFaultError, BadFaultError, ScriptError."""
    config = config or Config()
    answerer = Answerer(config, clock=clock)
    app = Application("mockserver")
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = not config.switches.bare_refusals
    app.url_map.merge_slashes = False  # a doubled slash is another path, not a redirect that loses the body
    app.extensions["textgen_mock"] = answerer.desk
    add_cross_origin(app, config.switches.cors)
    add_page(app, config, distribution_version())
    add_control(app, answerer.desk)
    _add_generating_routes(app, answerer)
    _add_describing_routes(app, answerer)
    _add_service(app, answerer)
    _add_error_handlers(app, answerer)
    return app


def _add_generating_routes(app: Application, answerer: Answerer) -> None:
    def generate(owner: str | None = None, name: str | None = None, stream: bool | None = None) -> Response:
        model = f"{owner}/{name}" if owner else name
        asked = current_request()
        environ = asked.environ
        stream_in = environ["wsgi.input"] if environ.get("wsgi.input_terminated") else asked.stream
        length = get_content_length(environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING"))  # as the Request tells it
        body = partial(read_body, stream_in.read, length)
        given, visit = environ.get("CONTENT_TYPE"), environ.get(VISIT)
        return _respond(answerer.answer(body, given, model=model, stream=stream, visit=visit))

    app.add_url_rule("/models/<owner>/<name>", "generate", generate, methods=["POST"])
    app.add_url_rule("/models/<name>", "generate_short_name", generate, methods=["POST"])
    app.add_url_rule("/", "generate_default_model", generate, methods=["POST"])
    app.add_url_rule("/generate", "generate_plain", generate, methods=["POST"], defaults={"stream": False})
    app.add_url_rule("/generate_stream", "generate_stream", generate, methods=["POST"], defaults={"stream": True})


def _add_describing_routes(app: Application, answerer: Answerer) -> None:
    config = answerer.config
    document = write_json(answerer.contract.document)
    info = write_json(_info(config))
    app.add_url_rule("/health", "health", lambda: Response(status=200, mimetype="text/plain"))
    app.add_url_rule("/info", "info", lambda: Response(info, content_type="application/json"))
    app.add_url_rule("/openapi.json", "openapi", lambda: Response(document, content_type="application/json"))


def _info(config: Config) -> dict[str, Any]:
    """What `/info` tells: the keys of text-generation-inference in its order (``router/src/lib.rs``), and two of our own behind them."""
    told: dict[str, Any] = {
        "model_id": config.models[0],
        "model_sha": None,
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": config.max_concurrent_requests,
        "max_best_of": config.max_best_of,
        "max_stop_sequences": config.max_stop_sequences,
        "max_input_tokens": config.max_input_tokens,
        "max_total_tokens": config.max_total_tokens,
        "validation_workers": config.workers,
        "max_client_batch_size": 1,
        "router": "textgen-mock" if config.switches.front_door else "text-generation-router",
        "version": distribution_version(),
        "sha": None,
        "docker_label": None,
    }
    if config.switches.front_door:
        told |= {"models": config.models, "max_top_n_tokens": config.max_top_n_tokens}
    return told


def _add_service(app: Application, answerer: Answerer) -> None:
    """What stands around the generating routes; the libraries for it are opened here, once."""
    from mockserver.neighbours import add_neighbours
    from mockserver.router_routes import add_metrics, add_model_control, add_router_routes

    config = answerer.config
    add_router_routes(app, answerer)
    add_neighbours(app, answerer)
    add_metrics(app, GENERATING)
    add_model_control(app, answerer)
    if config.rate_limit is not None:
        from mockserver.service.limits import limit_routes

        kind = RateLimitedError if config.switches.front_door else OverloadedError
        refuse = lambda seconds: _respond(answerer.refuse(kind(seconds), current_visit()))  # noqa: E731
        limit_routes(app, config.rate_limit, GENERATING, refuse, state=config.state)


def _add_error_handlers(app: Application, answerer: Answerer) -> None:
    @app.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        return _respond(answerer.refuse(error, current_visit()))

    @app.errorhandler(HTTPException)
    def refuse_http(error: HTTPException) -> Response:
        return _respond(answerer.refuse(_as_api_error(error), current_visit()))

    @app.errorhandler(Exception)
    def refuse_unexpected(error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.path, exc_info=error)
        return _respond(answerer.refuse(InternalError(), current_visit()))


def _as_api_error(error: HTTPException) -> ApiError:
    """What Flask itself refuses, in our words."""
    match error.code:
        case 404:
            return NotFoundError(f"There is nothing at {request.path[:200]}")
        case 405:
            methods = re.findall(r"[A-Z]+", dict(error.get_headers()).get("Allow", ""))
            allowed = ", ".join(sorted(methods))  # a set has no order of its own
            return MethodNotAllowedError(f"{request.method[:20]} is not allowed here, but {allowed}", headers={"allow": allowed})
        case 413:
            return TooLargeError("The request body is too large")
        case _:
            return BadJsonError(error.description or error.name)


def _respond(reply: Reply) -> Response:
    body = reply.body
    if not isinstance(body, bytes) and (visit := current_visit()) is not None and visit.faults:
        body = breaking(body, request.environ)
    if reply.chunked and isinstance(body, bytes):
        body = iter((body,))
    return Answer(body, reply.status, reply.headers)
