"""The chain against a naive one: float64, a whole sort for each warper, the papers' formulas with exp and log."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mockserver.sampler import Chain, Settings

NEAR = 1e-6  # nearer than this to a boundary the naive chain cannot tell the side
SCORE = 4e-6  # scores nearer than this to each other may be one number in 2^-20 nat


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
        scores[token] = score - (parameters["frequency_penalty"] or 0.0) * context.count(token) / len(context)
    gaps = np.diff(np.sort(scores))
    if ((gaps > 0) & (gaps < SCORE)).any():
        return None
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
        gaps = np.abs(shifted - shifted[order[last]])
        if ((gaps > 1e-12) & (gaps < 1e-4)).any():
            return None
        scores[left[shifted > shifted[order[last]] + 1e-12]] = -np.inf
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
    context = [token % logits.size for token in context]
    expected = naive(logits, context, parameters)
    assume(expected is not None)
    assert expected is not None
    law = Chain(Settings(do_sample=True, **parameters)).distribution(logits, context)
    found = np.full(logits.size, -np.inf)
    found[law.ids] = law.logprobs

    assert ((found > -np.inf) == (expected > -np.inf)).all()
    assert found[law.ids].tolist() == pytest.approx(expected[law.ids].tolist(), abs=2e-5)
