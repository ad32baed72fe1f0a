"""``/_mock/...``: what the person at the desk says and asks over HTTP. JSON only, and never from a web page of another origin."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, request

from mockserver.application import current_request
from mockserver.errors import ControlError, ForeignOriginError, NotFoundError, StateAwayError
from mockserver.page import PATHS
from mockserver.scenario.desk import SCOPE_HEADER, Desk, Visit
from mockserver.scenario.journal import Asked
from mockserver.scenario.rule_words import in_words
from mockserver.scenario.verdict import PATIENCE, judge
from mockserver.service.authorization import check_authorization
from mockserver.wire.request import check_media_type, read_body
from mockserver.wire.strict_json import parse_json, write_json
from spec.secrets import Masker

PREFIX = "/_mock/"
KNOWN_SHAPES = 256
"""Sets of header names that are remembered: a client sends the same ones again and again."""

OF_THE_BODY = ("CONTENT_TYPE", "CONTENT_LENGTH")
"""Headers that stand in a WSGI environment without the prefix of the others."""

UNNOTED = frozenset({"/health", "/metrics", "/ping"}) | PATHS
"""Knocks at the door, and looks through its window, which are no requests to a model."""

FILTERS = ("model", "prompt", "contains", "path", "method", "status", "rule", "scope", "last")

VISIT = "mockserver.visit"
"""Where in its environment a request's visit stands."""


def current_visit() -> Visit | None:
    """The visit of the request that is being answered."""
    visit: Visit | None = current_request().environ.get(VISIT)
    return visit


def add_control(app: Flask, desk: Desk) -> None:
    """Note each request, and answer at ``/_mock/...`` unless the Config says otherwise."""

    @app.before_request
    def open_visit() -> None:
        asked = current_request()
        if asked.path.startswith(PREFIX):
            _admit(desk)
        elif asked.path not in UNNOTED:
            asked.environ[VISIT] = desk.visit(asked.method, asked.path, _headers(asked.environ))

    @app.after_request
    def close_visit(response: Response) -> Response:
        visit = current_visit()
        if visit is not None:
            retry_after = response.headers.get("retry-after") if response.status_code >= 400 else None
            desk.close(visit, response.status_code, retry_after)
        return response

    if not desk.config.control:
        return

    secrets = Masker((*desk.config.tokens, desk.config.control_token or ""))

    def add(path: str, view: Any, *methods: str) -> None:
        app.add_url_rule(f"{PREFIX}{path}", f"mock_{view.__name__}", view, methods=methods)

    def requests() -> Response:
        wanted = _read_filters()
        last = _read_last(wanted.pop("last", None))
        found = [entry for entry in desk.journal.entries() if _passes(entry, wanted)][-last:]
        return _json(secrets.value([entry.as_json() for entry in found]))

    def verdict() -> Response:
        return _json([finding.as_json() for finding in judge(desk.journal.entries(request.headers.get(SCOPE_HEADER)))])

    def verdict_on() -> Response:
        given = _read_object()
        accepted, patience = given.pop("accepted", []), given.pop("patience", PATIENCE)
        if given or not isinstance(accepted, list) or not all(isinstance(text, str) for text in accepted):
            raise ControlError('a verdict is asked for as {"accepted": [TEXT, ...], "patience": SECONDS}; `patience` may be left out')
        if not isinstance(patience, int | float) or isinstance(patience, bool) or patience < 0:
            raise ControlError("`patience` must be a number of seconds, 0 or more")
        found = judge(desk.journal.entries(request.headers.get(SCOPE_HEADER)), accepted, patience)
        return _json([finding.as_json() for finding in found])

    def reset() -> Response:
        _read_object(required=False)
        desk.reset(request.headers.get(SCOPE_HEADER))
        return _json({"reset": True})

    def tell() -> Response:
        desk.tell(_scope(), _read_object())
        return scripts()

    def scripts() -> Response:
        rules = desk.rules(_scope())
        said = {"rules": [rule.place for rule in rules], "words": [in_words(rule) for rule in rules]}
        return _json({**said, "error": desk.complaint or None})

    def forget() -> Response:
        desk.forget_rules(_scope())
        return scripts()

    def fault() -> Response:
        given = _read_object()
        name, times = given.pop("name", None), given.pop("times", None)
        if not isinstance(name, str) or given:
            raise ControlError('a fault is told as {"name": NAME, "times": N}; `times` may be left out')
        if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
            raise ControlError("`times` must be an integer above 0")
        desk.arm(_scope(), name, times)
        return faults()

    def faults() -> Response:
        return _json([{"name": armed.name, "left": armed.left} for armed in desk.armed(_scope())])

    def disarm() -> Response:
        desk.disarm(_scope())
        return faults()

    add("requests", requests, "GET")
    add("verdict", verdict, "GET")
    add("verdict", verdict_on, "POST")
    add("reset", reset, "POST")
    add("scripts", tell, "POST")
    add("scripts", scripts, "GET")
    add("scripts", forget, "DELETE")
    add("faults", fault, "POST")
    add("faults", faults, "GET")
    add("faults", disarm, "DELETE")


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """The headers of a request, their names in lower case; a tenth of the time that it takes through werkzeug's own."""
    found: dict[str, str] = {name: environ[key] for key, name in _headers_among(tuple(environ))}
    for name in ("content-type", "content-length"):
        if found.get(name) == "":  # WSGI's way to say that there is none
            del found[name]
    return found


@lru_cache(KNOWN_SHAPES)
def _headers_among(keys: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Which keys of a WSGI environment are headers, and their names in lower case.

    A server puts the variables of its process into each environment, and those are none, whatever they are called.
    """
    headers = (key for key in keys if key in OF_THE_BODY or (key.startswith("HTTP_") and key not in os.environ))
    return tuple((key, key.removeprefix("HTTP_").replace("_", "-").lower()) for key in headers)


def _admit(desk: Desk) -> None:
    """Refuse what a web page of another origin sends, or who does not know the token, and where processes would not agree.

    Raises NotFoundError, ForeignOriginError, UnauthorizedError, ControlError, StateAwayError.
    """
    if not desk.config.control:
        raise NotFoundError(f"There is nothing at {request.path[:200]}: the server was started with --no-control")
    if not _is_from_here(desk.config.host):
        raise ForeignOriginError("A web page of another origin may not control this server")
    if desk.config.control_token is not None:
        check_authorization(request.headers.get("authorization"), [desk.config.control_token], colon_after_bearer=False)
    if desk.config.workers > 1 and not desk.store.shared:
        raise ControlError(
            f"Each of the {desk.config.workers} workers has a journal of its own: control needs --workers 1, or a --state that they share"
        )
    if not desk.store.answers:
        raise StateAwayError(f"Redis at {desk.store.where} does not answer: nothing can be told or asked until it is back")


def _is_from_here(host: str) -> bool:
    """Whether no browser sent this, or one that shows a page of this very server.

    The name in ``Host`` must be an address or our own, for any name can be made to lead here (DNS rebinding).
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is None and site is None:
        return True
    if site not in (None, "same-origin", "none") or (origin is not None and urlsplit(origin).netloc != request.host):
        return False
    name = urlsplit(f"//{request.host}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in ("localhost", host)
    return True


def _scope() -> str:
    return request.headers.get(SCOPE_HEADER, "")


def _read_object(*, required: bool = True) -> dict[str, Any]:
    """The JSON object that was sent."""
    body = read_body(request.stream.read, request.content_length)
    if not body and not required:
        return {}
    check_media_type(request.headers.get("content-type"))
    value = parse_json(body)
    if not isinstance(value, dict):
        raise ControlError("a JSON object is expected here")
    return value


def _read_filters() -> dict[str, str]:
    """The filters in the query; a scope may also be named in the header."""
    unknown = request.args.keys() - set(FILTERS)
    if unknown:
        raise ControlError(f"no filter is called {min(unknown)[:50]!r}: known are {', '.join(FILTERS)}")
    scope = {"scope": request.headers[SCOPE_HEADER]} if SCOPE_HEADER in request.headers else {}
    return {**request.args.to_dict(), **scope}


def _read_last(given: str | None) -> int:
    if given is None:
        return 0  # a list from its end, cut at 0, is the whole
    if not given.isascii() or not given.isdigit() or not int(given):
        raise ControlError(f"`last` must be an integer above 0. Given: {given[:50]!r}")
    return int(given)


def _passes(entry: Asked, wanted: Mapping[str, str]) -> bool:
    has = {
        "model": entry.model,
        "prompt": entry.prompt,
        "path": entry.path,
        "method": entry.method,
        "status": str(entry.status),
        "rule": entry.rule,
        "scope": entry.scope,
    }
    contains = wanted.get("contains")
    if contains is not None and not (isinstance(entry.prompt, str) and contains in entry.prompt):
        return False
    return all(has[name] == value for name, value in wanted.items() if name != "contains")


def _json(value: Any) -> Response:
    return Response(write_json(value), content_type="application/json", headers={"cache-control": "no-store"})
