"""When each token is due, and the clock by which a reply is held back until then. Makes no token.

A deadline counts from the arrival of the request, so neither the time that tokens take nor jitter adds up along a reply.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from mockserver.messages import Prefill, Request, Step
from mockserver.paces import Pace


class Clock(Protocol):
    """What tells the time and waits."""

    def now(self) -> float:
        """Seconds since no matter when, never going back."""

    def time(self) -> float:
        """Seconds since 1970."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The clock on the wall."""

    def now(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class VirtualClock:
    """A clock that only moves when somebody sleeps by it, and at once: a test reads arrival times from it and never waits.

    >>> clock = VirtualClock()
    >>> clock.sleep(2.5), clock.now()
    (None, 2.5)
    """

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def time(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """Milliseconds: ``ttft`` to the first token, ``prefill`` more for each token of the prompt, ``itl`` between tokens, ``jitter`` that
    each may come earlier or later.
    """

    ttft: float = 0.0
    prefill: float = 0.0
    itl: float = 0.0
    jitter: float = 0.0
    seed: int = 0

    @classmethod
    def at(cls, pace: Pace, seed: int) -> Pacing:
        """The pacing of a named pace."""
        return cls(ttft=pace.ttft, prefill=pace.prefill, itl=pace.itl, jitter=pace.jitter, seed=seed)

    def deadlines(self, request: Request, input_length: int = 0) -> Iterator[float]:
        """Seconds after which each token of the reply is due, never before the one that precedes it.

        ``input_length`` is that of the prompt, in tokens.

        The same seed and the same request give the same ones.

        >>> due = Pacing(ttft=100, itl=20).deadlines(Request("m", "a prompt"))
        >>> [round(next(due), 3) for _ in range(3)]
        [0.1, 0.12, 0.14]
        """
        latest, place = 0.0, 0
        while True:
            even = self.ttft + input_length * self.prefill + place * self.itl
            latest = max(latest, even + self.jitter * self._draw(request, place) if self.jitter else even)
            yield latest / 1000
            place += 1

    def _draw(self, request: Request, place: int) -> float:
        """From -1 to 1."""
        key = f"{self.seed} {place} {request.model} {request.inputs}".encode()
        return int.from_bytes(blake2b(key, digest_size=6).digest(), "little") / 2**47 - 1


def pace(events: Iterator[Prefill | Step], deadlines: Iterator[float], start: float, clock: Clock) -> Iterator[Prefill | Step]:
    """``events``, each Step held back until its deadline after ``start``."""
    for event in events:
        if isinstance(event, Step):
            wait_until(start + next(deadlines), clock)
        yield event


def hold(frames: Iterator[bytes], deadlines: Iterator[float], start: float, clock: Clock) -> Iterator[bytes]:
    """``frames`` of a stream, each held back until its deadline after ``start``."""
    for frame in frames:
        wait_until(start + next(deadlines), clock)
        yield frame


def wait_until(moment: float, clock: Clock) -> None:
    left = moment - clock.now()
    if left > 0:
        clock.sleep(left)
