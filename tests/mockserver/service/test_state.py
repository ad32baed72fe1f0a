"""What is remembered, and what happens when Redis is not there."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockserver import Config, create_app
from mockserver.config import ConfigError
from mockserver.service.state import PAUSE, State, address_of
from mockserver.serving import reserve

NOBODY = "redis://:secret@127.0.0.1:1/0"


def test_memory_keeps_the_newest() -> None:
    state = State("a", most=3)
    for number in range(10):
        state.put(str(number), number)

    assert [state.get("0"), state.get("9")] == [None, 9]


def test_the_first_value_stays() -> None:
    state = State("a")

    assert [state.put_first("x", 1), state.put_first("x", 2), state.get("x")] == [1, 1, 1]


def test_counting_begins_at_one() -> None:
    state = State("a")

    assert [state.count("x"), state.count("x"), state.count("y")] == [1, 2, 1]


def test_forgotten_is_as_never_known() -> None:
    state = State("a")
    state.put("x", 1)
    state.forget("x")

    assert state.get("x") is None


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
    state = State("a", url=NOBODY, clock=lambda: now[0])
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


# ---------------------------------------------------------------- a real Redis


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("redis", reason="redis is not installed")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not on PATH")
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
    server = subprocess.Popen([program, "--port", str(port), "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL)
    import redis

    client = redis.Redis(port=port)
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    client.close()
    server.terminate()
    server.wait()


def test_two_workers_share_what_they_keep(redis_url: str) -> None:
    one, other = (create_app(Config(state=redis_url)).test_client() for _ in range(2))
    payload = {"inputs": "hi", "parameters": {"max_new_tokens": 4, "do_sample": True}}
    first = one.post("/", data=json.dumps(payload), content_type="application/json")
    again = other.post("/", data=json.dumps(payload), content_type="application/json")

    assert first.data == again.data
    assert again.headers["x-compute-type"] == "cache"


def test_two_workers_share_the_state_of_a_model(redis_url: str) -> None:
    one, other = (create_app(Config(state=redis_url, cold=30.0)).test_client() for _ in range(2))
    one.post("/", json={"inputs": "hi"})

    assert other.get("/_mock/models").json[0]["state"] == "loading"
