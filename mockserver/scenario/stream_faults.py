"""Faults in a stream: its bytes, its order, its events, and that it is another generation than the plain reply."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from mockserver.messages import Reply, Request
from mockserver.scenario.alter import Json, events, fault, frames, is_stream, last_event, with_content_type, without
from mockserver.scenario.seams import Fault, Frames, Hooks, Objects
from mockserver.wire.sse import split_frame

LONG = 16
HELD_BACK = 0.6
"""The exact engine is so fast that nobody could tell: a stream of ``LONG`` events is held back for these seconds."""


def _index(change: Callable[[int], Any]) -> Hooks:
    return events(lambda event, _: {**event, "index": change(event["index"])})


def _growing_text(objects: Objects, _: Request) -> Objects:
    text = ""
    for event in objects:
        text += "" if event["token"]["special"] else event["token"]["text"]
        yield {**event, "generated_text": event["generated_text"] or text}


def _details_on_each(objects: Objects, request: Request) -> Objects:
    for event in objects:
        seen = {"finish_reason": "length", "generated_tokens": event["index"], "seed": request.parameters.seed, "input_length": 1}
        yield {**event, "details": event["details"] or seen} if request.parameters.details else event


def _details_unasked(objects: Objects, request: Request) -> Objects:
    for event in objects:
        last = event["generated_text"] is not None
        seen = {"finish_reason": "length", "generated_tokens": event["index"], "seed": request.parameters.seed, "input_length": 1}
        yield {**event, "details": seen} if last and event["details"] is None else event


def _last_details(change: Callable[[Json], Any]) -> Hooks:
    return events(lambda event, _: {**event, "details": change(event["details"])} if event["details"] else event)


def _louder(event: Json, _: Request) -> Json:
    token = event["token"]
    if token["special"]:
        return {**event, "generated_text": event["generated_text"] + "!"}
    return {**event, "token": {**token, "text": token["text"] + "!"}, "generated_text": event["generated_text"] + "!"}


def _last_top_token_lower(event: Json, _: Request) -> Json:
    top = event.get("top_tokens")
    if not top or top[-1]["id"] == event["token"]["id"]:
        return event
    return {**event, "top_tokens": [*top[:-1], {**top[-1], "logprob": top[-1]["logprob"] - 0.125}]}


# ---------------------------------------------------------------- bytes


def _done(stream: Frames) -> Frames:
    yield from stream
    yield b"data: [DONE]\n\n"


def _not_json(stream: Frames) -> Frames:
    yield b"data: hello\n\n"
    yield from stream


def _each_last(stream: Frames, change: Callable[[bytes], Iterator[bytes]]) -> Frames:
    """``change`` sees the last frame only."""
    held = None
    for piece in stream:
        if held is not None:
            yield held
        held = piece
    if held is not None:
        yield from change(held)


def _unescaped(stream: Frames) -> Frames:
    for piece in stream:
        field, event = split_frame(piece)
        yield field + json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def _all_at_once(stream: Frames) -> Frames:
    pieces = list(stream)
    if len(pieces) >= LONG:
        time.sleep(HELD_BACK)
    yield b"".join(pieces)


def _after_the_last(piece: bytes) -> Iterator[bytes]:
    yield piece
    field, event = split_frame(piece)
    if "token" in event:
        more = {**event, "index": event["index"] + 1, "generated_text": None, "details": None}
        yield field + json.dumps(more, separators=(",", ":")).encode() + b"\n\n"


def _as_plain_text(answer: Reply) -> Reply:
    return with_content_type(answer, "text/plain; charset=utf-8") if is_stream(answer) else answer


STREAM_FAULTS: tuple[Fault, ...] = (
    fault(
        "stream-as-json",
        "stream.content-type",
        "Answers a request for a stream with a plain reply.",
        Hooks(
            on_request=lambda request: replace(request, stream=False),
        ),
    ),
    fault("stream-text-plain", "stream.content-type", "Calls its stream text/plain.", Hooks(on_answer=_as_plain_text)),
    fault(
        "stream-last-blank-line-missing",
        "stream.framing",
        "Ends the last event without a blank line.",
        frames(
            lambda stream: _each_last(stream, lambda piece: iter([piece.removesuffix(b"\n")])),
        ),
    ),
    fault(
        "stream-blank-lines-missing",
        "stream.framing",
        "Writes no blank line between events.",
        frames(
            lambda stream: (piece.removesuffix(b"\n") for piece in stream),
        ),
    ),
    fault(
        "stream-line-separators",
        "stream.line-separators",
        "Writes characters outside ASCII unescaped, U+2028 too.",
        frames(_unescaped),
    ),
    fault(
        "stream-data-folded",
        "stream.one-line",
        "Writes the data of an event over several lines.",
        frames(lambda stream: (piece.replace(b',"logprob"', b',\ndata: "logprob"') for piece in stream)),
    ),
    fault("stream-done-sentinel", "stream.events", "Ends its streams with [DONE].", frames(_done)),
    fault("stream-not-json", "stream.events", "Begins its streams with an event that is no JSON.", frames(_not_json)),
    fault(
        "stream-name-twice",
        "stream.events",
        "Writes `index` twice in each event.",
        frames(lambda stream: (piece.replace(b'"index":', b'"index":0,"index":', 1) for piece in stream)),
    ),
    fault(
        "stream-event-after-last",
        "stream.events",
        "Sends one more event after the last.",
        frames(
            lambda stream: _each_last(stream, _after_the_last),
        ),
    ),
    fault(
        "stream-cut",
        "stream.complete",
        "Never sends the last event.",
        frames(lambda stream: _each_last(stream, lambda _: iter([]))),
    ),
    fault(
        "stream-text-missing",
        "stream.complete",
        "Leaves `generated_text` null on the last event too.",
        last_event(
            lambda event, _: {**event, "generated_text": None},
        ),
    ),
    fault(
        "stream-all-at-once",
        "stream.incremental",
        "Sends the whole stream in one piece at its end, a long one late.",
        frames(_all_at_once),
    ),
    fault(
        "stream-details-as-list",
        "stream.details.type",
        "Wraps the details into a list of one.",
        _last_details(lambda inner: [inner]),
    ),
    fault(
        "stream-details-missing",
        "stream.details.last",
        "Sends no details, asked or not.",
        events(
            lambda event, _: {**event, "details": None},
        ),
    ),
    fault("stream-details-on-each", "stream.details.last", "Sends details with each event.", Hooks(on_events=_details_on_each)),
    fault(
        "stream-details-unasked", "stream.details.absent", "Sends details without being asked.", Hooks(on_events=_details_unasked)
    ),
    fault(
        "stream-input-length-missing",
        "stream.details.input_length",
        "Leaves out `input_length`.",
        _last_details(
            lambda inner: without(inner, "input_length"),
        ),
    ),
    fault(
        "stream-text-on-each",
        "stream.generated_text.last",
        "Sends the text so far with each event.",
        Hooks(on_events=_growing_text),
    ),
    fault("stream-index-as-string", "stream.index.type", "Writes `index` as a string.", _index(str)),
    fault("stream-index-from-0", "stream.index.counts", "Counts events from 0.", _index(lambda index: index - 1)),
    fault("stream-index-repeats", "stream.index.counts", "Gives each `index` twice.", _index(lambda index: (index + 1) // 2)),
    fault("stream-index-gap", "stream.index.counts", "Leaves out the `index` 2.", _index(lambda index: index + (index > 1))),
    fault(
        "stream-token-incomplete",
        "stream.token.type",
        "Leaves `id` out of the tokens of a stream.",
        events(
            lambda event, _: {**event, "token": without(event["token"], "id")},
        ),
    ),
    fault(
        "stream-top-tokens-nested",
        "stream.top_tokens.type",
        "Nests `top_tokens` of a stream as in a plain reply.",
        events(
            lambda event, _: {**event, "top_tokens": [event["top_tokens"]]} if "top_tokens" in event else event,
        ),
    ),
    fault("stream-text-differs", "stream.same-text", "Ends the text of a stream with an exclamation mark.", last_event(_louder)),
    fault(
        "stream-ids-differ",
        "stream.same-tokens",
        "Counts the ids of a stream's tokens from 1.",
        events(
            lambda event, _: {**event, "token": {**event["token"], "id": event["token"]["id"] + 1}},
        ),
    ),
    fault(
        "stream-logprobs-differ",
        "stream.same-logprobs",
        "Reports lower logprobs in a stream.",
        events(
            lambda event, _: {**event, "token": {**event["token"], "logprob": event["token"]["logprob"] - 0.5}},
        ),
    ),
    fault(
        "stream-top-tokens-differ",
        "stream.same-top-tokens",
        "Reports another logprob for the last candidate in a stream.",
        events(
            _last_top_token_lower,
        ),
    ),
    fault(
        "stream-seed-missing",
        "stream.same-details",
        "Reports no seed in a stream.",
        _last_details(lambda inner: {**inner, "seed": None}),
    ),
)
