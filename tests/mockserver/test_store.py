"""What is remembered, and what happens when Redis is not there."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mockserver import Config, create_app
from mockserver.config import ConfigError
from mockserver.store import PAUSE, SAME, Store, address_of

NOBODY = "redis://:secret@127.0.0.1:1/0"


def test_memory_keeps_the_newest() -> None:
    state = Store().room("a", most=3)
    for number in range(10):
        state.put(str(number), number)

    assert [state.get("0"), state.get("9")] == [None, 9]


def test_the_first_value_stays() -> None:
    state = Store().room("a")

    assert [state.put_first("x", 1), state.put_first("x", 2), state.get("x")] == [1, 1, 1]


def test_counting_begins_at_one() -> None:
    state = Store().room("a")

    assert [state.count("x"), state.count("x"), state.count("y")] == [1, 2, 1]


def test_forgotten_is_as_never_known() -> None:
    state = Store().room("a")
    state.put("x", 1)
    state.forget("x")

    assert state.get("x") is None


def one_more(value: list[int] | None) -> tuple[list[int], int]:
    value = value or [0]
    return [value[0] + 1], value[0]


def test_a_step_takes_what_is_there_on() -> None:
    room = Store().room("a")

    assert [0, 1, [2]] == [room.change("x", one_more), room.change("x", one_more), room.get("x")]


def test_a_step_that_changes_nothing_leaves_nothing() -> None:
    room = Store().room("a")
    room.change("x", lambda value: (SAME, value))

    assert room.get("x") is None


def test_no_step_is_lost_between_threads_and_processes(redis_url: str) -> None:
    rooms = [Store(redis_url).room("a") for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        places = [*pool.map(lambda number: rooms[number % 4].change("x", one_more), range(100))]

    assert [*range(100)] == sorted(places)


@pytest.mark.parametrize("value", [7, [1, "two", b"\xff", None, 2.5], {"a": [True]}])
def test_plain_data_comes_back_from_redis(redis_url: str, value: Any) -> None:
    Store(redis_url).room("a").put("x", value)

    assert value == Store(redis_url).room("a").get("x")


def test_what_lies_in_redis_is_never_run(redis_url: str) -> None:
    import pickle

    import redis

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (pytest.fail, ("it was run",))

    with redis.Redis.from_url(redis_url) as client:
        client.set("textgen-mock/a/x", b"!" + pickle.dumps(Trap()))

    assert Store(redis_url).room("a").get("x") is None


def test_an_address_is_shown_without_its_password() -> None:
    assert address_of("redis://user:secret@host:7/1") == "redis://host:7/1"


@pytest.mark.parametrize("url", ["", "127.0.0.1:6379", "http://127.0.0.1"])
def test_what_is_no_redis_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="the address of a Redis"):
        Config(state=url)


def test_the_state_stands_in_no_repr() -> None:
    assert "secret" not in repr(Config(state=NOBODY))


def test_a_redis_that_is_down_is_told_once_without_its_password(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("redis", reason="redis is not installed")
    now = [0.0]
    state = Store(NOBODY, clock=lambda: now[0]).room("a")
    with caplog.at_level(logging.WARNING, "mockserver"):
        state.put("x", 1)

        assert state.get("x") == 1
        assert [len(caplog.records), "secret" in caplog.text] == [1, False]
        now[0] = PAUSE
        state.get("x")
        assert len(caplog.records) == 2


def test_requests_go_on_without_redis() -> None:
    pytest.importorskip("redis", reason="redis is not installed")
    client = create_app(Config(state=NOBODY)).test_client()

    assert client.post("/", json={"inputs": "hi", "parameters": {"max_new_tokens": 2}}).status_code == 200
