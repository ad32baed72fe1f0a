"""What a server can see of a client's manners."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from mockserver import TextgenMock
from mockserver.scenario.journal import Asked
from mockserver.scenario.verdict import judge


def sent(*answers: tuple[float, int], retry_after: float | None = None, bodies: bytes = b"aaaaaaaaaa") -> list[str]:
    """What is said of requests at some times that met some statuses."""
    entries = [
        Asked(
            number=n, time=time, scope="", method="POST", path="/", raw_body=bytes([body]), status=status, retry_after=retry_after
        )
        for n, ((time, status), body) in enumerate(zip(answers, bodies, strict=False))
    ]
    return [finding.name for finding in judge(entries)]


def test_a_client_that_waits_as_told_is_well_behaved() -> None:
    assert [] == sent((0.0, 429), (1.0, 429), (2.1, 200), retry_after=1.0)


def test_one_that_does_not_wait_as_told_is_not() -> None:
    assert ["retry-after-ignored"] == sent((0.0, 429), (0.5, 200), retry_after=1.0)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_what_was_refused_for_good_is_not_to_be_sent_again(status: int) -> None:
    assert ["retried-in-vain"] == sent((0.0, status), (5.0, status))


def test_another_request_is_no_retry() -> None:
    assert [] == sent((0.0, 422), (0.0, 422), bodies=b"ab")


def test_the_same_request_after_an_answer_is_no_retry() -> None:
    assert [] == sent((0.0, 200), (0.0, 200), (0.0, 200))


def test_a_request_may_be_tried_five_times() -> None:
    assert [] == sent(*((2.0**n, 503) for n in range(5)))
    assert ["retry-storm"] == sent(*((2.0**n, 503) for n in range(6)))


def test_two_hasty_retries_are_no_back_off() -> None:
    assert ["no-back-off"] == sent((0.0, 503), (0.01, 503), (0.02, 503))
    assert [] == sent((0.0, 503), (0.2, 503), (0.6, 503))


def test_one_hasty_retry_may_be_chance() -> None:
    assert [] == sent((0.0, 503), (0.01, 200))


def test_the_fixture_tells_it(textgen_mock: TextgenMock) -> None:
    client = textgen_mock.app.test_client()
    textgen_mock.fault("http-503-retry-after", times=2)
    for _ in range(2):
        client.post("/", json={"inputs": "ping"})

    assert ["retry-after-ignored"] == [finding.name for finding in textgen_mock.verdict()]
    assert "retry-after-ignored" == client.get("/_mock/verdict").get_json()[0]["name"]


# ---------------------------------------------------------------- what only the client knows


def took(mock: TextgenMock, fault: str, *, reads_all: bool, times: int = 1) -> list[str]:
    """What is said of a client that takes whatever came (or raises) under a fault."""
    texts = []
    mock.fault(fault, times)
    try:
        with httpx.stream("POST", mock.url, json={"inputs": "The sea was", "stream": True}) as response:
            text = ""
            for line in response.iter_lines():
                event = json.loads(line[6:]) if line.startswith("data: ") else {}
                if reads_all and "error" in event:
                    raise RuntimeError(event["error"])
                text += event["token"]["text"] if "token" in event else ""
                finished = event.get("generated_text") is not None
            if reads_all and not finished:
                raise RuntimeError("the stream was cut")
            texts.append(text)
    except (httpx.HTTPError, RuntimeError):
        pass
    return [finding.name for finding in mock.verdict(texts)]


@pytest.mark.parametrize(("fault", "name"), [("stream-cut", "cut-stream-accepted"), ("stream-error", "error-event-ignored")])
def test_a_client_that_takes_whatever_came_is_told(textgen_mock: TextgenMock, fault: str, name: str) -> None:
    assert [name] == took(textgen_mock, fault, reads_all=False)


@pytest.mark.parametrize("fault", ["stream-cut", "stream-error", "stream-cut-off", "frames-crlf"])
def test_a_client_that_looks_is_not(textgen_mock: TextgenMock, fault: str) -> None:
    assert [] == took(textgen_mock, fault, reads_all=True)


def entry(number: int = 1, **settings: Any) -> Asked:
    return Asked(number=number, time=float(number), scope="", method="POST", path="/", raw_body=b"a", **{"status": 200, **settings})


def names(*entries: Asked, accepted: str, **settings: Any) -> list[str]:
    return [finding.name for finding in judge(entries, [accepted], **settings)]


def test_who_asks_again_after_a_cut_is_not_accused_of_the_text() -> None:
    cut = entry(1, ending="cut", sent=("a b",))

    assert ["cut-stream-accepted"] == names(cut, accepted=" a b ")
    assert [] == names(cut, entry(2), accepted="a b")
    assert [] == names(cut, accepted="a")


def test_who_waits_for_ever_is_told() -> None:
    stalled = entry(ending="whole", sent=("a", "a"), pause=30.0)

    assert ["no-read-time-out"] == names(stalled, accepted="a")
    assert [] == names(stalled, accepted="a", patience=60)
    assert [] == names(stalled, accepted="b")


def test_a_cut_stream_is_a_failed_attempt() -> None:
    hasty = [replace(entry(ending="cut"), number=number, time=number / 100) for number in range(6)]

    assert ["retry-storm", "no-back-off"] == [finding.name for finding in judge(hasty)]


def test_it_can_be_asked_over_http(textgen_mock: TextgenMock) -> None:
    client = textgen_mock.app.test_client()
    textgen_mock.fault("stream-cut")
    client.post("/", json={"inputs": "The sea was", "stream": True}).get_data()
    text = textgen_mock.requests[0].sent[0]

    assert [] == client.get("/_mock/verdict").get_json()
    (finding,) = client.post("/_mock/verdict", json={"accepted": [text]}).get_json()
    assert "cut-stream-accepted" == finding["name"]
    for wrong in ({"accepted": "text"}, {"acepted": []}, {"patience": -1}, {"patience": "long"}):
        assert 400 == client.post("/_mock/verdict", json=wrong).status_code
