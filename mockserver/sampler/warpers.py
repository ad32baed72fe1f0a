"""temperature, top_k, top_p, typical_p: which tokens stay.

All of them look at tokens that are already ranked: distances ascending, their weights beside them. What stays is then always a
slice of the ranking, so each function answers with its ends and moves nothing. temperature is in the weights (:func:`weigh`).
Holds no ids and no choice.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=64)
def _ratio(part: float) -> tuple[int, int]:
    """The fraction that was written: 0.1 is 1/10, not the binary number beside it."""
    return Decimal(repr(float(part))).as_integer_ratio()


def share(part: float, total: int) -> int:
    """The smallest whole weight that is at least ``part`` of the total, at least 1; exact.

    What top_p and typical_p call their mass (statements parameters.top_p.keeps, parameters.typical_p.keeps).

    >>> share(0.5, 10), share(0.5, 11), share(0.1, 10), share(0.0, 11)
    (5, 6, 1, 1)
    """
    numerator, denominator = _ratio(part)
    return max(1, -(-numerator * total // denominator))


def keep_top_k(distances: NDArray[np.int64], top_k: int) -> int:
    """How many tokens stay: the top_k nearest and whatever ties with the last of them.

    Fan et al. 2018, https://arxiv.org/abs/1805.04833.

    >>> keep_top_k(np.array([0, 5, 5, 9]), 2)
    3
    """
    if top_k >= distances.size:
        return distances.size
    return int(distances.searchsorted(distances[top_k - 1], "right"))


def keep_top_p(cumulative: NDArray[np.int64], total: int, top_p: float) -> int:
    """How many tokens stay: the fewest that carry top_p of the total, the token that reaches it included.

    Holtzman et al. 2020, https://arxiv.org/abs/1904.09751. A token stays when the weight before it is below top_p * total.

    >>> keep_top_p(np.cumsum([4, 3, 2, 1]), 10, 0.7), keep_top_p(np.cumsum([4, 3, 2, 1]), 10, 0.75)
    (2, 3)
    """
    return min(int(cumulative.searchsorted(share(top_p, total), "left")) + 1, cumulative.size)


def mean_distance(distances: NDArray[np.int64], weights: NDArray[np.int64], total: int) -> int:
    """Sum of weight * distance over the total of the weights, rounded down; exact.

    The entropy of Meister et al. 2023 (see keep_typical), https://arxiv.org/abs/2202.00666, but for log Z.

    Distances (ascending) are taken a few bits at a time, so few that no sum reaches 2^63.

    >>> mean_distance(np.array([0, 8]), np.array([3, 1]), 4)
    2
    """
    bits = max(63 - total.bit_length(), 1)
    products = 0
    for shift in range(0, distances.item(-1).bit_length(), bits):
        products += int(weights @ (distances >> shift & ((1 << bits) - 1))) << shift
    return products // total


def keep_typical(
    distances: NDArray[np.int64], weights: NDArray[np.int64], cumulative: NDArray[np.int64], typical_p: float
) -> tuple[int, int]:
    """Ends of the slice that stays: the tokens whose information is nearest to the expected one, until they carry typical_p.

    Meister et al. 2023, https://arxiv.org/abs/2202.00666. The information of a token is -logp, the expected one the entropy H.
    Since -logp = distance/T + log Z and H = mean distance/T + log Z, | -logp - H | is | distance - mean distance | / T: no
    logarithm is needed, and what stays is a window around the mean distance. Ties with the last one stay, so at least one does.

    >>> weights = np.array([4, 3, 2, 1])
    >>> keep_typical(np.array([0, 40, 50, 90]), weights, weights.cumsum(), 0.4)
    (1, 3)
    """
    total = int(cumulative[-1])
    mean = mean_distance(distances, weights, total)
    middle = int(distances.searchsorted(mean))
    # outwards from the mean, below it and above it: two runs in order, which a stable sort merges
    shifted = np.concatenate(((mean - distances[:middle])[::-1], distances[middle:] - mean))
    outwards = np.concatenate((weights[:middle][::-1], weights[middle:]))
    order = shifted.argsort(kind="stable")
    last = int(outwards[order].cumsum().searchsorted(share(typical_p, total), "left"))
    widest = int(shifted[order[last]])
    return int(distances.searchsorted(mean - widest, "left")), int(distances.searchsorted(mean + widest, "right"))
