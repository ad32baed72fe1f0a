"""Flask, without what no request to this server needs: sessions, async views, host matching. Knows no route.

Each override is a documented one and gives what Flask's own would, in a third of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, request, request_finished, request_started
from flask.sessions import NullSession, SessionInterface
from werkzeug.datastructures import Headers
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import MapAdapter, Rule

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from flask.ctx import RequestContext

KNOWN_PATHS = 256
"""Paths whose routes are remembered."""

BEGUN = "mockserver.begun"
"""Where in its environment a request's beginning is noted."""

STATUS_LINES = {code: f"{code} {name.upper()}" for code, name in HTTP_STATUS_CODES.items()}


def current_request() -> Request:
    """The request that is being answered, behind Flask's proxy: each look through that costs as much as ten at the request."""
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # the proxy's own way to itself
    return asked


class _NoSession(SessionInterface):
    """Nobody has a session here, and all share the one that is nobody's."""

    _nobody = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002 (the base class's)
        return self._nobody

    def is_null_session(self, obj: object) -> bool:
        return obj is self._nobody


class _Pairs(Headers):
    """Headers that are known to be text already, and are not looked at again."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._list = [*pairs]

    def to_wsgi_list(self) -> list[tuple[str, str]]:
        return self._list


class Answer(Response):
    """A reply whose headers are complete: bytes go out as a list of one, which a WSGI server sends in one piece."""

    def __init__(self, body: bytes | Iterator[bytes], status: int, headers: Iterable[tuple[str, str]]) -> None:
        whole = isinstance(body, bytes)
        self.headers = _Pairs([*headers, ("content-length", str(len(body)))] if whole else headers)  # type: ignore[arg-type]
        self._status, self._status_code = STATUS_LINES.get(status) or f"{status} UNKNOWN", status
        self.response = [body] if whole else body  # type: ignore[assignment]
        self.direct_passthrough = False
        self._on_close = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        closes = isinstance(self.response, list) or hasattr(self.response, "close")
        if not closes or self._on_close or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self._status, self.headers.to_wsgi_list())
        return self.response  # type: ignore[return-value]  # bytes, all of it


class _KnownPaths(MapAdapter):
    """The routes of one app, whatever the host is called. What was once found is not sought again."""

    def __init__(self, app: Application, request: Request) -> None:
        super().__init__(app.url_map, "localhost", "", "", "http", request.path, request.method)
        self._find = app.find_route

    def match(self, *_: Any, **__: Any) -> Any:
        rule, values = self._find(self.path_info, self.default_method)
        return rule, {**values}


class Application(Flask):
    """The app of one server, whose views are plain functions."""

    session_interface = _NoSession()

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.find_route = lru_cache(KNOWN_PATHS)(self._find_route)

    def _find_route(self, path: str, method: str) -> tuple[Rule, Mapping[str, Any]]:
        """Raises NotFound, MethodNotAllowed."""
        return MapAdapter(self.url_map, "localhost", "", "", "http", path, method).match(return_rule=True)

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        environ[BEGUN] = perf_counter()
        return super().request_context(environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        return None if request is None else _KnownPaths(self, request)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func

    def full_dispatch_request(self) -> Response:
        if not self._got_first_request or request_started.receivers or request_finished.receivers:
            return super().full_dispatch_request()
        try:
            answer = self.preprocess_request()
            if answer is None:
                answer = self.dispatch_request()
        except Exception as error:
            answer = self.handle_user_exception(error)
        return self.process_response(answer if isinstance(answer, Answer) else self.make_response(answer))

    def dispatch_request(self) -> Any:
        asked = current_request()
        if asked.routing_exception is not None or asked.method == "OPTIONS":
            return super().dispatch_request()
        assert asked.url_rule is not None  # else there were a routing exception
        return self.view_functions[asked.url_rule.endpoint](**(asked.view_args or {}))

    def preprocess_request(self) -> Any:
        if self.blueprints:
            return super().preprocess_request()
        for ask in self.before_request_funcs.get(None, ()):
            answer = ask()
            if answer is not None:
                return answer
        return None

    def process_response(self, response: Response) -> Response:
        if self.blueprints:
            return super().process_response(response)
        for mark in reversed(self.after_request_funcs.get(None, ())):
            response = mark(response)
        return response

    def do_teardown_request(self, exc: Any = None) -> None:
        if self.teardown_request_funcs:
            super().do_teardown_request(exc)

    def do_teardown_appcontext(self, exc: Any = None) -> None:
        if self.teardown_appcontext_funcs:
            super().do_teardown_appcontext(exc)
