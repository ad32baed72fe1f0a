"""The choice: which of the kept tokens it is.

Greedy needs no function: it is the first of the ranking. Holds no generator and no state: the random word is a hash of where
we are.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def random_word(seed: int, step: int, sequence: int) -> int:
    """64 random bits: blake2b (RFC 7693) of the three numbers, each below 2^64, little endian.

    >>> random_word(0, 0, 0) == random_word(0, 0, 0) != random_word(0, 1, 0)
    True
    """
    return int.from_bytes(blake2b(struct.pack("<QQQ", seed, step, sequence), digest_size=8).digest(), "little")


def target(word: int, total: int) -> int:
    """The word as a number in 0..total-1, each as likely as the next but for one part in 2^64 / total.

    The high half of a product: Lemire 2019, https://arxiv.org/abs/1805.10941, without its step of rejection.

    >>> target(0, 10), target(2**63, 10), target(2**64 - 1, 10)
    (0, 5, 9)
    """
    return word * total >> 64


def draw(cumulative: NDArray[np.int64], word: int, total: int) -> int:
    """Place in the ranking, with the chance weight/total: the inverse of the cumulative weights at a random point.

    Devroye 1986, Non-Uniform Random Variate Generation, section III.2, http://luc.devroye.org/rnbookindex.html

    >>> draw(np.cumsum([4, 3, 2, 1]), 2**63, 10)
    1
    """
    return int(cumulative.searchsorted(target(word, total), "right"))


def count_top(distances: NDArray[np.int64], top_n_tokens: int) -> int:
    """How many of the ranking are the top_n_tokens likeliest, ties with the last one included.

    Statement parameters.top_n_tokens.likeliest; text-generation-inference, ``tokens.py``, ``batch_top_tokens``.

    >>> count_top(np.array([0, 4, 4, 9]), 2), count_top(np.array([0, 4, 4, 9]), 0), count_top(np.array([0]), 5)
    (3, 0, 1)
    """
    if top_n_tokens <= 0:
        return 0
    return int(distances.searchsorted(distances[min(top_n_tokens, distances.size) - 1], "right"))
