"""The draw: a frozen random word, an exact law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.sampler import Chain, Settings
from mockserver.sampler.choice import count_top, draw, random_word, target
from mockserver.sampler.weights import logarithm, report

LOGITS = np.array([2048, 1024, 1500, 0, -500, 900, 2048, -3000, 1800, 700, 100, -100], np.int32)


def test_the_random_word_is_frozen() -> None:
    """blake2b of three little endian words; a change would change every seeded text."""
    assert [random_word(0, 0, 0), random_word(2**64 - 1, 7, 3)] == [2891389769238885931, 7760263072627703071]


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**62))
def test_the_target_is_below_the_total(word: int, total: int) -> None:
    assert 0 <= target(word, total) < total


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 2**42), min_size=1, max_size=30))
def test_a_token_without_weight_is_never_drawn(word: int, weights: list[int]) -> None:
    weights.append(1)

    assert weights[draw(np.cumsum(weights), word, sum(weights))] > 0


@pytest.mark.parametrize(
    "settings",
    [
        Settings(do_sample=True, seed=1),
        Settings(do_sample=True, seed=2**64 - 1, temperature=2.0, top_k=9),
        Settings(do_sample=True, seed=3, temperature=0.7, top_p=0.9, typical_p=0.95),
    ],
)
def test_100_000_draws_follow_the_exact_weights(settings: Settings) -> None:
    """Chi-square below its mean by less than four deviations; the draws are seeded, so it holds always or never."""
    chain = Chain(settings)
    law = chain.distribution(LOGITS, [])
    places = [draw(law.weights.cumsum(), random_word(settings.seed, step, 0), law.total) for step in range(100_000)]
    seen = np.bincount(places, minlength=law.ids.size)
    expected = law.weights / law.total * 100_000
    freedom = law.ids.size - 1
    chi_square = ((seen - expected) ** 2 / expected).sum()

    assert chi_square < freedom + 4 * (2 * freedom) ** 0.5


def test_choose_draws_just_so() -> None:
    settings = Settings(do_sample=True, seed=5, temperature=1.3, top_p=0.97)
    chain = Chain(settings)
    law = chain.distribution(LOGITS, [])
    for step in range(500):
        place = draw(law.weights.cumsum(), random_word(5, step, 2), law.total)
        choice = chain.choose(LOGITS, [], step=step, sequence=2)

        assert (int(law.ids[place]), float(law.logprobs[place])) == (choice.id, choice.logprob)


@pytest.mark.parametrize(
    ("top_n_tokens", "expected"),
    [(0, []), (1, [0]), (2, [0, 3]), (3, [0, 3, 1, 4]), (4, [0, 3, 1, 4]), (5, [0, 3, 1, 4, 2]), (9, [0, 3, 1, 4, 2])],
)
def test_the_top_tokens_include_ties(top_n_tokens: int, expected: list[int]) -> None:
    """text-generation-inference's own example: logprobs -1, -3, -4, -2, -3."""
    logits = np.array([-1, -3, -4, -2, -3], np.int32) * 1024
    choice = Chain(Settings(top_n_tokens=top_n_tokens)).choose(logits, [], step=0)

    assert expected == [token for token, _ in choice.top]


def test_the_top_tokens_carry_logprobs_of_the_final_distribution() -> None:
    choice = Chain(Settings(do_sample=True, top_k=2, top_n_tokens=5)).choose(np.array([0, 0, -900], np.int32), [], step=0)

    assert choice.top == ((0, -0.693147), (1, -0.693147))


def test_the_drawn_token_need_not_be_a_top_token() -> None:
    chain = Chain(Settings(do_sample=True, top_n_tokens=1))
    choices = [chain.choose(np.array([0, -10], np.int32), [], step=step) for step in range(20)]

    assert any(choice.id != choice.top[0][0] for choice in choices)


def test_tokens_that_are_reported_alike_stand_by_id() -> None:
    """At a very high temperature neighbours differ by less than a millionth."""
    chain = Chain(Settings(do_sample=True, temperature=1e6, top_n_tokens=4))
    choice = chain.choose(np.array([1, 2, 3, 4], np.int32), [], step=0)

    assert choice.top == tuple((token, report(0, 1.0, logarithm(4 << 42))) for token in range(4))


def test_count_top_of_fewer_tokens_is_all_of_them() -> None:
    assert count_top(np.array([0, 1]), 10) == 2
