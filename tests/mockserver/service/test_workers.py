"""Several workers before one Redis: what they share, and what is left when it goes away."""

from __future__ import annotations

import http.client
import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient

from mockserver import Config, create_app
from mockserver.scenario.pacing import VirtualClock
from mockserver.store import PAUSE

MODEL = "/models/google/gemma-2-2b-it"
SAMPLED = {"inputs": "hi", "parameters": {"max_new_tokens": 6, "do_sample": True, "details": True}}
NEW_QUERY = {"x-use-cache": "false"}


def apps(**settings: Any) -> tuple[FlaskClient, FlaskClient]:
    """Two workers, as each process makes its own app."""
    return create_app(Config(**settings)).test_client(), create_app(Config(**settings)).test_client()


def seed_of(reply: Any) -> int:
    return int(reply.json["details"]["seed"])


# ---------------------------------------------------------------- two apps, one Redis


@pytest.mark.parametrize("dialect", ["documented", "hosted"])
@pytest.mark.parametrize("stream", [False, True])
def test_one_gives_what_the_other_has_kept(redis_server: Any, dialect: str, stream: bool) -> None:
    one, other = apps(state=redis_server.url, dialect=dialect)
    first = one.post(MODEL, json=SAMPLED | {"stream": stream}).data
    again = other.post(MODEL, json=SAMPLED | {"stream": stream})

    assert first == again.data
    assert "cache" == again.headers["x-compute-type"]


def test_no_draw_is_made_twice(redis_server: Any) -> None:
    one, other = apps(state=redis_server.url)
    seeds = [seed_of(worker.post(MODEL, json=SAMPLED, headers=NEW_QUERY)) for worker in (one, other) * 4]

    assert len(set(seeds)) == 8


def test_a_limit_counts_for_both(redis_server: Any) -> None:
    one, other = apps(state=redis_server.url, rate_limit="4/hour")

    assert [200] * 4 + [429] * 2 == [worker.post(MODEL, json=SAMPLED).status_code for worker in (one, other) * 3]


# ---------------------------------------------------------------- it goes away, and comes back


def test_requests_go_on_when_it_goes_away(redis_server: Any, caplog: pytest.LogCaptureFixture) -> None:
    one, _ = apps(state=redis_server.url)
    with caplog.at_level(logging.WARNING, "mockserver"):
        one.post(MODEL, json=SAMPLED)
        assert "" == caplog.text
        redis_server.stop()
        statuses = [one.post(MODEL, json=SAMPLED, headers=headers).status_code for headers in ({}, {}, NEW_QUERY)]

    assert [200, 200, 200] == statuses
    assert re.search(r"Redis at redis://127\.0\.0\.1:\d+/0 does not answer", caplog.text)


def test_what_it_held_is_made_anew(redis_server: Any) -> None:
    one, other = apps(state=redis_server.url)
    one.post(MODEL, json=SAMPLED)
    redis_server.stop()

    assert "x-compute-type" not in other.post(MODEL, json=SAMPLED).headers


def test_it_is_used_again_when_it_is_back(redis_server: Any) -> None:
    clock = VirtualClock()
    redis_server.stop()
    one, other = (create_app(Config(state=redis_server.url), clock=clock).test_client() for _ in range(2))
    one.post(MODEL, json=SAMPLED)
    redis_server.start()
    clock.sleep(PAUSE)
    first = one.post(MODEL, json=SAMPLED | {"inputs": "again"}).data

    again = other.post(MODEL, json=SAMPLED | {"inputs": "again"})
    assert first == again.data
    assert "cache" == again.headers["x-compute-type"]


def test_a_limit_is_kept_when_it_goes_away(redis_server: Any) -> None:
    one, _ = apps(state=redis_server.url, rate_limit="2/hour")
    redis_server.stop()

    assert [200, 200, 429] == [one.post(MODEL, json=SAMPLED).status_code for _ in range(3)]


# ---------------------------------------------------------------- two processes, as a user starts them


class Workers:
    """A running `textgen-mock serve --workers 2`; each request comes over a connection of its own, so that either may answer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.address = process.stdout.readline().removeprefix("listening on http://").strip()

    def post(self, **headers: str) -> tuple[int, Any, str | None]:
        """Status, body and `x-compute-type`."""
        with closing(http.client.HTTPConnection(self.address, timeout=20)) as connection:
            sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
            connection.request("POST", MODEL, json.dumps(SAMPLED), sent)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read()), reply.headers["x-compute-type"]


@contextmanager
def running(state: str, *options: str) -> Iterator[Workers]:
    command = (sys.executable, "-m", "mockserver", "serve", "--port", "0", "--state", state, *options)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield Workers(process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture
def workers(redis_server: Any, request: pytest.FixtureRequest) -> Iterator[Workers]:
    with running(redis_server.url, "--workers", "2", *getattr(request, "param", ())) as running_workers:
        yield running_workers


def test_workers_in_processes_give_the_same_reply_and_draw_nothing_twice(workers: Workers) -> None:
    kept = [workers.post() for _ in range(12)]
    drawn = [workers.post(x_use_cache="false") for _ in range(12)]

    assert 1 == len({json.dumps(body) for _, body, _ in kept})
    assert [None] + ["cache"] * 11 == [compute_type for _, _, compute_type in kept]
    assert 12 == len({body["details"]["seed"] for _, body, _ in drawn})


@pytest.mark.parametrize("workers", [("--rate-limit", "5/hour")], indirect=True)
def test_workers_in_processes_count_together(workers: Workers) -> None:
    assert [200] * 5 + [429] * 7 == sorted(workers.post()[0] for _ in range(12))


def test_workers_in_processes_go_on_without_it(workers: Workers, redis_server: Any) -> None:
    workers.post()
    redis_server.stop()
    statuses = {workers.post()[0] for _ in range(6)}
    workers.process.terminate()
    _, told = workers.process.communicate(timeout=30)

    assert {200} == statuses
    assert "does not answer" in told
    assert "Traceback" not in told


def held(state: str) -> int:
    """How many things lie in the Redis."""
    from redis import Redis

    with Redis.from_url(state) as redis:
        return len(redis.keys())


def test_one_worker_starts_without_it_and_takes_to_it_when_it_comes(redis_server: Any) -> None:
    redis_server.stop()
    with running(redis_server.url) as worker:
        without = [worker.post()[::2] for _ in range(2)]
        redis_server.start()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not held(redis_server.url):
            assert 200 == worker.post()[0]
        worker.process.terminate()
        _, told = worker.process.communicate(timeout=30)

    assert [(200, None), (200, "cache")] == without
    assert "going on without it" in told.splitlines()[0]
    assert "answers again" in told.splitlines()[-1]
