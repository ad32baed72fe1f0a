"""Recorded exchanges -> evidence: what each request can be held to, and which of them belong together. Sends nothing.

A recording does not say what a request was for.
So each is put to the documented schema: a right request is judged as such, one with a fault that nobody could mean well must be
refused, and of any other only the manner of its refusal is judged.
What is no request of this API at all is left out, and counted: another task's, or one whose body was not written down.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from contract_tests import strategies
from contract_tests.evidence import Evidence
from contract_tests.exchange import LEFT, RECORDED, Case, Exchange
from contract_tests.observation import Asked, Observation

OPEN_TWINS = 500
"""Requests whose twin is waited for at a time; the oldest is let go, so that memory does not grow with the record."""


@dataclass(frozen=True, slots=True)
class Judged:
    """How many exchanges there were, and how many of them were left out, why."""

    count: int
    bodiless: int = 0
    elsewhere: int = 0
    left: int = 0

    @property
    def sentence(self) -> str:
        """For people."""
        left_out = [
            (self.bodiless, "whose request has no body in the record"),
            (self.elsewhere, "of another API or task"),
            (self.left, "that the client left before the end"),
        ]
        words = [f"{count} {why}" for count, why in left_out if count]
        judged = self.count - sum(count for count, _ in left_out)
        return f"judged {judged} of {self.count} recorded exchanges" + (f"; left out: {', '.join(words)}" if words else "")


def judge_recordings(read: Callable[[], Iterable[Exchange]], evidence: Evidence) -> Judged:
    """Judge each exchange, then the twins among them. ``read`` gives the exchanges anew each time: they are gone through twice."""
    ours = {exchange.url for exchange in read() if exchange.case.about or "inputs" in Asked(exchange.case.payload).body}
    count = bodiless = elsewhere = left = 0
    twins = _Twins(evidence)
    for exchange in read():
        count += 1
        if exchange.case.unknown:
            bodiless += 1
        elif exchange.url not in ours or _is_another_task(exchange.case.payload):
            elsewhere += 1
        elif exchange.failure == LEFT:
            left += 1
        else:
            twins.add(evidence.observe(with_purpose(exchange)))
    return Judged(count, bodiless, elsewhere, left)


def _is_another_task(payload: Any) -> bool:
    """Lists of messages belong to chat completion (statement introduction.chat)."""
    return isinstance(payload, dict) and "messages" in payload and "inputs" not in payload


def with_purpose(exchange: Exchange) -> Exchange:
    """The exchange with what its request can be held to, unless the record says it."""
    case = exchange.case
    return exchange if case.about or case.faulty else replace(exchange, case=replace(case, **_purpose(case)))


def _purpose(case: Case) -> dict[str, Any]:
    if case.payload is None:
        return {"faulty": True}
    if strategies.is_valid(case.payload):
        return {"about": RECORDED}
    about, subject = strategies.hopeless(case.payload) or ("", "")
    return {"faulty": True, "about": about, "subject": subject}


class _Twins:
    """The same request plain, plain again and as a stream: related once the record shows that the endpoint repeats itself."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._open: OrderedDict[bytes, list[Observation]] = OrderedDict()

    def add(self, seen: Observation) -> None:
        if not seen.generated or not _repeats(seen.asked):
            return
        told = json.dumps([seen.exchange.url, {**seen.asked.body, "stream": None}], sort_keys=True)
        key = hashlib.blake2b(told.encode("utf-8", "surrogatepass")).digest()
        members = self._open.setdefault(key, [])
        self._open.move_to_end(key)
        # two plain ones, since whether the endpoint repeats itself is another clause's, and one stream
        if sum(member.asked.stream is seen.asked.stream for member in members) < (1 if seen.asked.stream else 2):
            members.append(seen)
        plain, streams = ([member for member in members if member.asked.stream is stream] for stream in (False, True))
        if len(plain) > 1 and streams:
            self._evidence.relate("twin", (plain[0], streams[0], plain[1]))
            members.clear()
        if len(self._open) > OPEN_TWINS:
            self._open.popitem(last=False)


def _repeats(asked: Asked) -> bool:
    """Whether a server must answer the request the same way each time."""
    return asked.get("do_sample") is False or (asked.samples and asked.get("seed") is not None)
