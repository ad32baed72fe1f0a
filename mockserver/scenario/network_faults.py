"""What goes wrong around a server that keeps the contract: busy, slow, cut off, or allowed and yet hard to read.

No statement is broken by these; they are for clients. Errors come instead of an answer, the rest on its way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from mockserver.errors import ApiError, GenerationError, ToldError
from mockserver.messages import Reply, Request
from mockserver.scenario.alter import fault, frames, is_stream
from mockserver.scenario.seams import Fault, Frames, Hooks, Objects
from mockserver.wire.sse import split_frame

GOOD = 3
"""Events of a stream that come before it goes wrong."""

SLOW = 5.0
STALLED = 30.0
STALLED_SHORT = 3.0
"""Seconds."""

JOINED = 3
PROMISED = 1 << 30


class CutOffError(ConnectionError):
    """Raised under the server's hands, so that it drops the connection."""


class ResetError(CutOffError, ConnectionResetError):
    """As CutOffError, and the other side is to be told so with a reset."""


def _instead(status: int, message: str, error_type: str | None = None, **headers: str) -> Hooks:
    """An error in the place of the answer."""

    def on_request(_: Request) -> Request:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        raise ToldError(message, status=status, error_type=error_type, headers=named)

    return Hooks(on_request=on_request)


def _fails(objects: Objects, _: Request) -> Objects:
    for count, event in enumerate(objects):
        if count == GOOD:
            raise _failure()
        yield event


def _failure() -> ApiError:
    return GenerationError("CANCELLED")


def _cut_stream(error: type[CutOffError]) -> Callable[[Frames, Request], Frames]:
    """The first events of a stream, and then the end of the connection."""

    def cut(stream: Frames, _: Request) -> Frames:
        yield from islice(stream, GOOD)
        raise error("a fault ends the connection here")

    return cut


def _more_promised(answer: Reply) -> Reply:
    """granian ends a stream that breaks off as it ends any other, unless more bytes were promised."""
    if not is_stream(answer):
        return answer
    return replace(answer, headers=(*answer.headers, ("content-length", str(PROMISED))))


def _cut_reply(answer: Reply, share: float, error: type[CutOffError]) -> Reply:
    """A body that ends after ``share`` of what its length promises."""
    body = answer.body
    if not isinstance(body, bytes):
        return answer

    def cut() -> Iterator[bytes]:
        yield body[: int(len(body) * share)]
        raise error("a fault ends the connection here")

    return replace(answer, headers=(*answer.headers, ("content-length", str(len(body)))), body=cut())


def _slow(deadlines: Iterator[float]) -> Iterator[float]:
    return (due + SLOW for due in deadlines)


def _stalled(seconds: float) -> Hooks:
    """Stands still once, in the midst of the tokens."""
    return Hooks(
        on_deadlines=lambda deadlines: (due + (seconds if place >= GOOD else 0.0) for place, due in enumerate(deadlines))
    )


def _split(stream: Frames) -> Frames:
    """Each event in two writes: inside a character where one has several bytes, else in the middle of the JSON."""
    for piece in stream:
        field, event = split_frame(piece)
        data = field + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"
        wide = next((place for place, byte in enumerate(data) if byte & 0xC0 == 0x80), len(data) // 2)
        yield data[:wide]
        yield data[wide:]


def _joined(stream: Frames) -> Frames:
    held: list[bytes] = []
    for piece in stream:
        held.append(piece)
        if len(held) == JOINED:
            yield b"".join(held)
            held.clear()
    if held:
        yield b"".join(held)


def _with_comments(stream: Frames) -> Frames:
    for piece in stream:
        yield b": still here\n\n"
        yield piece


def _crlf(stream: Frames) -> Frames:
    return (piece.replace(b"\n", b"\r\n") for piece in stream)


def _byte_by_byte(stream: Frames) -> Frames:
    return (bytes([byte]) for piece in stream for byte in piece)


BUSY = "Model is overloaded"
LIMIT = "Rate limit reached"

NETWORK_FAULTS: tuple[Fault, ...] = (
    fault("http-429", "", "Answers 429 and does not say when to come again.", _instead(429, LIMIT)),
    fault("http-429-retry-after", "", "Answers 429 with Retry-After: 1.", _instead(429, LIMIT, retry_after="1")),
    fault("http-500", "", "Answers 500.", _instead(500, "Internal error", "internal")),
    fault(
        "http-500-retry-after",
        "",
        "Answers 500 with Retry-After: 1.",
        _instead(500, "Internal error", "internal", retry_after="1"),
    ),
    fault("http-503", "", "Answers 503 and does not say when to come again.", _instead(503, BUSY, "overloaded")),
    fault("http-503-retry-after", "", "Answers 503 with Retry-After: 1.", _instead(503, BUSY, "overloaded", retry_after="1")),
    fault(
        "stream-error", "", f"Fails after {GOOD} events of a stream, with an error as its last event.", Hooks(on_events=_fails)
    ),
    fault(
        "stream-cut-off",
        "",
        f"Drops the connection after {GOOD} events of a stream.",
        Hooks(on_frames=_cut_stream(CutOffError), on_answer=_more_promised),
    ),
    fault(
        "reply-cut-off",
        "",
        "Drops the connection in the middle of a reply without stream.",
        Hooks(on_answer=lambda answer: _cut_reply(answer, 0.5, CutOffError)),
    ),
    fault(
        "connection-reset",
        "",
        f"Resets the connection: after {GOOD} events of a stream, before the body of any other reply.",
        Hooks(on_frames=_cut_stream(ResetError), on_answer=lambda answer: _cut_reply(_more_promised(answer), 0.0, ResetError)),
    ),
    fault("slow-first-token", "", f"Begins {SLOW:g} seconds late.", Hooks(on_deadlines=_slow)),
    fault("stall", "", f"Stands still for {STALLED:g} seconds after {GOOD} tokens.", _stalled(STALLED)),
    fault("stall-short", "", f"Stands still for {STALLED_SHORT:g} seconds after {GOOD} tokens.", _stalled(STALLED_SHORT)),
    fault("frames-split", "", "Writes each event in two pieces, cut inside a character or the JSON.", frames(_split)),
    fault("frames-joined", "", f"Writes {JOINED} events at a time.", frames(_joined)),
    fault("frames-byte-by-byte", "", "Writes a stream byte by byte.", frames(_byte_by_byte)),
    fault("frames-comments", "", "Writes a comment before each event.", frames(_with_comments)),
    fault("frames-crlf", "", "Ends lines of a stream with CR LF.", frames(_crlf)),
)
