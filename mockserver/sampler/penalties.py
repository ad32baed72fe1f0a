"""repetition_penalty and frequency_penalty: new scores for the few tokens that have occurred.

Never touches the other tokens, and never changes its arguments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mockserver.sampler.weights import SCORE_LIMIT, STEP_BITS


def apply_repetition(logits: NDArray[np.float64], repetition_penalty: float) -> NDArray[np.float64]:
    """A token that has occurred becomes less likely: divided when positive, multiplied when negative.

    Keskar et al. 2019, CTRL, section 4.1, https://arxiv.org/abs/1909.05858, with the later correction for negative logits.

    >>> apply_repetition(np.array([6.0, -6.0]), 2.0).tolist()
    [3.0, -12.0]
    """
    return np.where(logits < 0.0, logits * repetition_penalty, logits / repetition_penalty)


def apply_frequency(
    logits: NDArray[np.float64], counts: NDArray[np.int64], length: int, frequency_penalty: float
) -> NDArray[np.float64]:
    """Subtract the penalty (nats) times the share of the text that this token makes up; logits in 2^-10 nat.

    As text-generation-inference has it (``logits_process.py``, ``HeterogeneousFrequencyPenaltyLogitsProcessor``).

    >>> apply_frequency(np.array([1024.0, 1024.0]), np.array([1, 3]), 4, 0.5).tolist()
    [896.0, 640.0]
    """
    return logits - counts * (frequency_penalty * 1024.0 / length)


def penalise(
    logits: NDArray[np.int32],
    context: NDArray[np.int64],
    *,
    repetition_penalty: float | None,
    frequency_penalty: float | None,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ids that occur in the context (ascending, once each) and their scores in 2^-20 nat.

    Repetition comes first, frequency after it, as in text-generation-inference (``tokens.py``, ``NextTokenChooser``).

    >>> penalise(np.array([0, 2048, -1024], np.int32), np.array([2, 1, 1]), repetition_penalty=2.0, frequency_penalty=None)
    (array([1, 2]), array([ 1048576, -2097152]))
    """
    ids, counts = count(context)
    changed = logits[ids].astype(np.float64)
    if repetition_penalty is not None:
        changed = apply_repetition(changed, repetition_penalty)
    if frequency_penalty is not None:
        changed = apply_frequency(changed, counts, context.size, frequency_penalty)
    changed *= float(1 << STEP_BITS)
    changed = np.minimum(np.maximum(changed, -float(SCORE_LIMIT)), float(SCORE_LIMIT))
    return ids, np.rint(changed).astype(np.int64)


def count(context: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ids that occur, ascending, and how often each does: the counts of statement parameters.frequency_penalty.penalizes.

    >>> [array.tolist() for array in count(np.array([7, 3, 7]))]
    [[3, 7], [1, 2]]
    """
    ordered = np.sort(context)
    changes = np.ones(ordered.size + 1, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=changes[1:-1])
    bounds = changes.nonzero()[0]
    return ordered[bounds[:-1]], bounds[1:] - bounds[:-1]
