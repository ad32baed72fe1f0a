"""Faults strike so many times, after so many requests, or with a probability; and the same ones each time."""

from __future__ import annotations

import pytest

from mockserver.scenario.armed import BadFaultError, arm
from mockserver.scenario.faults import UnknownFaultError


def struck(text: str, requests: int, seed: int = 0) -> list[int]:
    """The numbers of the requests that are struck."""
    armed, found = arm(text, seed=seed), list[int]()
    for seen in range(requests):
        if armed.strikes(seen, len(found)):
            found.append(seen + 1)
    return found


def test_a_name_alone_strikes_always() -> None:
    assert [1, 2, 3] == struck("stream-cut", 3)


def test_times_counts_the_struck() -> None:
    assert [1, 2] == struck("stream-cut;times=2", 5)


def test_after_lets_the_first_pass() -> None:
    assert [3, 4] == struck("stream-cut; after=2; times=2", 9)


def test_a_probability_strikes_about_so_often() -> None:
    assert 50 < len(struck("stream-cut@0.1", 1000)) < 150


def test_the_same_seed_strikes_the_same_requests() -> None:
    assert struck("stream-cut@0.5", 100, seed=1) == struck("stream-cut@0.5", 100, seed=1)
    assert struck("stream-cut@0.5", 100, seed=1) != struck("stream-cut@0.5", 100, seed=2)


def test_two_faults_of_one_seed_are_drawn_apart() -> None:
    assert struck("stream-cut@0.5", 100) != struck("stream-not-json@0.5", 100)


@pytest.mark.parametrize("text", ["", "-a", "a b", "stream-cut;often", "stream-cut;times=-1", "stream-cut@x", "stream-cut@1.5"])
def test_what_is_no_fault_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(BadFaultError, match=r"write NAME|from 0 to 1"):
        arm(text)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownFaultError, match="stream-cut"):
        arm("stream-cutt;times=1")
