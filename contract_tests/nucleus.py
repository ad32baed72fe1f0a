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


def surely_not_typical(surprisals: list[float], mass: float, place: int, entropies: tuple[float, float]) -> bool:
    """Whether the candidate at ``place`` is outside the typical set for every entropy between these two.

    ``surprisals`` are -log p of the visible candidates in nats. A token is out when tokens nearer to the entropy, by more than rounding,
    carry ``mass`` already (Meister et al. 2022, arXiv:2202.00666).
    """
    own = surprisals[place]
    candidates = [(value, math.exp(-value)) for value in surprisals]
    for entropy in _where_order_changes(surprisals, own, entropies):
        near = abs(own - entropy) - TIE
        if sum([weight for value, weight in candidates if abs(value - entropy) < near]) < mass:
            return False
    return True


def surely_typical(surprisals: list[float], mass: float, place: int, entropies: tuple[float, float], tail: float) -> bool:
    """Whether the candidate at ``place`` is in the typical set for every entropy between these two, wherever ``tail`` lies.

    A token is in when all that may be nearer carry less than ``mass``.
    """
    own, last = surprisals[place], max(surprisals)
    others = [(value, math.exp(-value)) for other, value in enumerate(surprisals) if other != place]
    for entropy in _where_order_changes(surprisals, own, entropies):
        near = abs(own - entropy) + TIE
        if sum([weight for value, weight in others if abs(value - entropy) < near], tail if last - entropy < near else 0.0) >= mass:
            return False
    return True


def _where_order_changes(surprisals: list[float], own: float, entropies: tuple[float, float]) -> list[float]:
    """Entropies between which none of the others becomes nearer than ``own``, or ceases to be: judged at these, judged at all."""
    low, high = entropies
    if low == high:
        return [low]
    edges = [(own + value + side * TIE) / 2 + shift for value in surprisals for side in (-1, 1) for shift in (-1e-6, 1e-6)]
    return [low, high, *(edge for edge in edges if low < edge < high)]


TIE = 0.01
"""Nats within which two candidates may change places by rounding."""

LARGEST_VOCABULARY = 2**20
"""Tokens that no vocabulary in use exceeds: bounds the entropy of what is not told."""


def entropy_bounds(surprisals: list[float]) -> tuple[float, float]:
    """Least and most entropy, in nats, of a distribution of which these are told; each unseen token is at most as likely as the last."""
    seen = sum(math.exp(-value) * value for value in surprisals)
    tail = max(0.0, 1.0 - sum(math.exp(-value) for value in surprisals))
    if tail < 1e-9:
        return seen, seen
    return seen + tail * max(surprisals), seen + tail * math.log(LARGEST_VOCABULARY / tail)
