"""Streams that are made once for all who ask for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockserver import Config, create_app
from mockserver.messages import Request
from mockserver.scenario.pacing import VirtualClock
from mockserver.service import streams
from mockserver.service.streams import Streams

ASKED = Request("m", "once", stream=True)


class Source:
    """Counts how many streams, and how many frames of them, were made."""

    def __init__(self, length: int = 3) -> None:
        self.length = length
        self.made = 0
        self.opened = 0

    def __call__(self) -> Iterator[bytes]:
        self.opened += 1
        return self._frames()

    def _frames(self) -> Iterator[bytes]:
        for number in range(self.length):
            self.made += 1
            yield b"%d" % number


def test_a_stream_is_made_once_for_all_after_the_first() -> None:
    shelf, source = Streams(), Source()
    given = [[*shelf.open(ASKED, source)] for _ in range(5)]

    assert [[b"0", b"1", b"2"]] * 5 == given
    assert source.opened == 2
    assert source.made == 6


def test_each_reader_has_a_place_of_its_own() -> None:
    shelf, source = Streams(), Source()
    [*shelf.open(ASKED, source)]
    one, other = shelf.open(ASKED, source), shelf.open(ASKED, source)

    assert [next(one), next(one), next(other), next(one), next(other)] == [b"0", b"1", b"0", b"2", b"1"]
    assert source.made == 3 + 3


def test_a_reader_that_leaves_takes_nothing_from_the_others() -> None:
    shelf, source = Streams(), Source()
    [*shelf.open(ASKED, source)]
    one, other = shelf.open(ASKED, source), shelf.open(ASKED, source)
    next(one)
    del one

    assert [*other] == [b"0", b"1", b"2"]


def test_nothing_is_made_that_nobody_reads() -> None:
    shelf, source = Streams(), Source(1000)
    for _ in range(2):
        next(shelf.open(ASKED, source))

    assert source.made == 2


def test_what_was_asked_longest_ago_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_BYTES", 5)
    shelf, source = Streams(), Source()
    others = [Request("m", text, stream=True) for text in ("one", "two", "three")]
    for request in (*others, *others):
        [*shelf.open(request, source)]
    made = source.made
    [*shelf.open(others[2], source)]
    [*shelf.open(others[0], source)]

    assert made + 3 == source.made


def test_a_paced_stream_given_again_has_the_same_bytes_and_the_same_pace() -> None:
    payload = {"inputs": "The sea", "stream": True, "parameters": {"max_new_tokens": 5, "details": True, "seed": 3, "do_sample": True}}
    clock = VirtualClock()
    client = create_app(Config(ttft=100, itl=20), clock=clock).test_client()
    replies = []
    for _ in range(3):
        began = clock.now()
        replies.append((client.post("/", json=payload).data, round(clock.now() - began, 6)))
    plain = create_app(Config()).test_client().post("/", json=payload).data

    assert {(plain, 0.18)} == {*replies}
