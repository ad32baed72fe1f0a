"""A real server's answers are written down as they pass, and given again without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from werkzeug.test import TestResponse

from mockserver import Config, TextgenMock, VirtualClock, create_app
from mockserver.config import ConfigError
from mockserver.errors import ToldError
from mockserver.scenario.cassette import CassetteError, Recorder

PLAIN: dict[str, Any] = {"inputs": "ping", "parameters": {"max_new_tokens": 3}}
STREAM: dict[str, Any] = {**PLAIN, "stream": True}
MODEL = "/models/google/gemma-2-2b-it"


def exchange(response: dict[str, Any], path: str = "/", body: Any = PLAIN) -> str:
    return json.dumps(
        {"request": {"method": "POST", "url": f"http://real.test{path}", "headers": {}, "body": body}, "response": response}
    )


def written(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines))
    return str(path)


def replay(file: str, payload: Any = PLAIN, path: str = "/", **settings: Any) -> TestResponse:
    return create_app(Config(replay=file, **settings)).test_client().post(path, json=payload)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "tape.jsonl"


# ---------------------------------------------------------------- record


@pytest.mark.parametrize("payload", [PLAIN, STREAM, {"inputs": 5}], ids=["plain", "stream", "refused"])
def test_what_passes_through_is_what_the_real_server_says(tape: Path, payload: dict[str, Any]) -> None:
    with TextgenMock() as real:
        client = create_app(Config(record=str(tape), upstream=real.url)).test_client()
        recorded, right = client.post(MODEL, json=payload), httpx.post(real.url + MODEL, json=payload)

    assert (right.status_code, right.content) == (recorded.status_code, recorded.data)
    assert right.headers["content-type"] == recorded.content_type


@pytest.mark.parametrize("payload", [PLAIN, STREAM, {"inputs": 5}], ids=["plain", "stream", "refused"])
def test_what_was_recorded_is_replayed_to_the_byte(tape: Path, payload: dict[str, Any]) -> None:
    with TextgenMock() as real:
        recorded = create_app(Config(record=str(tape), upstream=real.url)).test_client().post(MODEL, json=payload)
        expected = (recorded.status_code, recorded.content_type, recorded.data)
    again = replay(str(tape), payload, MODEL)

    assert expected == (again.status_code, again.content_type, again.data)


def test_a_token_is_passed_on_and_not_recorded(tape: Path) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={}, headers={"set-cookie": "a=hf_secret"})

    recorder = Recorder(tape, "http://real.test", VirtualClock(), transport=httpx.MockTransport(answer))
    recorder.answer("/", b"{}", {"authorization": "Bearer hf_secret"})
    recorder.close()

    assert ["Bearer hf_secret"] == seen
    assert "hf_secret" not in tape.read_text()


def test_our_own_headers_are_not_passed_on(tape: Path) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.extend(request.headers)
        return httpx.Response(200, json={})

    recorder = Recorder(tape, "http://real.test", VirtualClock(), transport=httpx.MockTransport(answer))
    recorder.answer("/", b"{}", {"x-mock-scope": "a", "x-use-cache": "false"})
    recorder.close()

    assert ("x-use-cache" in seen, "x-mock-scope" in seen) == (True, False)


def test_a_server_that_is_not_there_is_a_502(tape: Path) -> None:
    refused = create_app(Config(record=str(tape), upstream="http://127.0.0.1:1")).test_client().post("/", json=PLAIN)

    assert (502, "upstream") == (refused.status_code, refused.get_json()["error_type"])


def test_what_a_client_left_is_not_recorded(tape: Path) -> None:
    with TextgenMock() as real:
        client = create_app(Config(record=str(tape), upstream=real.url)).test_client()
        response = client.post("/", json=STREAM, buffered=False)
        next(iter(response.response))
        response.close()

    assert "" == tape.read_text()


def test_a_server_that_breaks_off_is_a_502_and_recorded_as_cut(tape: Path) -> None:
    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b'{"gen'
            raise httpx.ReadError("gone")

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Broken()))
    recorder = Recorder(tape, "http://real.test", VirtualClock(), transport=transport)
    with pytest.raises(ToldError, match="broke off: ReadError"):
        recorder.answer("/", b"{}", {})
    recorder.close()

    assert "ReadError" == json.loads(tape.read_text())["response"]["failure"]


# ---------------------------------------------------------------- replay


def test_a_body_may_be_recorded_whole(tape: Path) -> None:
    file = written(
        tape, exchange({"status": 200, "headers": {"content-type": "application/json"}, "body": {"generated_text": "a"}})
    )

    assert {"generated_text": "a"} == replay(file).get_json()


def test_the_nth_request_gets_the_nth_answer_and_then_the_last(tape: Path) -> None:
    client = create_app(Config(replay=written(tape, *(exchange({"status": 200, "body": text}) for text in "ab")))).test_client()

    assert ["a", "b", "b"] == [client.post("/", json=PLAIN).text for _ in range(3)]


def test_the_same_path_goes_first(tape: Path) -> None:
    file = written(tape, exchange({"status": 200, "body": "a"}, "/one"), exchange({"status": 200, "body": "b"}, MODEL))

    assert "b" == replay(file, path=MODEL).text


def test_the_order_of_keys_does_not_matter(tape: Path) -> None:
    body = {"parameters": {"max_new_tokens": 3}, "inputs": "ping"}

    assert "a" == replay(written(tape, exchange({"status": 200, "body": "a"}, body=body))).text


def test_what_was_not_recorded_is_an_error(tape: Path) -> None:
    refused = replay(written(tape, exchange({"status": 200, "body": "a"})), {"inputs": "other"})

    assert (404, "not_told") == (refused.status_code, refused.get_json()["error_type"])


@pytest.mark.parametrize(("timing", "expected"), [(False, [0.0, 0.0]), (True, [0.5, 2.0])])
def test_the_time_it_took_can_be_replayed(tape: Path, timing: bool, expected: list[float]) -> None:
    chunks = [{"at": 0.5, "data": "data: 1\n\n"}, {"at": 2.0, "data": {"base64": "ZGF0YTogMgoK"}}]
    file = written(tape, exchange({"status": 200, "headers": {"content-type": "text/event-stream"}, "chunks": chunks}))
    clock = VirtualClock()
    client = create_app(Config(replay=file, replay_timing=timing), clock=clock).test_client()

    assert expected == [clock.now() for _ in client.post("/", json=PLAIN, buffered=False).iter_encoded()]


def test_a_cut_exchange_is_not_replayed(tape: Path) -> None:
    file = written(tape, exchange({"status": 200, "body": "a", "failure": "cut"}), exchange({"status": 200, "body": "b"}))

    assert "b" == replay(file).text


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "no whole exchange is recorded"),
        (["{"], "tape.jsonl:1: it is no JSON"),
        ([exchange({"status": 200, "body": "a"}), "[]"], "tape.jsonl:2: it is no recorded exchange"),
        (["{}"], "tape.jsonl:1: it is no recorded exchange"),
        ([exchange({"status": 200})], "tape.jsonl:1: it is no recorded exchange"),
        ([exchange({"status": 200, "chunks": [{"data": "a"}]})], "tape.jsonl:1: it is no recorded exchange"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_line(tape: Path, lines: list[str], words: str) -> None:
    with pytest.raises(CassetteError, match=words):
        replay(written(tape, *lines))


@pytest.mark.parametrize(
    "settings",
    [
        {"record": "a"},
        {"upstream": "http://a"},
        {"record": "a", "upstream": "a"},
        {"record": "a", "upstream": "http://a", "replay": "b"},
        {"record": "a", "upstream": "http://a", "workers": 2},
    ],
    ids=str,
)
def test_settings_that_do_not_go_together(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"--record|--upstream"):
        Config(**settings)


@pytest.mark.parametrize(("payload", "words"), [(PLAIN, '"generated_text" is a required property'), (STREAM, "generated_text")])
def test_a_reply_that_breaks_the_contract_is_named_while_it_is_recorded(
    tape: Path, payload: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with TextgenMock(faults=("generated-text-renamed", "stream-text-missing")) as real:
        real_url = real.url
        client = create_app(Config(record=str(tape), upstream=real.url)).test_client()
        client.post(MODEL, json=payload).get_data()
        (asked,) = client.get("/_mock/requests").get_json()

    assert asked["note"].startswith("the recorded reply breaks the contract: ")
    assert words in asked["note"]
    (line,) = [record.getMessage() for record in caplog.records if record.name == "mockserver"]
    assert line.startswith(f"200 to {real_url}{MODEL} breaks the contract: ")
    assert line.endswith(f"(`textgen-contract judge {tape}` tells all)")


def test_a_reply_that_keeps_it_is_not(tape: Path, caplog: pytest.LogCaptureFixture) -> None:
    with TextgenMock() as real:
        client = create_app(Config(record=str(tape), upstream=real.url)).test_client()
        for payload in (PLAIN, STREAM, {"inputs": 5}):
            client.post(MODEL, json=payload).get_data()

    assert [None] * 3 == [asked["note"] for asked in client.get("/_mock/requests").get_json()]
    assert [] == [record for record in caplog.records if record.name == "mockserver"]
