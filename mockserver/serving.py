"""The app on a port: granian, or gunicorn with gevent, in front of it; one line on standard output once it answers; a graceful end.

One worker of granian's is this process; several, and gevent's, have one each and a parent that watches them.
"""

from __future__ import annotations

import gc
import logging
import math
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mockserver.config import Config, ConfigError
from mockserver.ending import GRACE, ONE_PRESS, Flag, end_now, end_surely
from mockserver.patience import Patience, cut_requests, shut_down_connections

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("mockserver")

ARENAS = 2
"""Heaps that the C library keeps among all threads of a worker, and not eight for each core: half the memory under load."""

WHOLE = (list, tuple)
"""What an answer is that has been made to its end."""

M_ARENA_MAX = -8  # glibc, malloc.h

MOST_CONNECTIONS = 16_384
OTHER_FILES = 256
"""Open files that a worker needs beside its connections."""

PATIENCE = 10.0
"""Seconds that a worker waits for one of its own knocks to reach itself and not another."""

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {"_granian": {}},
}


class CannotListenError(ConfigError):
    """The address cannot be had; the message is one sentence."""


def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT, then let open streams end. Raises CannotListenError."""
    _allow_open_files()
    with closing(reserve(config.host, config.port)) as reserved:
        address, port = reserved.getsockname()[:2]
        silent = multiprocessing.Value("i", config.workers)
        load = partial(_load_worker, replace(config, port=port), address, silent)
        (_serve_by_gevent if config.server == "gevent" else _serve_by_granian)(config, address, port, load)


def _serve_by_granian(config: Config, address: str, port: int, load: Callable[[], WorkerApp]) -> None:
    with _nothing_to_collect():  # before the fork, so that workers share its pages
        from granian import Granian
        from granian.constants import HTTPModes, Interfaces
        from granian.http import HTTP1Settings
        from granian.log import LogLevels

    def load_here() -> WorkerApp:
        apps: list[WorkerApp] = []
        if hasattr(signal, "pthread_sigmask"):
            end_surely(lambda: any(app.open for app in apps))
        apps.append(load())
        return apps[0]

    def load_apart() -> WorkerApp:
        if hasattr(os, "setpgid"):
            os.setpgid(0, 0)  # Ctrl-C is for the parent, who then tells us
        app = load_here()
        parent = multiprocessing.parent_process()
        if parent is not None:
            threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        return app

    class Alone(Granian):  # type: ignore[misc, valid-type]  # a variable of granian's, another class on other systems
        """One worker needs no parent: it runs in this process, and takes 30 MB less."""

        def _serve(self, *told: Any) -> None:
            self._init_shared_socket()
            self._spawn_worker(0, *told).inner.run()
            end_now()

    class Watched(Granian):  # type: ignore[misc, valid-type]
        told_at = math.inf

        def signal_handler_interrupt(self, *told: Any, **more: Any) -> None:
            """Who presses Ctrl-C once more does not want to wait for open streams; one press that a launcher passes on is none."""
            if told[0] == signal.SIGINT and time.monotonic() - self.told_at > ONE_PRESS:
                for worker in self.wrks:
                    worker.kill()
            self.told_at = min(self.told_at, time.monotonic())
            super().signal_handler_interrupt(*told, **more)

    alone = config.workers == 1
    server = (Alone if alone else Watched)(
        "mockserver",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        workers=config.workers,
        blocking_threads=config.max_concurrent_requests,
        backpressure=_most_connections(),
        http1_settings=HTTP1Settings(header_read_timeout=round(config.send_timeout * 1000)),
        respawn_failed_workers=True,
        log_level=LogLevels.critical,  # what it has to say of our own shutting down is no news
        log_dictconfig=LOGGING,
        backlog=max(1024, config.max_concurrent_requests),
        http=HTTPModes.http1,  # without ears for HTTP/2, which no client here speaks, a connection takes a fifth less memory
        workers_kill_timeout=int(GRACE),
    )
    server.main_loop_interrupt = Flag()
    try:
        server.serve(target_loader=load_here if alone else load_apart, wrap_loader=False)
    except SystemExit:
        # granian's parent may see a worker end before it has seen the signal that both got: that is no failure
        if not server.interrupt_signal:
            raise


def _serve_by_gevent(config: Config, address: str, port: int, load: Callable[[], WorkerApp]) -> None:
    from mockserver.serving_gevent import serve_by_gevent

    serve_by_gevent(
        load,
        bind=f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
        workers=config.workers,
        connections=config.max_concurrent_requests,
        grace=int(GRACE),
        log=LOGGING,
    )


def _allow_open_files() -> None:
    """A stream is an open file, and many systems let a process have 1,024 of them unless it asks for more."""
    with suppress(ImportError, OSError, ValueError):  # not on every system, nor for everybody
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _most_connections() -> int:
    """How many may be open at a time; idle and half-open ones must keep nobody out, so there are many more than requests."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(MOST_CONNECTIONS, soft - OTHER_FILES))
    return 1024


def reserve(host: str, port: int) -> socket.socket:
    """A socket that holds the address, a free port for port 0, without listening on it.

    The workers listen beside it with SO_REUSEPORT; so the port is known, and ours, before they start.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with closing(socket.socket(family, kind, protocol)) as alone:  # fails where anyone listens, also with SO_REUSEPORT
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            address = alone.getsockname()
            alone.listen(1)
        held = socket.socket(family, kind, protocol)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
    except OSError as error:
        raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    return held


class WorkerApp:
    """The app of one worker process, that knows when it has been asked something, and what it is still answering."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self.asked = False
        self.open: set[object] = set()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.asked = True
        asking = object()
        self.open.add(asking)
        answer: Iterable[bytes] = ()
        try:
            answer = self._app(environ, start_response)
        finally:
            if isinstance(answer, WHOLE):
                self.open.discard(asking)
        return answer if isinstance(answer, WHOLE) else self._streamed(answer, asking)

    def _streamed(self, answer: Iterable[bytes], asking: object) -> Iterator[bytes]:
        try:
            yield from answer
        finally:
            self.open.discard(asking)
            if hasattr(answer, "close"):
                answer.close()


def _load_worker(config: Config, address: str, silent: Synchronized[int]) -> WorkerApp:
    """The app, in the worker's own process. Threads begin here and not in the parent, which is about to fork more workers."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # requests are the threads; read when numpy is first imported, just below
    _share_heaps()
    with _nothing_to_collect():
        from mockserver.app import create_app

        flask_app = create_app(config)
    logging.captureWarnings(True)
    if config.server == "gevent":
        patience = Patience(config.send_timeout, shut_down=shut_down_connections)
    else:  # an answer that nobody takes cannot be answered for
        patience = Patience(config.send_timeout, shut_down=cut_requests, answers=False)
    app = WorkerApp(patience.over(flask_app.wsgi_app))
    patience.start()
    threading.Thread(target=_announce, args=(config, address, app, silent), daemon=True).start()
    return app


@contextmanager
def _nothing_to_collect() -> Iterator[None]:
    """What is loaded here stays for good: it is not looked through for garbage, neither now, a tenth of the start, nor later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _share_heaps() -> None:
    import ctypes

    with suppress(OSError, AttributeError, TypeError):  # a C library that is not glibc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def _announce(config: Config, address: str, app: WorkerApp, silent: Synchronized[int]) -> None:
    """Once every worker has answered, the last says where we listen: a worker that has not may miss the signal to end.

    One that comes later takes the place of one that was killed. ``silent`` counts those that have not answered yet.
    """
    from http.client import HTTPConnection

    knock_at = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 (compared, not bound)  # nosec B104
    deadline = time.monotonic() + PATIENCE
    while not app.asked and time.monotonic() < deadline:
        with closing(HTTPConnection(knock_at, config.port, timeout=5)) as connection:
            try:
                connection.request("GET", "/health")
                connection.getresponse().read()
            except OSError:
                time.sleep(0.01)
    with silent.get_lock():
        silent.value -= 1
        left = silent.value
    if left < 0:
        log.warning("a worker ended unexpectedly, and another has taken its place")
    elif left == 0:
        host = f"[{config.host}]" if ":" in config.host else config.host
        with suppress(OSError):  # nobody may be listening to us
            sys.stdout.write(f"listening on http://{host}:{config.port}\n")
            sys.stdout.flush()


def _end_with(parent: Any) -> None:
    """End this worker when its parent is gone, however it went, so that no port stays taken."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
