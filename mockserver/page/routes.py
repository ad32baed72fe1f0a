"""``GET /docs`` and, for a browser, ``GET /``: the page and its files. Writes no HTML and fills in none."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Any

from flask import Flask, Response, request

from mockserver.application import current_request
from mockserver.config import Config
from mockserver.errors import NotFoundError
from mockserver.scenario.faults import FAULTS, faults_of_dialect
from mockserver.scenario.network_faults import NETWORK_FAULTS
from mockserver.wire.strict_json import write_json

PAGE = "page.html"
MEDIA_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
FILES = frozenset(
    {
        "page.css",
        *(f"{name}.js" for name in ("answer", "ask", "control", "faults", "journal", "page", "parts", "routes", "tabs", "told")),
    }
)

PATHS = frozenset({"/docs", "/docs/desk.json", "/openapi.json", *(f"/docs/{name}" for name in FILES)})
"""What a browser asks for to show the page: no requests to a model."""

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-cache",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def add_page(app: Flask, config: Config, version: str) -> None:
    """Add the routes. It must come before what notes requests: looking at the page is none."""
    about = {"version": version, "dialect": config.dialect, "models": config.models, "control": config.control}

    @app.before_request
    def open_in_browser() -> Response | None:
        asked = current_request()
        if asked.path == "/" and asked.method == "GET" and _is_browser():
            return _file(PAGE)
        return None

    def part(name: str) -> Response:
        if name not in FILES:
            raise NotFoundError(f"There is nothing at {request.path[:200]}")
        return _file(name)

    app.add_url_rule("/docs", "docs", lambda: _file(PAGE), methods=["GET"])
    app.add_url_rule(
        "/docs/desk.json", "docs_desk", lambda: _send(write_json({**about, "faults": _faults(config.dialect)}), "application/json")
    )
    app.add_url_rule("/docs/<name>", "docs_part", part, methods=["GET"])


def _is_browser() -> bool:
    """Whether HTML is asked for by name: ``*/*``, which every client sends, is not enough."""
    wanted = request.accept_mimetypes
    return wanted["text/html"] > wanted["application/json"]


@cache
def _read(name: str) -> bytes:
    return (files(__package__) / name).read_bytes()


def _file(name: str) -> Response:
    return _send(_read(name), MEDIA_TYPES[name.rpartition(".")[2]])


def _send(body: bytes | str, content_type: str) -> Response:
    data = body.encode() if isinstance(body, str) else body
    response = Response(data, content_type=content_type, headers=HEADERS)
    response.set_etag(blake2b(data, digest_size=12).hexdigest())
    response.make_conditional(request)
    return response


def _faults(dialect: str) -> list[dict[str, Any]]:
    """Every fault that can be chosen; those of the network break no statement."""
    listed = (*NETWORK_FAULTS, *FAULTS, *faults_of_dialect(dialect))
    return [{"name": fault.name, "statement": fault.statement, "sentence": fault.sentence} for fault in listed]
