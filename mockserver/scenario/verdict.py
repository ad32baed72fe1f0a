"""How the client behaved when things went wrong, as far as a server can see it: judged from the journal alone.

A retry is the same request again, right after one of its kind failed. What only the client knows, such as whether it took a cut stream
for a whole one, is not judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mockserver.scenario.journal import Asked

FINAL = frozenset({400, 403, 404, 405, 413, 415, 422})
"""Refusals that the same request meets again; 401 is not one, for the token may be another."""

MOST_ATTEMPTS = 5
SHORTEST_PAUSE = 0.1
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a client should not do, and the numbers of the requests in which it did."""

    name: str
    sentence: str
    requests: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "sentence": self.sentence, "requests": list(self.requests)}


def judge(entries: Sequence[Asked]) -> list[Finding]:
    """What there is to say against the client that sent ``entries``; an empty list says nothing of what was not tried."""
    return [finding for attempts in _attempts(entries) for finding in _judge(attempts)]


def _attempts(entries: Sequence[Asked]) -> Iterator[list[Asked]]:
    """The attempts at one request: each but the last has failed."""
    same: dict[tuple[str, str, str, bytes], list[Asked]] = defaultdict(list)
    for entry in entries:
        attempts = same[entry.scope, entry.method, entry.path, entry.raw_body]
        attempts.append(entry)
        if not _failed(entry):
            yield same.pop((entry.scope, entry.method, entry.path, entry.raw_body))
    yield from same.values()


def _failed(entry: Asked) -> bool:
    return entry.status is not None and entry.status >= 400


def _judge(attempts: list[Asked]) -> Iterator[Finding]:
    numbers = tuple(entry.number for entry in attempts)
    for before, after in pairwise(attempts):
        waited = after.time - before.time
        if before.retry_after is not None and waited < before.retry_after:
            yield Finding(
                "retry-after-ignored",
                f"Came again after {waited:.3f} s, though told to wait {before.retry_after:g} s",
                (before.number, after.number),
            )
        if before.status in FINAL:
            yield Finding("retried-in-vain", f"Sent again what was refused with {before.status}", (before.number, after.number))
    if len(attempts) > MOST_ATTEMPTS:
        yield Finding("retry-storm", f"Sent the same request {len(attempts)} times, though it kept failing", numbers)
    pauses = [after.time - before.time for before, after in pairwise(attempts) if before.status not in FINAL]
    if len(pauses) > 1 and max(pauses) < SHORTEST_PAUSE:
        yield Finding("no-back-off", f"Came again {len(pauses)} times and never waited for {SHORTEST_PAUSE:g} s", numbers)
