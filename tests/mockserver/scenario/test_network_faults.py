"""What is hard on clients: errors, slowness, cut streams, and event streams that are allowed and yet unusual."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from mockserver import Config, TextgenMock, VirtualClock, create_app
from mockserver.routed import answer_in_process
from mockserver.scenario.network_faults import NETWORK_FAULTS, CutOffError

PROMPT = "The sea was"
STREAM: dict[str, Any] = {"inputs": PROMPT, "stream": True, "parameters": {"max_new_tokens": 8}}


def ask(name: str, payload: dict[str, Any] = STREAM, **options: Any) -> TestResponse:
    return create_app(Config(faults=(name,))).test_client().post("/", json=payload, **options)


def pieces(name: str, payload: dict[str, Any] = STREAM) -> list[bytes]:
    return [*ask(name, payload, buffered=False).iter_encoded()]


def clean(payload: dict[str, Any] = STREAM) -> bytes:
    return create_app(Config()).test_client().post("/", json=payload).data


def arrivals(name: str) -> list[float]:
    clock = VirtualClock()
    response = create_app(Config(faults=(name,)), clock=clock).test_client().post("/", json=STREAM, buffered=False)
    return [clock.now() for _ in response.iter_encoded()]


@pytest.mark.parametrize(
    ("name", "status", "retry_after"),
    [
        ("http-429", 429, None),
        ("http-429-retry-after", 429, "1"),
        ("http-500", 500, None),
        ("http-500-retry-after", 500, "1"),
        ("http-503", 503, None),
        ("http-503-retry-after", 503, "1"),
    ],
)
def test_an_error_comes_instead(name: str, status: int, retry_after: str | None) -> None:
    refused = ask(name)

    assert (status, retry_after) == (refused.status_code, refused.headers.get("retry-after"))
    assert isinstance(refused.get_json()["error"], str)


def test_a_stream_fails_with_an_error_as_its_last_event() -> None:
    frames = [json.loads(frame.removeprefix("data: ")) for frame in ask("stream-error").text.split("\n\n")[:-1]]

    assert [1, 2, 3] == [frame["index"] for frame in frames[:-1]]
    assert "generation" == frames[-1]["error_type"]


def test_a_stream_is_cut_off_in_process() -> None:
    read = []
    with pytest.raises(CutOffError):
        read.extend(ask("stream-cut-off", buffered=False).iter_encoded())

    assert clean().startswith(b"".join(read))


def test_a_client_sees_that_a_stream_was_cut_off() -> None:
    with TextgenMock(faults=("stream-cut-off",)) as mock, httpx.stream("POST", mock.url, json=STREAM) as response:
        lines = response.iter_lines()
        read = [next(lines) for _ in range(6)]
        with pytest.raises(httpx.RemoteProtocolError):
            read.extend(lines)

    assert 3 == sum(line.startswith("data: ") for line in read)


def test_a_client_sees_that_a_reply_was_cut_off() -> None:
    with TextgenMock(faults=("reply-cut-off",)) as mock, pytest.raises(httpx.RemoteProtocolError):
        httpx.post(mock.url, json={"inputs": PROMPT})


@pytest.mark.parametrize(("payload", "count"), [(STREAM, 3), ({"inputs": PROMPT}, 0)])
def test_a_client_sees_that_the_connection_was_reset(payload: dict[str, Any], count: int) -> None:
    read: list[bytes] = []
    with TextgenMock(faults=("connection-reset",)) as mock, httpx.stream("POST", mock.url, json=payload) as response:
        pieces = response.iter_raw()
        with pytest.raises(httpx.ReadError, match="reset"):
            read.extend(pieces)

    assert count == b"".join(read).count(b"data: ")


@pytest.mark.parametrize(
    ("name", "error"),
    [("stream-cut-off", httpx.RemoteProtocolError), ("connection-reset", httpx.ReadError)],
)
def test_in_process_httpx_says_the_same(name: str, error: type[Exception]) -> None:
    transport = httpx.MockTransport(answer_in_process(create_app(Config(faults=(name,)))))
    with httpx.Client(transport=transport) as client, pytest.raises(error):
        client.post("http://mock/", json=STREAM)


def test_the_first_token_may_be_slow() -> None:
    assert [5.0] * 8 == arrivals("slow-first-token")


def test_a_stream_may_stall() -> None:
    assert [0.0] * 3 + [30.0] * 5 == arrivals("stall")
    assert [0.0] * 3 + [3.0] * 5 == arrivals("stall-short")


def test_events_may_be_split_inside_the_json() -> None:
    written = pieces("frames-split")

    assert 16 == len(written)
    assert not written[0].endswith(b"\n")
    assert [json.loads(frame[6:]) for frame in clean().split(b"\n\n")[:-1]] == [
        json.loads(frame[6:]) for frame in b"".join(written).split(b"\n\n")[:-1]
    ]


def test_events_may_be_split_inside_a_character() -> None:
    client = create_app(Config()).test_client()
    client.post("/_mock/scripts", json={"rules": [{"reply": {"text": "é", "fault": "frames-split"}}]})
    written = [*client.post("/", json=STREAM, buffered=False).iter_encoded()]

    assert any(piece.endswith("é".encode()[:1]) for piece in written)


def test_events_may_be_joined() -> None:
    assert [3, 3, 2] == [piece.count(b"data: ") for piece in pieces("frames-joined")]


def test_a_stream_may_come_byte_by_byte() -> None:
    written = pieces("frames-byte-by-byte")

    assert {1} == {len(piece) for piece in written}
    assert clean() == b"".join(written)


def test_comments_may_come_between() -> None:
    assert clean() == b"".join(piece for piece in pieces("frames-comments") if not piece.startswith(b":"))


def test_lines_may_end_with_cr_lf() -> None:
    assert clean().replace(b"\n", b"\r\n") == b"".join(pieces("frames-crlf"))


def test_a_plain_reply_is_not_touched_by_what_happens_to_streams() -> None:
    payload = {"inputs": PROMPT}
    names = [fault.name for fault in NETWORK_FAULTS if fault.name.startswith(("stream-", "frames-"))]

    assert {clean(payload)} == {ask(name, payload).data for name in names}


def test_the_page_of_told_answers_lists_them_all() -> None:
    page = Path(__file__).parents[3] / "docs" / "told-answers.md"
    if not page.is_file():
        pytest.skip("the documents are not here")

    listed = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert not {f"| `{fault.name}` | {fault.sentence} |" for fault in NETWORK_FAULTS} - {*listed}
