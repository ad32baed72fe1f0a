"""A worker, and the parent that watches it, end when they are told to: granian alone has been seen to stall there.

A worker's main thread can wait for ever for a thread that waits for the main thread (github.com/emmett-framework/granian/issues/875).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NoReturn

GRACE = 30.0
"""Seconds that open streams are given to end."""

FUSE = 10.0
"""Seconds after which a process that was told to end does so, whatever its threads wait for, counted from its last open request."""

LAST = 2.0
"""Seconds after that at which the system ends it, should a thread hold the interpreter."""

ONE_PRESS = 1.0
"""Seconds within which a second SIGINT is the first once more: a launcher may pass on what the terminal has told everybody."""

SIGNS = (signal.SIGTERM, signal.SIGINT)
LOOK = 0.5
TICK = 0.1


def end_surely(busy: Callable[[], bool]) -> None:
    """Once SIGTERM or SIGINT has come, this process ends: by the handler that is set for it, and if not, by itself.

    The handler, which is set after this, is called once, in a thread: granian stalls, and its streams with it, when it is told
    three times. Where none is set yet, where a second SIGINT says that somebody does not want to wait, ``GRACE`` seconds after the
    first, or ``FUSE`` seconds after ``busy`` was last true, the process ends at once. Called in the main thread before there are
    others, which take its mask.
    """
    for sign in SIGNS:  # what is set so far may be a parent's
        signal.signal(sign, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNS)
    heard: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_hear, args=(heard,), daemon=True).start()
    threading.Thread(target=_see_to_it, args=(heard, busy), daemon=True).start()


def end_now() -> NoReturn:
    """Without a goodbye to other threads: one of granian's that asks for the interpreter while it is taken down ends the process badly."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody may be listening to us
            stream.flush()
    os._exit(0)


def _hear(heard: SimpleQueue[int]) -> None:
    while True:
        heard.put(signal.sigwait(SIGNS))


def _see_to_it(heard: SimpleQueue[int], busy: Callable[[], bool]) -> None:
    sign = heard.get()
    handler = signal.getsignal(sign)
    if not callable(handler):
        end_now()
    told = last_busy = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, FUSE + LAST)
    threading.Thread(target=handler, args=(sign, None), daemon=True).start()
    while True:
        with suppress(Empty):
            if heard.get(timeout=LOOK) == signal.SIGINT and time.monotonic() - told > ONE_PRESS:
                end_now()
        if busy():
            last_busy = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, FUSE + LAST)
        if time.monotonic() - told > GRACE or time.monotonic() - last_busy > FUSE:
            end_now()


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
