"""How the client behaved when things went wrong: judged from the journal, and from what the client's own test says that it took.

A retry is the same request again, right after one of its kind failed. A server cannot see what a client made of an answer that was cut,
or that stood still: that is judged only when the texts are told that the client handed on as answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mockserver.scenario.journal import Asked
from mockserver.scenario.watching import CUT, ERROR

FINAL = frozenset({400, 403, 404, 405, 413, 415, 422})
"""Refusals that the same request meets again; 401 is not one, for the token may be another."""

MOST_ATTEMPTS = 5
SHORTEST_PAUSE = 0.1
PATIENCE = 20.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a client should not do, and the numbers of the requests in which it did."""

    name: str
    sentence: str
    requests: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "sentence": self.sentence, "requests": list(self.requests)}


def judge(entries: Sequence[Asked], accepted: Iterable[str] = (), patience: float = PATIENCE) -> list[Finding]:
    """What there is to say against the client that sent ``entries``; an empty list says nothing of what was not tried.

    ``accepted`` are the texts that it handed on as whole answers; it should not have waited for more than ``patience`` seconds.
    """
    taken = {text.strip() for text in accepted}
    groups = [*_attempts(entries)]
    manners = [finding for attempts in groups for finding in _judge(attempts)]
    return manners + [finding for attempts in groups for finding in _judge_accepted(attempts, taken, patience)]


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
    return entry.ending in (CUT, ERROR) or (entry.status is not None and entry.status >= 400)


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


def _judge_accepted(attempts: list[Asked], taken: set[str], patience: float) -> Iterator[Finding]:
    """What the client took that it should not have. When a later attempt was answered, a text may be that one's: nothing is said."""
    entry = attempts[-1]
    if not any(text.strip() in taken for text in entry.sent):
        return
    if entry.ending == CUT:
        yield Finding("cut-stream-accepted", "Took an answer that was cut off for a whole one", (entry.number,))
    elif entry.ending == ERROR:
        yield Finding("error-event-ignored", "Took what came before an error event for a whole answer", (entry.number,))
    elif entry.pause > patience:
        sentence = f"Waited for {entry.pause:.0f} s while nothing came, and should have given up after {patience:g} s"
        yield Finding("no-read-time-out", sentence, (entry.number,))
