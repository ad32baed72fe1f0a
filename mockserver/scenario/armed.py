"""Faults that come and go while a server runs: so many times, after so many requests, with a probability. Knows no fault by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b
from threading import Lock

from mockserver.scenario.faults import find_faults
from mockserver.scenario.seams import Fault

FORM = "NAME[@PROBABILITY][;times=N][;after=N]"
_SPEC = re.compile(
    r"\s*(?P<name>\w[\w.-]*)(?:@(?P<probability>\d*\.?\d+))?(?P<rest>(?:\s*;\s*(?:times|after)=\d{1,9})*)\s*", re.ASCII
)


class BadFaultError(ValueError):
    """A fault written in a way that means nothing; the message is one sentence."""


class Armed:
    """A fault that waits for its requests. Safe among threads.

    The n-th request is struck or not by a draw from ``seed``, the name and n alone: same seed, same faults.
    """

    def __init__(
        self, fault: Fault, *, times: int | None = None, after: int = 0, probability: float = 1.0, seed: int = 0
    ) -> None:
        hooks = fault.make()
        self.fault = replace(fault, make=lambda: hooks)  # what it remembers, it remembers from request to request
        self.times = times
        self.after = after
        self.probability = probability
        self._seed = seed
        self._seen = 0
        self._struck = 0
        self._lock = Lock()

    def strikes(self) -> bool:
        """Whether the request that has just come is struck."""
        with self._lock:
            place = self._seen
            self._seen += 1
            if place < self.after or (self.times is not None and self._struck >= self.times) or not self._drawn(place):
                return False
            self._struck += 1
            return True

    @property
    def left(self) -> int | None:
        return None if self.times is None else self.times - self._struck

    def _drawn(self, place: int) -> bool:
        key = f"{self._seed} {self.fault.name} {place}".encode()
        return int.from_bytes(blake2b(key, digest_size=6).digest(), "little") / 2**48 < self.probability


def arm(text: str, *, times: int | None = None, seed: int = 0) -> Armed:
    """The fault that ``text`` names, in the form ``NAME[@PROBABILITY][;times=N][;after=N]``.

    ``times`` given counts for more than the one in the text. Raises BadFaultError, UnknownFaultError.
    """
    found = _SPEC.fullmatch(text)
    if found is None:
        raise BadFaultError(f"{text[:100]!r} is no fault: write {FORM}")
    options = {key.strip(): int(value) for key, _, value in (part.partition("=") for part in found["rest"].split(";")[1:])}
    probability = float(found["probability"] or 1)
    if probability > 1:
        raise BadFaultError(f"a probability is from 0 to 1. Given: {found['probability']} in {text!r}")
    return Armed(
        find_faults([found["name"]])[0],
        times=options.get("times") if times is None else times,
        after=options.get("after", 0),
        probability=probability,
        seed=seed,
    )


def check_faults(texts: Iterable[str]) -> None:
    """Raises BadFaultError, UnknownFaultError when one of ``texts`` is no fault."""
    for text in texts:
        arm(text)
