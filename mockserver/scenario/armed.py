"""Faults that come and go while a server runs: so many times, after so many requests, with a probability. Knows no fault by name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b

from mockserver.config import ConfigError
from mockserver.scenario.faults import find_faults
from mockserver.scenario.seams import Fault

FORM = "NAME[@PROBABILITY][;times=N][;after=N]"
_SPEC = re.compile(
    r"\s*(?P<name>\w[\w.-]*)(?:@(?P<probability>\d*\.?\d+))?(?P<rest>(?:\s*;\s*(?:times|after)=\d{1,9})*)\s*", re.ASCII
)


class BadFaultError(ConfigError):
    """A fault written in a way that means nothing; the message is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """A fault that waits for its requests. How many it has seen and struck is counted by whoever keeps it.

    The n-th request is struck or not by a draw from ``seed``, the name and n alone: same seed, same faults.
    """

    fault: Fault
    times: int | None = None
    after: int = 0
    probability: float = 1.0
    seed: int = 0

    def strikes(self, seen: int, struck: int) -> bool:
        """Whether the request is struck that comes when ``seen`` have come before, and ``struck`` of them were."""
        return seen >= self.after and (self.times is None or struck < self.times) and self._drawn(seen)

    @property
    def always(self) -> bool:
        return self.times is None and not self.after and self.probability >= 1

    def _drawn(self, place: int) -> bool:
        key = f"{self.seed} {self.fault.name} {place}".encode()
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
    fault = find_faults([found["name"]])[0]
    hooks = fault.make()
    return Armed(
        fault=replace(fault, make=lambda: hooks),  # what it remembers, it remembers from request to request
        times=options.get("times") if times is None else times,
        after=options.get("after", 0),
        probability=probability,
        seed=seed,
    )


def check_faults(texts: Iterable[str]) -> None:
    """Raises BadFaultError, UnknownFaultError when one of ``texts`` is no fault."""
    for text in texts:
        arm(text)
