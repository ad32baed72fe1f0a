"""The watermark of Kirchenbauer et al. 2023, https://arxiv.org/abs/2301.10226: half of the tokens are green and favoured.

Which half depends on the token before (their algorithm 2, with a window of one). Green is decided token by token with a keyed
hash, so that nobody has to shuffle the vocabulary. Holds no text and no tokenizer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

GAMMA = 0.5
"""Share of the vocabulary that is green."""

DELTA = 2.0
"""What a green token gains, in nats."""

_GAIN = int(DELTA * 1024)
_LIMIT = np.iinfo(np.int32).max - _GAIN
_KEY = b"textgen-contract watermark"


def _mix(previous: int, ids: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """32 well mixed bits for each id (the finaliser of MurmurHash3, Appleby, public domain), keyed by the previous token."""
    seed = blake2b(previous.to_bytes(8, "little"), digest_size=8, key=_KEY).digest()
    h = ids ^ np.uint32(int.from_bytes(seed[:4], "little"))
    h *= np.uint32(int.from_bytes(seed[4:], "little") | 1)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h


def is_green(previous: int, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which of the ids are green after the token ``previous`` (Kirchenbauer et al., algorithm 2, step 2 and 3).

    >>> is_green(7, np.arange(8)).tolist()
    [False, True, False, False, True, True, True, False]
    """
    return _mix(previous, ids.astype(np.uint32)) < np.uint32(int(GAMMA * 2**32))


def apply_watermark(logits: NDArray[np.int32], previous: int) -> NDArray[np.int32]:
    """Logits (2^-10 nat) with DELTA added to the green ones; a new array (Kirchenbauer et al., algorithm 2, step 4).

    >>> apply_watermark(np.array([0, 0, 5, 5], np.int32), 7).tolist()
    [0, 2048, 5, 5]
    """
    green = is_green(previous, np.arange(logits.size, dtype=np.uint32))
    return np.clip(logits, -_LIMIT, _LIMIT) + green.astype(np.int32) * np.int32(_GAIN)


def z_score(ids: Sequence[int]) -> float:
    """How many standard deviations more green tokens there are than chance gives; above 4 means watermarked.

    z = (green - gamma n) / sqrt(n gamma (1 - gamma)), equation 3 of the paper. A pair of tokens that comes again is counted
    once, since it says nothing new (Kirchenbauer et al. 2023b, https://arxiv.org/abs/2306.04634). Without a pair it is 0.

    >>> z_score([5])
    0.0
    >>> z_score([7, 1]), z_score([7, 0])  # 1 is green after 7 and 0 is not
    (1.0, -1.0)
    """
    pairs = set(pairwise(ids))
    if not pairs:
        return 0.0
    green = sum(bool(is_green(previous, np.array([token]))[0]) for previous, token in pairs)
    return (green - GAMMA * len(pairs)) / math.sqrt(len(pairs) * GAMMA * (1.0 - GAMMA))
