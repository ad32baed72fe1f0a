"""What a client was really sent when its request was struck: the text, how it ended, and how long it stood still.

Written into the journal before the client can have read it, so that nobody who asks afterwards comes too early. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mockserver.errors import ApiError
from mockserver.messages import Reply
from mockserver.scenario.journal import Asked
from mockserver.scenario.pacing import Clock
from mockserver.wire.sse import EventReader
from mockserver.wire.strict_json import parse_json

WHOLE, CUT, ERROR = "whole", "cut", "error"
"""How an answer with status 200 ended: with all of it, before its end, or with an error event."""

Keep = Callable[[Asked], None]


def watch(reply: Reply, asked: Asked, clock: Clock, start: float, keep: Keep) -> Reply:
    """``reply`` to a request that came at ``start``; ``keep`` is called whenever its entry has changed after its status was told."""
    if reply.status != 200:
        return reply
    if isinstance(reply.body, bytes):
        asked.pause = clock.now() - start
        _note_whole(asked, reply.body)
        return reply
    is_stream = any(name == "content-type" and value.startswith("text/event-stream") for name, value in reply.headers)
    return replace(reply, body=_watched(reply.body, asked, clock, start, keep, is_stream=is_stream))


def _watched(
    pieces: Iterator[bytes], asked: Asked, clock: Clock, start: float, keep: Keep, *, is_stream: bool
) -> Iterator[bytes]:
    asked.ending, asked.sent = CUT, ("",)
    reader, body, last = EventReader(), bytearray(), start
    try:
        for piece in pieces:
            asked.pause = max(asked.pause, clock.now() - last)
            if is_stream:
                for data in reader.feed(piece):
                    _note_event(asked, data)
            else:
                body += piece
                _note_whole(asked, bytes(body))
            yield piece
            last = clock.now()
    finally:
        keep(asked)


def _note_event(asked: Asked, data: str) -> None:
    event = _parsed(data.encode())
    token, text = event.get("token"), event.get("generated_text")
    if isinstance(token, dict) and not token.get("special") and isinstance(token.get("text"), str):
        asked.sent = (asked.sent[0] + token["text"],)
    if isinstance(text, str):
        asked.ending, asked.sent = WHOLE, (asked.sent[0], text)
    elif "error" in event:
        asked.ending = ERROR


def _note_whole(asked: Asked, body: bytes) -> None:
    reply = _parsed(body)
    text = reply.get("generated_text")
    asked.ending, asked.sent = (WHOLE, (text,)) if isinstance(text, str) else (ERROR if "error" in reply else CUT, ())


def _parsed(data: bytes) -> dict[str, Any]:
    """The object that ``data`` is, taken out of a list of one; {} when it is none."""
    try:
        value = parse_json(data)
    except ApiError:
        return {}
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else {}
