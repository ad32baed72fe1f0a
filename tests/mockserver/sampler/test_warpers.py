"""The laws of top_k, top_p and typical_p on distributions made by hand."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.sampler.warpers import keep_top_k, keep_top_p, keep_typical, mean_distance, share

FOUR = np.array([4, 3, 2, 1])


@pytest.mark.parametrize(("top_k", "kept"), [(1, 1), (2, 4), (3, 4), (4, 4), (5, 5), (6, 5), (10**9, 5)])
def test_top_k_keeps_ties_with_the_last(top_k: int, kept: int) -> None:
    assert keep_top_k(np.array([0, 3, 3, 3, 8]), top_k) == kept


@pytest.mark.parametrize(("top_p", "kept"), [(1e-9, 1), (0.4, 1), (0.41, 2), (0.7, 2), (0.71, 3), (0.9, 3), (0.95, 4)])
def test_top_p_keeps_the_fewest_that_reach_it(top_p: float, kept: int) -> None:
    assert keep_top_p(FOUR.cumsum(), 10, top_p) == kept


@pytest.mark.parametrize("tenths", range(1, 10))
def test_of_ten_equal_tokens_top_p_keeps_as_many_as_it_says(tenths: int) -> None:
    """0.1 is meant as one tenth, though the float nearest to it is a little more."""
    assert keep_top_p(np.arange(1, 11), 10, tenths / 10) == tenths


def test_top_p_of_zero_keeps_one() -> None:
    assert keep_top_p(FOUR.cumsum(), 10, 0.0) == 1


@pytest.mark.parametrize(
    ("typical_p", "kept"),
    [
        (1e-9, (1, 2)),  # mean distance 31: distances from it 31, 9, 19, 59
        (0.3, (1, 2)),
        (0.31, (1, 3)),
        (0.51, (0, 3)),
        (0.95, (0, 4)),
    ],
)
def test_typical_p_keeps_a_window_around_the_mean(typical_p: float, kept: tuple[int, int]) -> None:
    assert keep_typical(np.array([0, 40, 50, 90]), FOUR, FOUR.cumsum(), typical_p) == kept


def test_typical_p_keeps_ties_on_both_sides() -> None:
    weights = np.array([1, 1])

    assert keep_typical(np.array([0, 10]), weights, weights.cumsum(), 0.5) == (0, 2)


def test_typical_p_keeps_the_only_token() -> None:
    assert keep_typical(np.array([0]), np.array([7]), np.array([7]), 0.01) == (0, 1)


@given(st.lists(st.tuples(st.integers(0, 1 << 42), st.integers(0, 1 << 42)), min_size=1, max_size=50))
def test_the_mean_distance_is_exact(pairs: list[tuple[int, int]]) -> None:
    """It is the same as with Python's own unbounded integers."""
    distances, weights = (np.array(column) for column in zip(*sorted(pairs), strict=True))
    total = sum(weight for _, weight in pairs) or 1

    assert mean_distance(distances, weights, total) == sum(d * w for d, w in pairs) // total


def test_the_mean_distance_of_a_million_far_tokens_does_not_overflow() -> None:
    weights, distances = np.full(1 << 20, 1 << 42), np.full(1 << 20, 1 << 42)

    assert mean_distance(distances, weights, 1 << 62) == 1 << 42


@given(st.floats(0, 1), st.integers(1, 1 << 62))
def test_a_share_is_the_smallest_whole_number_that_reaches_it(part: float, total: int) -> None:
    numerator, denominator = Decimal(repr(part)).as_integer_ratio()
    found = share(part, total)

    assert found * denominator >= numerator * total
    assert found == 1 or (found - 1) * denominator < numerator * total
