"""A mock for the length of a test, a class or a notebook cell: on a free port, in a thread of this process.

Werkzeug's server and not granian's: granian forks worker processes, which costs a second and does not go well with the threads of a
test run, and here what was asked can be read without a request. It speaks HTTP/1.1, so that a client can tell a cut stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from socket import socket
from threading import Thread
from types import TracebackType
from typing import Any
from urllib.parse import quote

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from mockserver.app import create_app
from mockserver.config import Config
from mockserver.connection import is_marked
from mockserver.scenario.pacing import Clock
from mockserver.scoped import MistakeError, Scoped


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ARG002 (the base class's)
        logging.getLogger("mockserver").debug(message, *args)


def _part_with(server: Any, say_goodbye: Callable[[socket], None], connection: socket) -> None:
    """Close a connection; one that is to be reset without the goodbye that socketserver says before."""
    if is_marked(connection):
        server.close_request(connection)
    else:
        say_goodbye(connection)


class TextgenMock(Scoped):
    """A running mock, and what a test says to it and asks of it.

    ``with TextgenMock() as mock:`` serves at ``mock.url``; ``mock.app`` is the WSGI app behind it.
    It speaks for requests without a scope, and hears and forgets all of them; ``scope`` gives the same for one alone.
    """

    def __init__(self, config: Config | None = None, *, clock: Clock | None = None, **settings: Any) -> None:
        self.config = replace(config or Config(), **settings)
        self.app: Flask = create_app(self.config, clock=clock)
        super().__init__(self.app.extensions["textgen_mock"])
        self._server: Any = None
        self._thread: Thread | None = None

    def scope(self, name: str) -> Scoped:
        """What is said and asked for the requests that carry its ``headers`` alone, so that tests can share one mock."""
        return Scoped(self._desk, name)

    # ------------------------------------------------------------ serving

    def start(self) -> TextgenMock:
        self._server = make_server("127.0.0.1", 0, self.app, threaded=True, request_handler=_Handler)
        self._server.daemon_threads = True
        self._server.shutdown_request = partial(_part_with, self._server, self._server.shutdown_request)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="textgen-mock", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None

    def __enter__(self) -> TextgenMock:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address of the default model, which clients can be given as it is."""
        if self._server is None:
            raise MistakeError("the mock is not serving: use it in a `with` block, or call start()")
        return f"http://127.0.0.1:{self._server.server_port}"

    def model_url(self, model: str) -> str:
        """The address of ``model``, as documented."""
        return f"{self.url}/models/{quote(model)}"
