"""A broken reply is named, a right one is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mockserver import Config, create_app
from mockserver.wire.reply_check import ReplyCheck

ASKED: dict[str, Any] = {"inputs": "a"}
JSON = "application/json"
STREAM = "text/event-stream"
TOKEN = {"id": 1, "text": "a", "logprob": -0.5, "special": False}


def event(**members: Any) -> bytes:
    return b"data: " + json.dumps({"index": 1, "token": TOKEN, **members}).encode() + b"\n\n"


def complaint(body: bytes, content_type: str = JSON, status: int = 200, dialect: str = "documented", **asked: Any) -> str:
    return ReplyCheck(dialect).complaint({**ASKED, **asked}, status, content_type, body)


@pytest.mark.parametrize("dialect", ["documented", "tgi", "hosted"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("parameters", [{"details": True, "top_n_tokens": 2}, {"top_p": 7}, {"max_new_tokens": "no"}])
def test_the_mock_itself_has_nothing_wrong(dialect: str, stream: bool, parameters: dict[str, Any]) -> None:
    asked = {"inputs": "One", "parameters": parameters, "stream": stream}
    told = create_app(Config(dialect=dialect)).test_client().post("/models/google/gemma-2-2b-it", json=asked)

    assert "" == ReplyCheck(dialect).complaint(asked, told.status_code, told.content_type, told.data)


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b'{"text": "a"}', JSON, 'the reply: "generated_text" is a required property'),
        (b'{"generated_text": 5}', JSON, 'the reply, `generated_text`: 5 is not of type "string"'),
        (b'[{"generated_text": "a"}]', JSON, 'is not of type "object"'),
        (b'{"generated_text": "a", "details": {"tokens": []}}', JSON, 'the reply, `details`: "finish_reason" is a required property'),
        (b"<html>", "text/html", "the media type of the reply is text/html, not application/json"),
        (b"<html>", JSON, "the reply is no JSON: "),
        (b'{"generated_text": "a"}', "", "the media type of the reply is missing"),
    ],
)
def test_a_broken_reply_is_named(body: bytes, content_type: str, words: str) -> None:
    assert words in complaint(body, content_type)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (event(), "the stream ends without an event that holds `generated_text`"),
        (event(generated_text="a").rstrip(), "the stream ends without an event"),
        (event(token={**TOKEN, "id": "1"}), 'event 1, `token.id`: "1" is not of type "integer"'),
        (event() + b"data: [DONE]\n\n", "event 2 is no JSON"),
        (event() + b'data: {"error": ""}\n\n', "event 2, `error`"),
        (b"", "the stream ends without"),
    ],
)
def test_a_broken_stream_is_named(body: bytes, words: str) -> None:
    assert words in complaint(body, STREAM, stream=True)


@pytest.mark.parametrize(
    "body",
    [
        event() + event(generated_text="a"),
        b": ping\n\n" + event(generated_text="a").replace(b"\n", b"\r\n"),
        event() + b'data: {"error": "no", "error_type": "generation"}\n\n',
    ],
)
def test_a_right_stream_is_not(body: bytes) -> None:
    assert "" == complaint(body, STREAM, stream=True)


def test_a_stream_that_does_not_come_is_named() -> None:
    assert "a stream was asked for, and application/json came" == complaint(b'{"generated_text": "a"}', stream=True)


def test_an_error_without_words_is_named_and_a_right_one_is_not() -> None:
    assert '"error" is a required property' in complaint(b'{"detail": "no"}', status=422)
    assert "" == complaint(b'{"error": "no"}', status=422)


def test_a_list_of_one_is_the_habit_of_some_dialects() -> None:
    assert "" == complaint(b'[{"generated_text": "a"}]', dialect="hosted")


@pytest.mark.parametrize("payload", [{"messages": []}, "text", None])
def test_what_is_no_request_of_this_api_is_not_judged(payload: Any) -> None:
    assert "" == ReplyCheck("documented").complaint(payload, 200, JSON, b"{}")
