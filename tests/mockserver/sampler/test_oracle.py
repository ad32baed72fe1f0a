"""The chain against a naive one: float64, a whole sort for each warper, the papers' formulas with exp and log."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mockserver.sampler import Chain, Settings

NEAR = 1e-8  # nearer than this to a boundary the naive chain cannot tell the side
SCORE = 2.0**-20  # nats in which a penalised score is told, and the mean of typical_p


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(scores - scores.max())
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def naive(logits: NDArray[np.int32], context: list[int], parameters: dict[str, Any]) -> NDArray[np.float64] | None:
    """log_softmax of the final scores, -inf where removed; None where a boundary is too near to tell."""
    scores = logits / 1024
    for token in set(context):
        score = scores[token]
        penalty = parameters["repetition_penalty"] or 1.0
        score = score * penalty if score < 0 else score / penalty
        score -= (parameters["frequency_penalty"] or 0.0) * context.count(token) / len(context)
        scores[token] = np.rint(score / SCORE) * SCORE
    scores = scores / parameters["temperature"]
    top_k = parameters["top_k"]
    if top_k is not None and top_k < scores.size:
        scores[scores < np.sort(scores)[-top_k]] = -np.inf
    if parameters["top_p"] is not None:
        order = np.lexsort((np.arange(scores.size), -scores))
        probabilities = softmax(scores)[order]
        before = probabilities.cumsum() - probabilities
        if (np.abs(before[1:] - parameters["top_p"]) < NEAR).any():
            return None
        scores[order[before >= parameters["top_p"]]] = -np.inf
    if parameters["typical_p"] is not None:
        left = np.flatnonzero(scores > -np.inf)
        probabilities = softmax(scores[left])
        information = -(scores[left] - scores.max() - np.log(np.exp(scores[left] - scores.max()).sum()))
        shifted = np.abs(information - (probabilities * information).sum())
        order = np.argsort(shifted, kind="stable")
        cumulative = probabilities[order].cumsum()
        if (np.abs(cumulative - parameters["typical_p"]) < NEAR).any():
            return None
        last = min(int((cumulative < parameters["typical_p"]).sum()), left.size - 1)
        gaps, same = np.abs(shifted - shifted[order[last]]), 1e-11 / parameters["temperature"]
        if ((gaps > same) & (gaps < 3 * SCORE / parameters["temperature"])).any():
            return None
        scores[left[shifted > shifted[order[last]] + same]] = -np.inf
    with np.errstate(divide="ignore"):
        return scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())


parameters_of_any_kind = st.fixed_dictionaries(
    {
        "temperature": st.sampled_from([0.1, 0.7, 1.0, 1.5, 3.0, 10.0]),
        "top_k": st.none() | st.integers(1, 40),
        "top_p": st.none() | st.floats(0.01, 0.999),
        "typical_p": st.none() | st.floats(0.01, 0.999),
        "repetition_penalty": st.none() | st.floats(0.5, 5.0),
        "frequency_penalty": st.none() | st.floats(-2.0, 2.0),
    }
)


@settings(max_examples=400)
@given(
    st.lists(st.integers(-9000, 9000), min_size=2, max_size=40),
    st.lists(st.integers(0, 39), max_size=12),
    parameters_of_any_kind,
)
def test_the_chain_is_the_naive_one(values: list[int], context: list[int], parameters: dict[str, Any]) -> None:
    logits = np.array(values, np.int32)
    agree(logits, [token % logits.size for token in context], parameters)


def make_logits(source: random.Random, size: int) -> NDArray[np.int32]:
    """Flat, peaked, full of ties, or as a model gives them."""
    spread = source.choice([0.5, 2.5, 8.0])
    kinds: dict[str, Callable[[], float]] = {
        "bell": lambda: 1024 * source.gauss(0.0, spread),
        "even": lambda: source.randint(-9000, 9000),
        "ties": lambda: source.choice([-3000, 0, 1024, 1500, 5000]),
        "flat": lambda: source.randint(-3, 3),
        "two levels": lambda: source.choice([0, -50_000]),
    }
    draw = kinds[source.choice(list(kinds))]
    logits = np.array([round(draw()) for _ in range(size)], np.int32)
    logits[source.randrange(size)] += 1024 * source.choice([0, 0, 20, 300])
    return logits


EXTREMES: dict[str, tuple[float, ...]] = {
    "temperature": (0.01, 0.05, 0.3, 0.7, 1.5, 10.0),
    "top_k": (1, 2, 50, 1000, 31_999, 10**6),
    "top_p": (1e-9, 1e-3, 0.1, 0.5, 0.9, 0.99, 0.999999),
    "typical_p": (1e-9, 1e-3, 0.2, 0.5, 0.9, 0.99, 0.999999),
    "repetition_penalty": (0.01, 0.5, 1.2, 10.0, 1000.0),
    "frequency_penalty": (-2.0, -0.3, 0.7, 2.0),
}


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.sampled_from([2, 8, 40, 400, 4096, 32_000]))
def test_the_chain_is_the_naive_one_at_the_extremes(seed: int, size: int) -> None:
    source = random.Random(seed)
    parameters = {name: source.choice(values) if source.random() < 0.6 else None for name, values in EXTREMES.items()}
    context = [source.randrange(size) for _ in range(source.choice([0, 1, 3, 20, 300]))]
    agree(make_logits(source, size), context, {**parameters, "temperature": parameters["temperature"] or 1.0})


def agree(logits: NDArray[np.int32], context: list[int], parameters: dict[str, Any]) -> None:
    """The same tokens are kept, with the same logprobs."""
    expected = naive(logits, context, parameters)
    assume(expected is not None)
    assert expected is not None
    law = Chain(Settings(do_sample=True, **parameters)).distribution(logits, context)
    found = np.full(logits.size, -np.inf)
    found[law.ids] = law.logprobs

    assert ((found > -np.inf) == (expected > -np.inf)).all()
    assert found[law.ids].tolist() == pytest.approx(expected[law.ids].tolist(), abs=2e-5)
