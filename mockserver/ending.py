"""A worker, and the parent that watches it, end when they are told to: granian alone has been seen to stall there.

A worker's main thread can wait for ever for a thread that waits for the main thread (github.com/emmett-framework/granian/issues/875).
"""

from __future__ import annotations

import ctypes
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

FUSE = 10.0
"""Seconds after which a worker that was told to end is ended by the system, counted from its last open request."""

SIGNS = (signal.SIGTERM, signal.SIGINT)
LOOK = 0.5
TICK = 0.1


def end_surely(busy: Callable[[], bool]) -> None:
    """Once SIGTERM or SIGINT has come and ``busy`` has been false for ``FUSE`` seconds, this process ends, whatever its threads hold.

    Called in the main thread. The fuse is the system's alarm, which needs no thread of ours to go off.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    told, tell = socket.socketpair()
    tell.setblocking(False)
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_burn, args=(told, tell, busy), daemon=True).start()


def _burn(told: socket.socket, tell: socket.socket, busy: Callable[[], bool]) -> None:
    with told, tell:
        while told.recv(1)[0] not in SIGNS:
            continue
        _hear_no_more()
        signal.setitimer(signal.ITIMER_REAL, FUSE)
        while True:
            time.sleep(LOOK)
            if busy():
                signal.setitimer(signal.ITIMER_REAL, FUSE)


def _hear_no_more() -> None:
    """What has been said once is not heard again: granian's workers stall, and their streams with them, when they are told three times.

    The C library is asked, because Python lets only the main thread do it, and that may be busy with the first telling.
    """
    ignore = ctypes.c_void_p(int(signal.SIG_IGN))
    with suppress(OSError, AttributeError, TypeError):  # a system without a C library that can be had so
        for sign in SIGNS:
            ctypes.CDLL(None).signal(int(sign), ignore)


class Flag(threading.Event):
    """An Event that a handler of signals may set: it takes no lock that the waiting thread may hold, and misses no wake-up."""

    def __init__(self) -> None:
        super().__init__()
        self._raised = False

    def is_set(self) -> bool:
        return self._raised

    def set(self) -> None:
        self._raised = True

    def clear(self) -> None:
        self._raised = False

    def wait(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._raised and (deadline is None or time.monotonic() < deadline):
            time.sleep(TICK)
        return self._raised
