"""Weights and logarithms against decimal arithmetic of 50 digits."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.sampler.weights import (
    ONE,
    STEP_BITS,
    decay,
    logarithm,
    report,
    report_all,
    tables,
    weigh,
    weigh_steps,
    weigh_vocabulary,
)

temperatures = st.floats(1e-6, 1e6)


@given(st.floats(0.0, 31.0))
def test_decay_is_exp_within_2_to_the_minus_50(nats: float) -> None:
    with localcontext(prec=50):
        exact = (-Decimal(nats)).exp()
        error = abs(Decimal(float(decay(np.array([nats]))[0])) / exact - 1)

    assert error < Decimal(2) ** -50


@given(st.integers(ONE, 1 << 62))
def test_logarithm_is_ln_within_2_to_the_minus_45(total: int) -> None:
    with localcontext(prec=50):
        exact = (Decimal(total) / ONE).ln()

    assert abs(Decimal(logarithm(total)) - exact) < Decimal(2) ** -45


@given(st.integers(0, 40 << 20), st.sampled_from([0.1, 0.7, 1.0, 1.5, 10.0]))
def test_a_weight_is_the_rounded_exponential(distance: int, temperature: float) -> None:
    with localcontext(prec=50):
        exact = ONE * (-Decimal(distance) / (1 << 20) / Decimal(temperature)).exp()

    assert abs(int(weigh(np.array([distance]), temperature)[0]) - exact) <= Decimal("0.51")


@given(temperatures, st.integers(0, 1 << 42))
def test_a_farther_token_never_weighs_more(temperature: float, distance: int) -> None:
    near, far = weigh(np.array([distance, distance + 1]), temperature).tolist()

    assert far <= near <= ONE


@pytest.mark.parametrize("temperature", [1e-100, 1e-6, 0.1, 1.0, 2.0, 3.0, 100.0, 1e6, 1e100])
def test_the_table_and_the_direct_way_agree(temperature: float) -> None:
    """Distances past the end of a table that was cut short are computed; both ways are one function."""
    end = tables(temperature).by_step.size
    inside = np.arange(max(0, end - 50), end) << STEP_BITS
    beyond = np.array([1 << 42])

    assert weigh(inside, temperature).tolist() == weigh(np.concatenate((inside, beyond)), temperature).tolist()[:-1]


@given(temperatures, st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=20), st.integers(0, 1 << 41))
def test_the_total_of_a_vocabulary_is_the_sum_of_its_weights(temperature: float, values: list[int], offset: int) -> None:
    logits = np.array(values, np.int32)
    best = int(logits.max())
    distances = ((best - logits.astype(np.int64)) << STEP_BITS) + offset

    assert int(weigh(distances, temperature).sum()) == weigh_vocabulary(logits, best, offset, temperature)


def test_a_high_best_score_beyond_a_short_table_is_weighed_directly() -> None:
    logits = np.zeros(3, np.int32)
    offset = 70 << 20

    assert int(weigh(np.full(3, offset), 100.0).sum()) == weigh_vocabulary(logits, 0, offset, 100.0)


@given(temperatures, st.lists(st.integers(0, 1 << 32), min_size=1, max_size=20))
def test_steps_weigh_what_their_distances_weigh(temperature: float, steps: list[int]) -> None:
    assert weigh(np.array(steps) << STEP_BITS, temperature).tolist() == weigh_steps(np.array(steps), temperature).tolist()


def test_a_million_tokens_do_not_overflow() -> None:
    total = int(weigh(np.zeros(1 << 20, np.int64), 1.0).sum())

    assert total == ONE << 20
    assert round(logarithm(total), 9) == 13.862943611


@given(st.integers(0, 1 << 42), temperatures, st.integers(ONE, 1 << 62))
def test_one_logprob_and_many_are_reported_alike(distance: int, temperature: float, total: int) -> None:
    log_total = logarithm(total)

    assert [report(distance, temperature, log_total)] == report_all(np.array([distance]), temperature, log_total).tolist()


def test_a_certain_token_has_logprob_zero_without_a_sign() -> None:
    assert str(report(0, 1.0, 0.0)) == "0.0"
    assert str(report_all(np.array([0]), 1.0, 0.0)[0]) == "0.0"
