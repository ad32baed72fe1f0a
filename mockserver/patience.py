"""Clients that take for ever: to send a request, or to take the answer. A connection that stands still too long is shut down.

gunicorn gives no time-out for a body, nor for a client that does not read, and who waits for either cannot be told to stop; but the
socket can. One greenlet looks after all; a request pays two notes for it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NEVER = float("inf")
GLANCES = 4
"""How often one limit is looked for within its time."""

Peer = tuple[str, str]
"""Address and port of a client, as WSGI tells them."""


class Wait:
    """One client: since when it is waited for."""

    __slots__ = ("peer", "since")

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.since = NEVER


class Patience:
    """Shuts down connections that are waited for longer than ``seconds``. A WSGI app is looked after by ``over``."""

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        shut_down: Callable[[Iterable[Peer]], None] | None = None,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._shut_down = shut_down or shut_down_connections
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
            self._shut_down({wait.peer for wait in late})

    def over(self, app: WSGIApplication) -> WSGIApplication:
        """``app``, whose clients may take ``seconds`` to send a whole body, and as long again for each piece of an answer."""

        def patient(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            peer = (environ.get("REMOTE_ADDR", ""), str(environ.get("REMOTE_PORT", "")))
            if environ.get("CONTENT_LENGTH") or environ.get("HTTP_TRANSFER_ENCODING"):
                environ["wsgi.input"] = _Body(environ["wsgi.input"], Wait(peer), self)
            answer = app(environ, start_response)
            return answer if isinstance(answer, list) else _Pieces(answer, Wait(peer), self)

        return patient

    def begin(self, wait: Wait) -> None:
        wait.since = self._clock()
        self._waits.add(wait)

    def end(self, wait: Wait) -> None:
        wait.since = NEVER
        self._waits.discard(wait)


class _Body:
    """What a client sends; all of its reads together may take the time of one."""

    def __init__(self, source: Any, wait: Wait, patience: Patience) -> None:
        self._source = source
        self._wait = wait
        self._patience = patience
        self._began: float | None = None

    def read(self, *size: int) -> bytes:
        return self._timed(self._source.read, *size)

    def readline(self, *size: int) -> bytes:
        return self._timed(self._source.readline, *size)

    def _timed(self, read: Callable[..., bytes], *size: int) -> bytes:
        wait = self._wait
        self._patience.begin(wait)
        wait.since = self._began = wait.since if self._began is None else self._began
        try:
            return read(*size)
        finally:
            self._patience.end(wait)


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


def shut_down_connections(peers: Iterable[Peer]) -> None:
    """Shut down this process's connections with ``peers``: whoever waits on one sees its end."""
    wanted = set(peers)
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
