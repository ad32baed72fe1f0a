"""Integer weights in place of probabilities: distance -> weight, total -> logarithm.

Holds no random numbers and never asks the machine for ``exp`` or ``log``, whose last bits differ between processors.
It uses three things only: whole numbers; :mod:`decimal`, whose ``exp`` is correctly rounded by the General Decimal Arithmetic
Specification (https://speleotrove.com/decimal/); and the basic float64 operations that IEEE 754 rounds correctly, one number at a
time. Sums are sums of integers, so their order cannot matter.

Units: a logit is an int32 in 2^-10 nat. A *score* is a logit after the penalties, an int64 in 2^-20 nat, and a *distance* is how
far a score lies below the best one. The best token weighs ``ONE``; what lies 30 nats below it (after temperature) weighs nothing.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ONE_BITS = 42
ONE = 1 << ONE_BITS
"""Weight of the best token; with at most 2^20 tokens a sum stays below 2^62."""

STEP_BITS = 10
"""A step is the distance between two neighbouring logits: 2^10 scores."""

SCORES_PER_NAT = 1 << 20
SCORE_LIMIT = 1 << 41
"""Scores are clipped to +-2^41 (2 million nats), so that a distance fits in 43 bits."""

ID_BITS = 20
"""Token ids are below 2^20; a distance and an id share one int64."""

_VANISHED = 31.0  # nats: 2^42 * exp(-31) rounds to 0
_LONGEST_TABLE = 1 << 16
_PIECE = 1 << 13
_RUN = 256
_WITHIN_STEP = (1 << STEP_BITS) - 1


@lru_cache(maxsize=1)
def _exponentials() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """exp(-n) for whole nats, and exp(-j/1024) for the steps between them."""
    with localcontext(prec=60):
        whole = [float(Decimal(-n).exp()) for n in range(int(_VANISHED) + 1)]
        ratio, power, steps = (Decimal(-1) / 1024).exp(), Decimal(1), []
        for _ in range(1024):
            steps.append(float(power))
            power *= ratio
    return np.array(whole), np.array(steps)


def decay(nats: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(-x) for x >= 0, the same bits on every machine, within 2^-50; past 31 nats it stays at exp(-31).

    exp(-x) = exp(-n) * exp(-j/1024) * exp(-r) with r < 1/1024, for which four terms of the series are enough.

    >>> decay(np.array([0.0, 1.0])).tolist()
    [1.0, 0.36787944117144233]
    """
    whole, steps = _exponentials()
    scaled = np.minimum(nats, _VANISHED) * 1024.0
    index = scaled.astype(np.int64)
    r = (scaled - index) / 1024.0
    series = 1.0 - r * (1.0 - r / 2.0 * (1.0 - r / 3.0 * (1.0 - r / 4.0)))
    decayed: NDArray[np.float64] = whole[index >> 10] * (steps[index & 1023] * series)
    return decayed


class Tables(NamedTuple):
    """Weights of one temperature: of whole steps (exact and rounded), and the factor for each of the 1024 scores in a step."""

    by_step: NDArray[np.float64]
    rounded: NDArray[np.int64]
    within_step: NDArray[np.float64]

    @property
    def ends_in_nothing(self) -> bool:
        """Whether everything past the end weighs nothing; otherwise the table was cut short (a high temperature)."""
        return not self.rounded[-1]


@lru_cache(maxsize=16)
def tables(temperature: float) -> Tables:
    """The tables of a temperature, as long as weights last: exp(-distance / temperature), the softmax but for its sum.

    >>> tables(1.0).rounded[:2].tolist()  # 2^42, and 2^42 * 0.999024
    [4398046511104, 4393753640278]
    """
    length = min(int(_VANISHED * 1024.0 * temperature) + 2, _LONGEST_TABLE)
    rough, rest = _split_weights(np.arange(0, length, _RUN), np.arange(_RUN), temperature)
    by_step = np.multiply.outer(rough, rest).ravel()[:length]
    return Tables(by_step, np.rint(by_step).astype(np.int64), decay(np.arange(1024) / temperature / SCORES_PER_NAT))


def _split_weights(
    starts: NDArray[np.int64], rest: NDArray[np.int64], temperature: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A step is a start (a multiple of 256) and a rest below 256; the product of these two is its weight."""
    return decay(starts / temperature / 1024.0) * float(ONE), decay(rest / temperature / 1024.0)


def _weigh_steps(steps: NDArray[np.int64], temperature: float) -> NDArray[np.float64]:
    """What the table of a temperature holds, for any step."""
    rough, rest = _split_weights(steps & -_RUN, steps & (_RUN - 1), temperature)
    return rough * rest


def weigh(distances: NDArray[np.int64], temperature: float) -> NDArray[np.int64]:
    """Integer weights 2^42 * exp(-distance / temperature); distances in 2^-20 nat, >= 0.

    >>> weigh(np.array([0, 1 << 20]), 1.0).tolist() == [ONE, round(ONE * 0.36787944117144233)]
    True
    >>> weigh(np.array([0, 2 << 20]), 2.0).tolist() == weigh(np.array([0, 1 << 20]), 1.0).tolist()
    True
    """
    table = tables(temperature)
    steps = distances >> STEP_BITS
    if table.ends_in_nothing or not steps.size or int(steps.max()) < table.by_step.size:
        by_step = table.by_step.take(steps, mode="clip")
    else:
        by_step = _weigh_steps(steps, temperature)
    by_step *= table.within_step.take(distances & _WITHIN_STEP)
    return np.rint(by_step, out=by_step).astype(np.int64)


def weigh_steps(steps: NDArray[np.int64], temperature: float) -> NDArray[np.int64]:
    """:func:`weigh` of whole steps (2^-10 nat), which need one look-up only.

    >>> weigh_steps(np.array([0, 5]), 0.7).tolist() == weigh(np.array([0, 5 << 10]), 0.7).tolist()
    True
    """
    table = tables(temperature)
    if table.ends_in_nothing or int(steps.max()) < table.rounded.size:
        return table.rounded.take(steps, mode="clip")
    return weigh(steps << STEP_BITS, temperature)


def weigh_vocabulary(logits: NDArray[np.int32], best: int, offset: int, temperature: float) -> int:
    """Total weight of logits (2^-10 nat) whose best one lies ``offset`` (2^-20 nat) below the best score: one look-up each.

    >>> weigh_vocabulary(np.array([5, 1029], np.int32), 1029, 0, 1.0) == int(weigh(np.array([0, 1 << 20]), 1.0).sum())
    True
    """
    table = tables(temperature)
    start = offset >> STEP_BITS
    weights = table.rounded
    if offset:
        weights = np.rint(table.by_step[min(start, weights.size - 1) :] * table.within_step[offset & _WITHIN_STEP]).astype(
            np.int64
        )
    total = 0
    for piece in range(0, logits.size, _PIECE):  # small enough to stay in the processor's cache
        steps = np.subtract(best, logits[piece : piece + _PIECE], dtype=np.int64)
        if table.ends_in_nothing or start + int(steps.max()) < table.rounded.size:
            total += int(weights.take(steps, mode="clip").sum())
        else:
            total += int(weigh((steps << STEP_BITS) + offset, temperature).sum())
    return total


@lru_cache(maxsize=1)
def _logarithms() -> tuple[int, tuple[int, ...]]:
    """ln 2, and ln(1 + i/256) for i in 0..255, in 2^-60: ln((m+1)/m) = 2 (1/n + 1/3n^3 + 1/5n^5 + ...) with n = 2m + 1."""
    steps, total = [], 0
    for m in range(256, 512):
        steps.append(total >> 20)
        n = 2 * m + 1
        total += 2 * sum((1 << 80) // (k * n**k) for k in range(1, 10, 2))
    return total >> 20, tuple(steps)


def logarithm(total: int) -> float:
    """ln(total / ONE) for total >= 1, from integers alone, within 2^-48.

    total = 2^n * m with 1 <= m < 2; ln m = ln(1 + i/256) + ln(1 + u) with u < 1/256, for which five terms are enough.

    >>> logarithm(ONE), round(logarithm(2 * ONE), 12)
    (0.0, 0.69314718056)
    """
    ln2, ln_steps = _logarithms()
    n = total.bit_length() - 1
    m = total << 60 >> n  # 1 <= m < 2, in 2^-60
    base = m >> 52 << 52  # 1 + i/256
    u = ((m - base) << 60) // base
    u2 = u * u >> 60
    u3 = u2 * u >> 60
    series = u - u2 // 2 + u3 // 3 - (u2 * u2 >> 60) // 4 + (u2 * u3 >> 60) // 5
    return ((n - ONE_BITS) * ln2 + ln_steps[(m >> 52) - 256] + series) / 2**60


def report(distance: int, temperature: float, log_total: float) -> float:
    """Logprob of a token at this distance, rounded to 6 decimals; never above 0 and never -0.0 (statement details.tokens.logprob).

    >>> report(0, 1.0, logarithm(4 * ONE))
    -1.386294
    >>> report(0, 1.0, 0.0)
    0.0
    """
    return round((distance / temperature / SCORES_PER_NAT + log_total) * -1e6) / 1e6 or 0.0


def report_all(distances: NDArray[np.int64], temperature: float, log_total: float) -> NDArray[np.float64]:
    """:func:`report` for many distances at once; the same bits.

    >>> report_all(np.array([0, 1 << 20]), 2.0, 0.0).tolist()
    [0.0, -0.5]
    """
    nats = distances / temperature / SCORES_PER_NAT + log_total
    reported: NDArray[np.float64] = np.rint(nats * -1e6) / 1e6 + 0.0  # + 0.0 turns -0.0 into 0.0
    return reported
