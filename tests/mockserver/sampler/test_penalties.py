"""repetition_penalty and frequency_penalty."""

from __future__ import annotations

import numpy as np
import pytest

from mockserver.sampler.penalties import count, penalise

LOGITS = np.array([0, 2048, -2048, 1024], np.int32)


def scores(context: list[int], repetition: float | None = None, frequency: float | None = None) -> dict[int, float]:
    """Score in nats of each token that the penalties touched."""
    ids, changed = penalise(LOGITS, np.array(context), repetition_penalty=repetition, frequency_penalty=frequency)
    return {token: score / 2**20 for token, score in zip(ids.tolist(), changed.tolist(), strict=True)}


def test_repetition_divides_positive_and_multiplies_negative_logits() -> None:
    assert scores([1, 2], repetition=2.0) == {1: 1.0, 2: -4.0}


def test_repetition_leaves_a_logit_of_zero() -> None:
    assert scores([0], repetition=2.0) == {0: 0.0}


def test_repetition_counts_a_token_once() -> None:
    assert scores([1, 1, 1], repetition=2.0) == {1: 1.0}


def test_frequency_subtracts_the_share_of_the_text() -> None:
    assert scores([1, 3, 3, 3], frequency=0.5) == {1: 2.0 - 0.125, 3: 1.0 - 0.375}


def test_a_negative_frequency_penalty_raises() -> None:
    assert scores([1], frequency=-0.5) == {1: 2.5}


def test_frequency_comes_after_repetition() -> None:
    assert scores([1], repetition=2.0, frequency=0.5) == {1: 0.5}


@pytest.mark.parametrize(("penalty", "expected"), [(1e30, 0.0), (1e-30, float(2**21))])
def test_a_huge_penalty_is_clipped(penalty: float, expected: float) -> None:
    assert scores([1], repetition=penalty) == {1: expected}


def test_the_logits_are_left_alone() -> None:
    before = LOGITS.copy()
    scores([0, 1, 2, 3], repetition=1.3, frequency=0.3)

    assert before.tolist() == LOGITS.tolist()


def test_count_is_that_of_a_dictionary() -> None:
    context = [5, 3, 5, 0, 9, 3, 5]
    ids, counts = count(np.array(context))

    assert dict(zip(ids.tolist(), counts.tolist(), strict=True)) == {token: context.count(token) for token in context}
    assert ids.tolist() == sorted(set(context))
