"""A mock for the length of a test, a class or a notebook cell: on a free port, in a thread of this process.

Werkzeug's server and not granian's: granian forks worker processes, which costs a second and does not go well with the threads of a
test run, and here what was asked can be read without a request. It speaks HTTP/1.1, so that a client can tell a cut stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
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
from mockserver.errors import ControlError
from mockserver.scenario.desk import Desk
from mockserver.scenario.journal import Asked
from mockserver.scenario.pacing import Clock
from mockserver.scenario.verdict import PATIENCE, Finding, judge

SHOWN = 10
LONGEST_SHOWN = 100


class MistakeError(ValueError):
    """What the test said to the mock means nothing; the message is one sentence."""


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


class TextgenMock:
    """A running mock, and what a test says to it and asks of it.

    ``with TextgenMock() as mock:`` serves at ``mock.url``; ``mock.app`` is the WSGI app behind it.
    """

    def __init__(self, config: Config | None = None, *, clock: Clock | None = None, **settings: Any) -> None:
        self.config = replace(config or Config(), **settings)
        self.app: Flask = create_app(self.config, clock=clock)
        self._desk: Desk = self.app.extensions["textgen_mock"]
        self._server: Any = None
        self._thread: Thread | None = None

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

    # ------------------------------------------------------------ saying

    def script(self, rules: Iterable[Mapping[str, Any]] | None = None, /, *, reply: Any = None, **conditions: Any) -> None:
        """Tell an answer: ``script(prompt="ping", reply="pong")``; or several, as in a script file: ``script([{...}, ...])``.

        Conditions are those of a rule: ``prompt``, ``model``, ``parameters``, ``headers``, ``stream``, ``call``, ``times``.
        Raises MistakeError when the mock cannot give such an answer.
        """
        rows = [*rules] if rules is not None else [{"reply": reply, **conditions}]
        try:
            self._desk.tell("", {"rules": rows})
        except ControlError as error:
            raise MistakeError(error.message) from None

    def fault(self, name: str, times: int | None = 1) -> None:
        """Let the named fault strike the next ``times`` requests (None: all until ``reset``). Raises MistakeError."""
        if times is not None and times < 1:
            raise MistakeError(f"`times` must be above 0. Given: {times}")
        try:
            self._desk.arm("", name, times)
        except ControlError as error:
            raise MistakeError(error.message) from None

    def reset(self) -> None:
        """Forget rules told, faults and requests."""
        self._desk.reset()

    # ------------------------------------------------------------ asking

    @property
    def requests(self) -> list[Asked]:
        """What was asked since the last reset, newest last: ``.prompt``, ``.parameters``, ``.status``, ``.headers``, ..."""
        return self._desk.journal.entries()

    def verdict(self, accepted: str | Iterable[str] = (), *, patience: float = PATIENCE) -> list[Finding]:
        """What there is to say against the client that asked.

        ``accepted`` is the text, or are the texts, that it handed on as whole answers: only with them can it be told whether it took
        a cut stream for a whole one, overlooked an error event, or waited for longer than ``patience`` seconds while nothing came.
        """
        return judge(self.requests, [accepted] if isinstance(accepted, str) else accepted, patience)

    def assert_called(
        self,
        *,
        prompt: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        model: str | None = None,
        stream: bool | None = None,
        times: int | None = None,
    ) -> None:
        """Fail unless ``times`` requests (None: at least one) had this prompt and at least these parameters."""
        __tracebackhide__ = True
        wanted = {"prompt": prompt, "model": model, "stream": stream}
        conditions = {name: value for name, value in wanted.items() if value is not None}
        conditions |= {f"parameters[{name!r}]": value for name, value in (parameters or {}).items()}
        asked = self.requests
        misses = [_misses(entry, conditions) for entry in asked]
        count = sum(not miss for miss in misses)
        if count == times or (times is None and count):
            return
        raise AssertionError(_complaint(conditions, asked, misses, count, times))


def _misses(entry: Asked, conditions: Mapping[str, Any]) -> list[str]:
    """Each condition that a request does not meet, in words."""
    has: dict[str, Any] = {"prompt": entry.prompt, "model": entry.model, "stream": entry.stream}
    has |= {f"parameters[{name!r}]": value for name, value in entry.parameters.items()}
    return [
        f"{name} is {_show(has[name]) if name in has else 'not given'}, not {_show(value)}"
        for name, value in conditions.items()
        if name not in has or has[name] != value or isinstance(has[name], bool) != isinstance(value, bool)
    ]


def _complaint(conditions: Mapping[str, Any], asked: list[Asked], misses: list[list[str]], count: int, times: int | None) -> str:
    what = ", ".join(f"{name} {_show(value)}" for name, value in conditions.items()) or "any request"
    expected = "at least once" if times is None else f"{times} times"
    lines = [f"expected {expected}: {what}", f"came {count} times, of {len(asked)} requests" + (":" if asked else "")]
    shown = [*zip(asked, misses, strict=True)][-SHOWN:]
    if len(asked) > SHOWN:
        lines.append(f"  ... {len(asked) - SHOWN} earlier ones")
    for entry, miss in shown:
        lines.append(
            f"  {entry.number}. {entry.method} {entry.path} {_show(entry.prompt)}: {' and '.join(miss) or 'as expected'}"
        )
    return "\n".join(lines)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
