"""The watermark of Kirchenbauer et al. 2023, https://arxiv.org/abs/2301.10226: half of the tokens are green and favoured.

Which half depends on the two tokens before (their algorithm 2, with a window of two: text that comes back to a word does not
come back to the same green tokens). Green is decided token by token with a keyed hash, so that nobody has to shuffle the
vocabulary. Holds no text and no tokenizer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise, repeat

import numpy as np
from numpy.typing import NDArray

from mockserver.sampler.weights import weigh_steps

GAMMA = 0.5
"""Share of the vocabulary that is green."""

DELTA = 2.0
"""What a green token gains, in nats."""

WINDOW = 2
"""Tokens before that choose the green half; right after a prompt of one token it is that one alone."""

ENOUGH_TOKENS = 100
"""Tokens of a text that nearly always show a watermark where there is one."""

ENOUGH_PAIRS = 60
"""Pairs of tokens that differ in such a text, at least: ordinary text has about 85 in 100 tokens, text that goes in circles has 20."""

_GAIN = int(DELTA * 1024)
_LIMIT = np.iinfo(np.int32).max - _GAIN
_KEY = b"textgen-contract watermark"


def _mix(before: Sequence[int], ids: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """32 well mixed bits for each id (the finaliser of MurmurHash3, Appleby, public domain), keyed by the tokens before."""
    octets = b"".join(token.to_bytes(8, "little") for token in before[-WINDOW:])
    seed = blake2b(octets, digest_size=8, key=_KEY).digest()
    h = ids ^ np.uint32(int.from_bytes(seed[:4], "little"))
    h *= np.uint32(int.from_bytes(seed[4:], "little") | 1)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h


def is_green(before: Sequence[int], ids: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which of the ids are green after the tokens ``before``, of which the last two count (Kirchenbauer et al., algorithm 2, step 2 and 3).

    >>> is_green([3, 7], np.arange(8)).tolist()
    [False, True, False, False, False, True, False, True]
    """
    return _mix(before, ids.astype(np.uint32)) < np.uint32(int(GAMMA * 2**32))


def apply_watermark(logits: NDArray[np.int32], before: Sequence[int]) -> NDArray[np.int32]:
    """Logits (2^-10 nat) with DELTA added to the green ones; a new array (Kirchenbauer et al., algorithm 2, step 4).

    >>> apply_watermark(np.array([0, 0, 5, 5], np.int32), [3, 7]).tolist()
    [0, 2048, 5, 5]
    """
    green = is_green(before, np.arange(logits.size, dtype=np.uint32))
    return np.clip(logits, -_LIMIT, _LIMIT) + green.astype(np.int32) * np.int32(_GAIN)


@dataclass(frozen=True, slots=True)
class Told:
    """A text to be judged: its ids, of which the first ``given`` are the prompt's.

    ``logits``: what a model says before each token that is judged (see ``judged``).
    """

    ids: Sequence[int]
    logits: Iterable[NDArray[np.int32]] | None = None
    given: int = 0

    @staticmethod
    def judged(given: int, length: int) -> range:
        """Which of ``length`` ids are judged: those after the prompt, or, as nobody knows what stood before, from the third on.

        >>> Told.judged(5, 8), Told.judged(0, 8)
        (range(5, 8), range(2, 8))
        """
        return range(given or WINDOW, length)


def z_score(*texts: Told) -> float:
    """How many standard deviations more green tokens there are than chance gives; above 4 means watermarked.

    z = (green - gamma n) / sqrt(n gamma (1 - gamma)), equation 3 of the paper, over all texts together. Three tokens that
    come again are counted once, since they say nothing new (Kirchenbauer et al. 2023b, https://arxiv.org/abs/2306.04634).
    Without three tokens it is 0.

    With logits a token counts by how open the choice was: of green is taken, in place of gamma, the green share G that the
    model gave anyway, and the chance that is left is gamma (1 - gamma) ((1 - p)^2 + sum of the others' p^2). Over all keys
    green - G is 0 in the mean whatever the text, so ordinary text keeps its z; but a token that had to come (p near 1) no
    longer waters it down (as in Lu et al. 2024, https://arxiv.org/abs/2403.13485). A model that knows nothing gives equation 3.

    >>> z_score(Told([3, 7]))
    0.0
    >>> z_score(Told([3, 7, 1])), z_score(Told([3, 7, 0]))  # 1 is green after 3 and 7, and 0 is not
    (1.0, -1.0)
    >>> round(z_score(Told([3, 7, 1], [np.array([0, 0], np.int32)])), 3)  # of the two, half is green anyway: (1 - 1/2) / sqrt(1/4 * 1/2)
    1.414
    """
    found: dict[tuple[int, ...], tuple[float, float]] = {}
    for text in texts:
        rows = repeat(None) if text.logits is None else text.logits
        for place, row in zip(Told.judged(text.given, len(text.ids)), rows, strict=False):
            before, token = text.ids[max(0, place - WINDOW) : place], text.ids[place]
            excess, variance = _excess(before, token) if row is None else _open_excess(before, token, row)
            if variance > found.get((*before, token), (0.0, 0.0))[1]:
                found[*before, token] = excess, variance
    variances = math.fsum(variance for _, variance in found.values())
    return math.fsum(excess for excess, _ in found.values()) / math.sqrt(variances) if variances else 0.0


def is_long_enough(*texts: Sequence[int]) -> bool:
    """Whether a low z-score of these texts says that they carry no watermark, and not only that they are short or repeat themselves.

    >>> is_long_enough(range(100)), is_long_enough(range(99)), is_long_enough([1, 2, 3] * 100), is_long_enough(range(50), range(50, 100))
    (True, False, False, True)
    """
    pairs = {pair for ids in texts for pair in pairwise(ids)}
    return sum(map(len, texts)) >= ENOUGH_TOKENS and len(pairs) >= ENOUGH_PAIRS


def _excess(before: Sequence[int], token: int) -> tuple[float, float]:
    """Green beyond what is expected, and the variance of that over all keys."""
    return float(is_green(before, np.array([token]))[0]) - GAMMA, GAMMA * (1.0 - GAMMA)


def _open_excess(before: Sequence[int], token: int, row: NDArray[np.int32]) -> tuple[float, float]:
    """The same where the model's logits are known."""
    weights = weigh_steps(np.subtract(int(row.max()), row, dtype=np.int64), 1.0)
    shares = weights / int(weights.sum())
    green = is_green(before, np.arange(row.size))
    squares = float((shares * shares).sum()) - 2.0 * float(shares[token]) + 1.0  # (1 - p)^2 and the others' squares
    return float(green[token]) - float(shares[green].sum()), GAMMA * (1.0 - GAMMA) * squares
