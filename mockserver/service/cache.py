"""Replies that are given again: the same request, the same bytes. Decides nothing about a request but whether it was seen.

A stream is kept once it has come to its end by itself; one that a client left, or that failed, is not.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from hashlib import blake2b
from json import JSONEncoder
from typing import Any

from mockserver.messages import Grammar, Parameters, Reply, Request
from mockserver.store import Room

OF_A_STREAM = frozenset({"cache-control", "x-accel-buffering"})
"""Headers of a stream that comes event by event, and not of one that is given again in one piece (recorded hosted replies)."""

LARGEST = 262_144
"""Bytes of the largest reply that is kept."""

MOST = 512
"""Replies that are kept in memory; the oldest go first."""

BUCKETS = 4096
"""Counters of draws. Two requests that share one skip numbers, and none of them ever repeats one."""

_ERROR = re.compile(rb'data: ?\{"error"')
_ENCODER = JSONEncoder(sort_keys=True)

MARK = ("x-compute-type", "cache")
"""What tells a kept reply."""

OF_ONE_RUN = frozenset({"x-compute-type", "x-compute-characters", "x-request-id", "x-prompt-tokens", "x-generated-tokens", "x-total-time",
                        "x-validation-time", "x-queue-time", "x-inference-time", "x-time-per-token"})  # fmt: skip
"""Headers that tell of one generation, and are not kept (recorded hosted replies)."""


class ReplyCache:
    """The replies of one server. ``identity`` is what else a reply depends on: the version, the limits, the seed.

    ``whole``: a stream is given again in one piece, as the hosted API does, not event by event.
    """

    def __init__(self, identity: str, replies: Room, draws: Room, *, whole: bool = False) -> None:
        self._identity = _digest(identity)
        self._whole = whole
        self._replies = replies
        self._draws = draws

    def key(self, request: Request, form: str = "") -> str:
        """What makes two requests identical: all that the model is asked, and the form of the reply; no header."""
        asked = _fields(request) | {"use_cache": True, "wait_for_model": False, "draw": 0}
        asked["parameters"] = parameters = _fields(request.parameters)
        if request.parameters.grammar is not None:
            parameters["grammar"] = _fields(request.parameters.grammar)
        return _digest(_ENCODER.encode([self._identity, form, asked]))

    def find(self, key: str) -> Reply | None:
        """The reply that was given to this request before, marked as kept."""
        kept = self._replies.get(key)
        if kept is None:
            return None
        headers, frames = kept  # tuples as they were put, but lists where Redis gives them back
        body = b"".join(frames) if self._whole or len(frames) == 1 else (frame for frame in frames)
        return Reply(200, headers if isinstance(headers, tuple) else tuple(map(tuple, headers)), body)

    def keep(self, key: str, reply: Reply) -> Reply:
        """``reply`` as it is to be sent: kept at once when it is whole, at its end when it is a stream."""
        if reply.status != 200:
            return reply
        if isinstance(reply.body, bytes):
            self._put(key, reply, [reply.body])
            return reply
        return replace(reply, body=self._keep_frames(key, reply, reply.body))

    def next_draw(self, key: str) -> int:
        """A number for a new draw of the same request: 1, 2 and so on, though some may be left out."""
        return self._draws.count(f"{int(key, 16) % BUCKETS}")

    def clear(self) -> None:
        self._replies.clear()

    def _keep_frames(self, key: str, reply: Reply, frames: Iterator[bytes]) -> Iterator[bytes]:
        kept: list[bytes] = []
        size = 0
        with closing(frames) if isinstance(frames, Generator) else nullcontext():  # a client that leaves ends the generation
            for frame in frames:
                size += len(frame)
                if size <= LARGEST:
                    kept.append(frame)
                yield frame
        if size <= LARGEST and kept and not _ERROR.match(kept[-1]):
            self._put(key, reply, kept)

    def _put(self, key: str, reply: Reply, frames: list[bytes]) -> None:
        if sum(map(len, frames)) <= LARGEST:
            left_out = OF_ONE_RUN | OF_A_STREAM if self._whole else OF_ONE_RUN
            self._replies.put(key, ((*(header for header in reply.headers if header[0] not in left_out), MARK), frames))


def _fields(message: Request | Parameters | Grammar) -> dict[str, Any]:
    """As ``dataclasses.asdict``, but of one level, and without a copy of what cannot change."""
    return {name: getattr(message, name) for name in message.__slots__}


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
