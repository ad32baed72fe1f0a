"""Tokens come when they are due, by a clock on which nothing waits."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from mockserver import Config, VirtualClock, create_app
from mockserver.messages import Request
from mockserver.paces import PACES
from mockserver.scenario.pacing import Pacing

REQUEST = Request("m", "a prompt")


def due(count: int, request: Request = REQUEST, **settings: Any) -> list[float]:
    return [round(moment, 6) for moment in islice(Pacing(**settings).deadlines(request), count)]


def arrivals(payload: dict[str, Any], **settings: Any) -> list[float]:
    """When each piece of the reply came."""
    clock = VirtualClock()
    client = create_app(Config(**settings), clock=clock).test_client()
    response = client.post("/", json=payload, buffered=False)
    return [round(clock.now(), 6) for _ in response.iter_encoded()]


def test_the_first_token_is_due_after_ttft_and_the_others_itl_apart() -> None:
    assert [0.3, 0.32, 0.34] == due(3, ttft=300, itl=20)


def test_jitter_does_not_add_up() -> None:
    even, late = due(1000, itl=10), due(1000, itl=10, jitter=4)

    assert max(abs(one - other) for one, other in zip(even, late, strict=True)) <= 0.004


def test_jitter_moves_tokens_both_ways() -> None:
    moved = [late - even for even, late in zip(due(100, itl=10), due(100, itl=10, jitter=4), strict=True)]

    assert min(moved) < -0.002
    assert max(moved) > 0.002


def test_no_token_is_due_before_the_one_that_precedes_it() -> None:
    moments = due(1000, itl=1, jitter=50)

    assert moments == sorted(moments)
    assert moments[0] >= 0


def test_the_same_seed_gives_the_same_jitter() -> None:
    assert due(50, itl=10, jitter=4, seed=3) == due(50, itl=10, jitter=4, seed=3)
    assert due(50, itl=10, jitter=4, seed=3) != due(50, itl=10, jitter=4, seed=4)


def test_another_prompt_has_another_jitter() -> None:
    assert due(50, jitter=4, itl=10) != due(50, Request("m", "another"), jitter=4, itl=10)


def test_the_events_of_a_stream_arrive_one_by_one() -> None:
    payload = {"inputs": "hi", "stream": True, "parameters": {"max_new_tokens": 4}}

    assert [0.1, 0.12, 0.14, 0.16] == arrivals(payload, ttft=100, itl=20)


def test_a_plain_reply_takes_the_sum() -> None:
    assert [0.16] == arrivals({"inputs": "hi", "parameters": {"max_new_tokens": 4}}, ttft=100, itl=20)


def test_the_sequences_of_best_of_are_made_at_the_same_time() -> None:
    parameters = {"max_new_tokens": 4, "best_of": 2, "do_sample": True}

    assert arrivals({"inputs": "hi", "parameters": parameters}, ttft=100, itl=20)[-1] <= 0.16


def test_a_refusal_does_not_wait() -> None:
    assert [0.0] == arrivals({"inputs": 1}, ttft=100, itl=20)


def test_pacing_does_not_change_a_byte() -> None:
    payload = {"inputs": "hi", "stream": True, "parameters": {"max_new_tokens": 4, "details": True}}
    paced = create_app(Config(ttft=100, itl=20), clock=VirtualClock()).test_client().post("/", json=payload)

    assert create_app(Config()).test_client().post("/", json=payload).data == paced.data


def test_the_fault_that_sends_all_at_once_does_so_when_the_last_token_is_due() -> None:
    payload = {"inputs": "hi", "stream": True, "parameters": {"max_new_tokens": 4}}

    assert [0.16] == arrivals(payload, ttft=100, itl=20, faults=("stream-all-at-once",))


def test_each_token_of_the_prompt_takes_its_time() -> None:
    assert [0.13, 0.15] == [round(moment, 6) for moment in islice(Pacing(ttft=100, prefill=10, itl=20).deadlines(REQUEST, 3), 2)]


def test_a_longer_prompt_is_answered_later() -> None:
    short, long = ({"inputs": "hi" * count, "parameters": {"max_new_tokens": 1}} for count in (1, 200))
    client = create_app(Config()).test_client()
    counts = [len(client.post("/tokenize", json=payload).get_json()) for payload in (short, long)]

    assert [[count / 100] for count in counts] == [arrivals(payload, prefill=10) for payload in (short, long)]


def test_a_named_pace_may_be_altered() -> None:
    assert Config(pace="laptop").timing.itl == 90
    assert Config(pace="laptop", itl=5).timing == replace(PACES["laptop"], itl=5)
    assert Config(pace="laptop", jitter=0).timing.jitter == 0


@pytest.mark.parametrize("name", [*PACES])
def test_each_pace_can_be_served(name: str) -> None:
    payload = {"inputs": "hi", "stream": True, "parameters": {"max_new_tokens": 3}}
    moments = arrivals(payload, pace=name)

    assert moments == sorted(moments)
    assert (moments[-1] == 0) == (name == "instant")
    assert Config(pace=name).paced == (name != "instant")


def test_an_unknown_pace_is_named() -> None:
    with pytest.raises(ValueError, match="unknown pace 'warp': known are instant, gpu"):
        Config(pace="warp")


@pytest.mark.parametrize("name", ["ttft", "prefill", "itl", "jitter"])
def test_times_are_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match="milliseconds, from 0 to"):
        Config(**{name: -1.0})
