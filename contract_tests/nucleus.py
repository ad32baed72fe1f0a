"""Which tokens a filter keeps, worked out from what an endpoint tells of a distribution. Numbers only."""

from __future__ import annotations

import math


def kept_by_top_p(probabilities: list[float], mass: float) -> int:
    """How many of the sorted probabilities the smallest set of at least ``mass`` takes (Holtzman et al. 2020): [.5, .3, .2], .6 -> 2."""
    total = 0.0
    for count, probability in enumerate(probabilities, 1):
        total += probability
        if total >= mass:
            return count
    return len(probabilities)


def surely_not_typical(surprisals: list[float], mass: float, place: int, tail_entropy: tuple[float, float]) -> bool:
    """Whether the candidate at ``place`` is outside the typical set for every entropy that the unseen tail allows.

    ``surprisals`` are -log p of the visible candidates in nats, ``tail_entropy`` bounds the tail's part of the entropy.
    A token is out when tokens strictly nearer to the entropy carry ``mass`` already (Meister et al. 2022, arXiv:2202.00666).
    """
    visible = sum(math.exp(-value) * value for value in surprisals)
    low, high = (visible + part for part in tail_entropy)
    own = surprisals[place]
    middles = [(own + value) / 2 for value in surprisals if low < (own + value) / 2 < high]
    for entropy in (low, high, *(middle + shift for middle in middles for shift in (-1e-6, 1e-6))):
        nearer = sum(math.exp(-value) for value in surprisals if abs(value - entropy) < abs(own - entropy) - 1e-6)
        if nearer < mass + 1e-3:
            return False
    return True


LARGEST_VOCABULARY = 2**20
"""Tokens that no vocabulary in use exceeds: bounds the entropy of what is not told."""


def tail_entropy_bounds(surprisals: list[float]) -> tuple[float, float]:
    """Least and most entropy, in nats, that the probability not told can add; each unseen token is at most as likely as the last seen."""
    tail = max(0.0, 1.0 - sum(math.exp(-value) for value in surprisals))
    if tail < 1e-9:
        return 0.0, 0.0
    return tail * max(surprisals), tail * math.log(LARGEST_VOCABULARY / tail)
