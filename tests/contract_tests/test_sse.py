"""The decoder follows the standard: one table of streams, each fed whole, byte by byte, and with a tail."""

from __future__ import annotations

import pytest

from contract_tests.sse import Decoder, StreamEvent, decode

# stream, data of its events; from the standard's own examples and from what real servers send
STREAMS: dict[str, tuple[bytes, list[str]]] = {
    "one event": (b"data: hello\n\n", ["hello"]),
    "no space": (b"data:hello\n\n", ["hello"]),
    "one space only is dropped": (b"data:  hello\n\n", [" hello"]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
    "CR": (b"data: a\r\rdata: b\r\r", ["a", "b"]),
    "mixed line ends": (b"data: a\r\n\ndata: b\r\n\r", ["a", "b"]),
    "several data lines": (b"data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
    "comments": (b": keep-alive\n\ndata: a\n\n:\n\n", ["a"]),
    "other fields": (b"event: message\nid: 7\nretry: 10\ndata: a\n\n", ["a"]),
    "an event without data is none": (b"event: ping\n\ndata: a\n\n", ["a"]),
    "empty data": (b"data\n\ndata:\n\n", ["", ""]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
    "outside ASCII": ("data: \u6f22\U0001f389\n\n".encode(), ["\u6f22\U0001f389"]),
    "U+2028 does not end a line": ("data: a\u2028b\u0085c\n\n".encode(), ["a\u2028b\u0085c"]),
    "nothing": (b"", []),
}


def told(decoder: Decoder) -> tuple[list[str], list[str]]:
    return [event.data for event in decoder.events], decoder.problems


@pytest.mark.parametrize(("stream", "events"), STREAMS.values(), ids=STREAMS)
def test_whole(stream: bytes, events: list[str]) -> None:
    assert (events, []) == told(decode([(0.0, stream)]))


@pytest.mark.parametrize(("stream", "events"), STREAMS.values(), ids=STREAMS)
def test_byte_by_byte(stream: bytes, events: list[str]) -> None:
    assert (events, []) == told(decode([(0.0, bytes([byte])) for byte in stream]))


@pytest.mark.parametrize(("stream", "events"), STREAMS.values(), ids=STREAMS)
def test_with_a_tail_that_is_never_closed(stream: bytes, events: list[str]) -> None:
    found, problems = told(decode([(0.0, stream), (0.0, b"data: tail\n")]))

    assert events == found
    assert ["the last event is not closed by an empty line: a client never sees it"] == problems


PROBLEMS = {
    "ends inside a line": (b"data: a\n\ndata: b", "the stream ends inside a line: 'data: b'"),
    "no field": (b'{"token": 1}\n\n', "a line that is no field of an event stream: '{\"token\": 1}'"),
    "not UTF-8": (b"data: \xff\n\n", "not UTF-8: 'data: \\\\xff'"),
}


@pytest.mark.parametrize(("stream", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_broken_stream_is_told_in_words(stream: bytes, problem: str) -> None:
    assert [problem] == decode([(0.0, stream)]).problems


def test_an_event_is_dated_by_the_bytes_that_complete_it() -> None:
    decoder = decode([(0.1, b"data: a\n"), (0.2, b"\ndata: b\n\n")])

    assert [StreamEvent("a", at=0.2), StreamEvent("b", at=0.2)] == decoder.events
