"""So many requests at a time; the others wait in line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Barrier, Event, Lock
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from mockserver import Config, VirtualClock, create_app
from mockserver.scenario.pacing import SystemClock
from mockserver.scenario.slots import Slots

STREAM: dict[str, Any] = {"inputs": "hi", "stream": True, "parameters": {"max_new_tokens": 4}}


def stream(clock: VirtualClock, **settings: Any) -> Iterator[Iterator[float]]:
    """Of each request for a stream, all of which come now: when its events come. Nothing is read before it is asked for."""
    app = create_app(Config(**settings), clock=clock)
    while True:
        environ = EnvironBuilder("/", json=STREAM, method="POST").get_environ()
        yield _arrivals(clock, app.wsgi_app(environ, lambda *_: lambda _: None))


def _arrivals(clock: VirtualClock, body: Iterable[bytes]) -> Iterator[float]:
    return (round(clock.now(), 6) for _ in body)


def test_no_more_than_so_many_hold_a_slot() -> None:
    slots, lock, together = Slots(2, SystemClock()), Lock(), Barrier(8)
    inside, most = 0, 0

    def work(_: int) -> None:
        nonlocal inside, most
        together.wait()
        with slots.slot():
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    assert 1 <= most <= 2
    assert 0 == inside


def test_a_slot_is_given_back_when_its_holder_fails() -> None:
    slots = Slots(1, SystemClock())
    try:
        with slots.slot():
            raise ValueError
    except ValueError:
        pass

    with slots.slot() as turn:
        assert turn > 0


def test_who_came_first_is_served_first() -> None:
    slots, order = Slots(1, SystemClock()), list[int]()

    def work(number: int, standing: Event) -> None:
        standing.set()
        with slots.slot():
            order.append(number)

    with ThreadPoolExecutor(3) as pool, slots.slot():
        for number in range(3):
            standing = Event()
            pool.submit(work, number, standing)
            standing.wait()
            while len(slots._line) <= number:  # until it stands in the line
                pass

    assert [0, 1, 2] == order


def test_the_second_stream_begins_when_the_first_has_ended() -> None:
    first, second = islice(stream(VirtualClock(), ttft=100, itl=20, concurrency=1), 2)

    assert [0.1, 0.12, 0.14, 0.16] == [*first]
    assert [0.26, 0.28, 0.3, 0.32] == [*second]


def test_without_a_limit_they_come_at_the_same_time() -> None:
    first, second = islice(stream(VirtualClock(), ttft=100, itl=20), 2)

    assert [0.1, 0.12, 0.14, 0.16] == [*first]
    assert [0.16] * 4 == [*second]


def test_who_waits_for_itself_is_told_so() -> None:
    slots = Slots(1, VirtualClock())

    with slots.slot(), pytest.raises(RuntimeError, match="read the stream before this to its end"), slots.slot():
        pass


def test_a_client_that_leaves_gives_its_slot_back() -> None:
    client = create_app(Config(concurrency=1)).test_client()
    left = client.post("/", json=STREAM, buffered=False)
    next(left.iter_encoded())
    left.close()

    assert 200 == client.post("/", json={"inputs": "hi"}).status_code


def test_a_refusal_takes_no_slot() -> None:
    client = create_app(Config(concurrency=1)).test_client()
    held = client.post("/", json=STREAM, buffered=False)
    next(held.iter_encoded())

    assert 422 == client.post("/", json={"inputs": 1}).status_code
    held.close()


def test_waiting_changes_no_byte() -> None:
    limited, free = (create_app(Config(concurrency=count)).test_client() for count in (1, None))
    for payload in (STREAM, {**STREAM, "stream": False, "parameters": {"best_of": 2, "do_sample": True, "details": True}}):
        assert free.post("/", json=payload).data == limited.post("/", json=payload).data


def test_the_time_in_the_line_is_told_where_the_router_tells_it() -> None:
    told = (
        create_app(Config(dialect="tgi", concurrency=1), clock=VirtualClock())
        .test_client()
        .post("/", data=json.dumps({"inputs": "hi"}), content_type="application/json")
    )

    assert "0" == told.headers["x-queue-time"]
