"""Objects become frames."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from mockserver.errors import GenerationError
from mockserver.wire.sse import FIELDS, frame, frames, split_frame


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, b"data: {}\n\n"),
        ({"a": [1, None, True]}, b'data: {"a":[1,null,true]}\n\n'),
        ({"a": "x\ny\r"}, b'data: {"a":"x\\ny\\r"}\n\n'),
        ({"a": "\u2028\u2029\u0085\x0b\x1c"}, b'data: {"a":"\\u2028\\u2029\\u0085\\u000b\\u001c"}\n\n'),
        ({"a": "é🎉"}, b'data: {"a":"\\u00e9\\ud83c\\udf89"}\n\n'),
    ],
)
def test_a_frame_is_one_data_line_and_a_blank_line(event: Any, expected: bytes) -> None:
    assert frame(event) == expected


def test_frames_come_one_for_each_event() -> None:
    assert list(frames([{"a": 1}, {"a": 2}])) == [b'data: {"a":1}\n\n', b'data: {"a":2}\n\n']


def failing(error: Exception) -> Iterator[Any]:
    yield {"a": 1}
    raise error


def test_an_error_on_the_way_is_one_last_frame() -> None:
    assert list(frames(failing(GenerationError("no room")))) == [
        b'data: {"a":1}\n\n',
        b'data: {"error":"Request failed during generation: no room","error_type":"generation"}\n\n',
    ]


def test_what_nobody_expected_is_logged_and_told_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "mockserver"):
        *_, last = frames(failing(RuntimeError("secret")))

    assert b'"error_type":"internal"' in last
    assert b"secret" not in last
    assert "secret" in caplog.text


def test_closing_the_frames_closes_what_they_are_made_of() -> None:
    closed: list[bool] = []

    def endless() -> Iterator[Any]:
        try:
            while True:
                yield {}
        finally:
            closed.append(True)

    stream = frames(endless())
    next(stream)
    stream.close()

    assert closed == [True]


def test_old_frames_have_no_space() -> None:
    assert list(frames(failing(GenerationError("no room")), "tight")) == [
        b'data:{"a":1}\n\n',
        b'data:{"error":"Request failed during generation: no room","error_type":"generation"}\n\n',
    ]


@pytest.mark.parametrize("form", ["spaced", "tight"])
def test_a_frame_is_read_in_either_form(form: str) -> None:
    field, event = split_frame(frame({"a": "data: {"}, form))

    assert {"a": "data: {"} == event
    assert FIELDS[form].encode() == field
