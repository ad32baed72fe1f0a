"""Clients that take for ever: to send a request, or to take the answer. A connection that stands still too long is shut down.

Neither gunicorn nor granian gives a time-out for a body, nor for a client that does not read, and who waits for either cannot be told
to stop; but its connection can be ended. One thread looks after all; a request pays two notes for it.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NEVER = float("inf")
GLANCES = 4
"""How often one limit is looked for within its time."""

Peer = tuple[str, str]
"""Address and port of a client, as WSGI tells them."""


class Wait:
    """One client: since when it is waited for, and by which thread."""

    __slots__ = ("peer", "since", "thread")

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.since = NEVER
        self.thread = threading.get_ident()


class Patience:
    """Has connections that are waited for longer than ``seconds`` shut down. A WSGI app is looked after by ``over``.

    ``answers``: whether clients are waited for that take their answers, too.
    """

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        shut_down: Callable[[Iterable[Wait]], None],
        answers: bool = True,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._shut_down = shut_down
        self._answers = answers
        self._waits: set[Wait] = set()

    def start(self) -> None:
        """Look after them from a thread of its own, for as long as the process runs."""
        threading.Thread(target=self._watch, name="patience", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(self._seconds / GLANCES)
            self.look()

    def look(self) -> None:
        """Shut down those for whom it is too late."""
        too_old = self._clock() - self._seconds
        late = [wait for wait in self._waits.copy() if wait.since < too_old]
        for wait in late:
            self._waits.discard(wait)
        if late:
            self._shut_down(late)

    def over(self, app: WSGIApplication) -> WSGIApplication:
        """``app``, whose clients may take ``seconds`` to send a whole body, and as long again for each piece of an answer."""

        def patient(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
                environ["wsgi.input"] = _Body(environ["wsgi.input"], _peer(environ), self)
            answer = app(environ, start_response)
            return _Pieces(answer, Wait(_peer(environ)), self) if self._answers and not isinstance(answer, list) else answer

        return patient

    def begin(self, wait: Wait, since: float | None = None) -> None:
        wait.since = self._clock() if since is None else since
        self._waits.add(wait)

    def end(self, wait: Wait) -> None:
        wait.since = NEVER
        self._waits.discard(wait)


class _Body(Wait):
    """What a client sends; all of its reads together may take the time of one."""

    __slots__ = ("_began", "_patience", "_source")

    def __init__(self, source: Any, peer: Peer, patience: Patience) -> None:
        super().__init__(peer)
        self._source = source
        self._patience = patience
        self._began: float | None = None

    def read(self, *size: int) -> bytes:
        return self._timed(self._source.read, *size)

    def readline(self, *size: int) -> bytes:
        return self._timed(self._source.readline, *size)

    def _timed(self, read: Callable[..., bytes], *size: int) -> bytes:
        wait = self  # by this name cut_requests finds who waits
        self._patience.begin(wait, self._began)
        self._began = wait.since
        try:
            return read(*size)
        finally:
            self._patience.end(wait)


def _peer(environ: WSGIEnvironment) -> Peer:
    return environ.get("REMOTE_ADDR", ""), str(environ.get("REMOTE_PORT", ""))


class _Pieces:
    """An answer that is waited for while the client does not take what it was given."""

    def __init__(self, pieces: Iterable[bytes], wait: Wait, patience: Patience) -> None:
        self._pieces = pieces
        self._next = iter(pieces).__next__
        self._wait = wait
        self._clock = patience._clock
        self._end = patience.end
        patience.begin(wait)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        wait = self._wait
        wait.since = NEVER  # it is we who are waited for
        piece = self._next()
        wait.since = self._clock()
        return piece

    def close(self) -> None:
        self._end(self._wait)
        if hasattr(self._pieces, "close"):
            self._pieces.close()


def shut_down_connections(late: Iterable[Wait]) -> None:
    """Shut down this process's connections with those peers: whoever waits on one sees its end."""
    wanted = {wait.peer for wait in late}
    for number in _open_files():
        with suppress(OSError):
            connection = socket.socket(fileno=os.dup(number))
            with connection:
                name = connection.getpeername()
                if isinstance(name, tuple) and (name[0], str(name[1])) in wanted:
                    connection.shutdown(socket.SHUT_RDWR)


def _open_files() -> list[int]:
    with suppress(OSError):
        return [int(name) for name in os.listdir("/dev/fd") if name.isdigit()]
    return []


class _Cut:
    """An answer that ends short of what its head declares: granian then drops the connection, and whoever waits for a body on it wakes."""

    def __next__(self) -> NoReturn:
        raise ConnectionAbortedError("the client took too long to send its request")

    def close(self) -> None:
        """Nothing is held."""


def cut_requests(late: Iterable[Wait]) -> None:
    """Answer for the threads that wait for a body, with an answer that breaks.

    granian gives no time-out for a body (github.com/emmett-framework/granian/issues/728) and tells an app neither the connection nor
    the port of the client. What answers a request (``proto`` in granian/wsgi.py) is known to the caller of the app alone, so it is
    looked for among the callers of whoever waits; where that is not granian, nothing is done.
    """
    frames = sys._current_frames()
    for wait in late:
        with suppress(AttributeError, KeyError):
            waiting = _caller(frames.get(wait.thread), "wait", wait)
            _caller(waiting, "proto").f_locals["proto"].response_iter(408, [("content-length", "1")], _Cut())


def _caller(frame: FrameType | None, name: str, value: Any = None) -> FrameType:
    """The next caller with a local variable ``name``, of this value unless that is None. KeyError when there is none."""
    while frame is not None:
        if name in frame.f_locals and value in (None, frame.f_locals[name]):
            return frame
        frame = frame.f_back
    raise KeyError(name)
