"""Every way to a part of the ranking gives the beginning of the same ranking."""

from __future__ import annotations

from hashlib import shake_256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mockserver.sampler.ranking import Ranking, Scores
from mockserver.sampler.weights import ONE

SHAPES = ("bell", "flat", "stairs", "peak", "wide", "lowest")


def make_logits(shape: str, vocabulary: int, number: int) -> NDArray[np.int32]:
    """Logits of a kind; the same on every machine."""
    words = np.frombuffer(shake_256(f"{shape} {number}".encode()).digest(vocabulary * 8), np.uint16).reshape(4, vocabulary)
    noise = words.astype(np.int64) - 32768
    bell = noise.sum(axis=0) // 16
    if shape == "peak":
        bell[number % vocabulary] += 50_000
    return {
        "bell": bell,
        "peak": bell,
        "flat": np.full(vocabulary, 7),
        "stairs": noise[0] % 5 * 300,
        "wide": noise[0] * 65536 + noise[1],
        "lowest": np.full(vocabulary, -(2**31)),
    }[shape].astype(np.int32)


def make_scores(
    shape: str, vocabulary: int, number: int, moved: int, temperature: float = 1.0
) -> tuple[Scores, dict[int, int], NDArray[np.int32]]:
    """Scores of which some have moved, up or down; the same as a dictionary."""
    logits = make_logits(shape, vocabulary, number)
    words = np.frombuffer(shake_256(f"moved {number}".encode()).digest(moved * 8), np.uint32).reshape(2, moved)
    places = np.unique(words[0].astype(np.int64) % vocabulary)
    changes = words[1].astype(np.int64)[: places.size] % (1 << 22) - (1 << 21)
    moved_scores = np.clip((logits[places].astype(np.int64) << 10) + changes, -(1 << 41), 1 << 41)
    all_scores = {place: int(logit) << 10 for place, logit in enumerate(logits)}
    all_scores.update(zip(places.tolist(), moved_scores.tolist(), strict=True))
    return Scores(logits, places, moved_scores, temperature), all_scores, logits


def is_beginning(part: Ranking, whole: Ranking) -> bool:
    size = part.ids.size
    return all(
        (mine == its[:size]).all()
        for mine, its in zip(part[:4], (whole.ids, whole.distances, whole.weights, whole.cumulative), strict=True)
    )


cases = st.tuples(
    st.sampled_from(SHAPES),
    st.sampled_from([1, 2, 7, 64, 500, 3000, 20_000]),
    st.integers(0, 1000),
    st.sampled_from([0, 1, 30, 2000]),
)


@given(cases)
def test_the_whole_ranking_is_by_distance_and_then_by_id(case: tuple[str, int, int, int]) -> None:
    scores, plain, _ = make_scores(*case)
    ranking = scores.all()
    best = max(plain.values())
    expected = sorted((best - score, token) for token, score in plain.items())

    assert expected == list(zip(ranking.distances.tolist(), ranking.ids.tolist(), strict=True))


@given(cases, st.sampled_from([1, 2, 5, 50, 400, 10_000]))
def test_the_nearest_are_the_beginning_and_hold_all_ties(case: tuple[str, int, int, int], k: int) -> None:
    scores, _, _ = make_scores(*case)
    near, whole = scores.nearest(k), scores.all()
    last = min(k, whole.ids.size) - 1

    assert is_beginning(near, whole)
    assert near.ids.size >= np.searchsorted(whole.distances, whole.distances[last], "right")


@given(cases, st.sampled_from([1e-6, 0.7, 1.0, 3.0, 1e6]), st.integers(0, 100), st.sampled_from([0, 1, 3, 700]))
def test_what_covers_is_the_beginning_and_weighs_enough(
    case: tuple[str, int, int, int], temperature: float, percent: int, at_least: int
) -> None:
    scores, _, _ = make_scores(*case, temperature)
    whole = scores.all()
    needed = max(whole.total * percent // 100, 1)
    part = scores.covering(lambda _: needed, at_least)

    assert is_beginning(part, whole)
    assert part.total == whole.total
    assert part.cumulative[-1] >= needed
    assert part.ids.size >= min(at_least, whole.ids.size)


def test_the_best_token_is_found_without_ranking_the_rest() -> None:
    scores, _, _ = make_scores("bell", 20_000, 0, 0)

    assert scores.covering(lambda _: ONE, 0).ids.size == 1


def test_the_nearest_fifty_are_found_without_ranking_the_rest() -> None:
    scores, _, _ = make_scores("bell", 20_000, 0, 300)

    assert scores.nearest(50).ids.size < 100


def test_ids_are_those_of_the_allowed_tokens() -> None:
    nothing = np.array([], np.int64)
    scores = Scores(np.array([1, 3, 2], np.int32), nothing, nothing, 1.0, np.array([10, 20, 30]))

    assert scores.all().ids.tolist() == [20, 30, 10]


@pytest.mark.parametrize("moved", [0, 30])
def test_the_logits_are_left_alone(moved: int) -> None:
    scores, _, logits = make_scores("bell", 3000, 1, moved)
    before = logits.copy()
    scores.nearest(50)
    scores.covering(lambda total: total // 2, 5)

    assert before.tolist() == logits.tolist()
