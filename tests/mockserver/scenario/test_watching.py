"""What a struck request was really sent stands in the journal."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from mockserver import TextgenMock, VirtualClock
from mockserver.scenario.journal import Asked

PLAIN: dict[str, Any] = {"inputs": "The sea was", "parameters": {"max_new_tokens": 8}}
STREAM: dict[str, Any] = {**PLAIN, "stream": True}


def asked(fault: str, payload: dict[str, Any] = STREAM) -> Asked:
    mock = TextgenMock(clock=VirtualClock())
    mock.fault(fault)
    response = mock.app.test_client().post("/", json=payload, buffered=False)
    with suppress(ConnectionError):
        list(response.iter_encoded())
    return mock.requests[0]


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        ("stream-cut-off", "cut"),
        ("stream-cut", "cut"),
        ("connection-reset", "cut"),
        ("stream-error", "error"),
        ("frames-split", "whole"),
        ("frames-crlf", "whole"),
        ("frames-joined", "whole"),
        ("frames-byte-by-byte", "whole"),
        ("stall", "whole"),
        ("http-500", None),
    ],
)
def test_how_a_stream_ended(fault: str, ending: str | None) -> None:
    assert ending == asked(fault).ending


@pytest.mark.parametrize(("fault", "ending"), [("stall", "whole"), ("reply-cut-off", "cut"), ("connection-reset", "cut")])
def test_how_a_plain_reply_ended(fault: str, ending: str) -> None:
    assert ending == asked(fault, PLAIN).ending


def test_the_text_is_that_of_what_came() -> None:
    whole = asked("frames-crlf")

    assert whole.sent == asked("stall").sent == (whole.sent[0], whole.sent[0])
    assert whole.sent[0].startswith(asked("stream-cut-off").sent[0])
    assert (whole.sent[0],) == asked("stall", PLAIN).sent


@pytest.mark.parametrize(
    ("fault", "payload", "seconds"),
    [("stall", STREAM, 30), ("stall", PLAIN, 30), ("slow-first-token", STREAM, 5), ("frames-crlf", STREAM, 0)],
)
def test_how_long_it_stood_still(fault: str, payload: dict[str, Any], seconds: float) -> None:
    assert seconds == asked(fault, payload).pause


def test_what_nothing_happened_to_is_not_watched() -> None:
    mock = TextgenMock()
    mock.app.test_client().post("/", json=STREAM).get_data()

    assert (None, ()) == (mock.requests[0].ending, mock.requests[0].sent)
