"""The app on a port, gunicorn and gevent in front of it: thousands of open streams in one process, each a greenlet.

One thread does all, so what computes for long must let the others have their turn; granian is quicker with whole replies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import gevent
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PIECES = 16
"""Pieces of one reply after which the others have their turn."""


def serve_by_gevent(
    load: Callable[[], WSGIApplication], *, bind: str, workers: int, connections: int, grace: int, log: dict[str, Any]
) -> None:
    """Serve until SIGTERM or SIGINT, then let open streams end; ``load`` makes the app in each worker."""
    settings = {
        "bind": bind,
        "reuse_port": True,
        "workers": workers,
        "worker_class": "gevent",
        "worker_connections": connections,
        "backlog": connections,
        "graceful_timeout": grace,
        "timeout": 0,  # a worker that computes for minutes is not hung
        "loglevel": "critical",
        "logconfig_dict": log,
        "control_socket_disable": True,
        "post_fork": _leave_group,
    }
    _Arbiter(_Application(settings, load)).run()


class InTurns:
    """A WSGI app whose replies wait for each other here and there, so that a long one holds nobody up."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = self._app(environ, start_response)
        gevent.sleep(0)
        return body if isinstance(body, list) else _in_turns(body)


def _in_turns(body: Iterable[bytes]) -> Iterator[bytes]:
    try:
        for place, piece in enumerate(body, 1):
            yield piece
            if place % PIECES == 0:
                gevent.sleep(0)
    finally:
        if hasattr(body, "close"):
            body.close()


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, settings: dict[str, Any], load: Callable[[], WSGIApplication]) -> None:
        self._settings = settings
        self._load = load
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            if name in self.cfg.settings:  # the last came with gunicorn 25
                self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        return InTurns(self._load())


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    def handle_int(self) -> None:
        """Ctrl-C lets open streams end, as SIGTERM does."""
        self.handle_term()


def _leave_group(_arbiter: Any, _worker: Any) -> None:
    """Ctrl-C is for the parent, who then tells the workers."""
    os.setpgid(0, 0)
