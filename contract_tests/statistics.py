"""Anytime-valid tests of draws against a stated law: an e-value, which may be looked at after every draw.

A test supermartingale (Ville 1939; Ramdas et al. 2023, arXiv:2210.01948): the average of likelihood ratios of alternatives fixed
beforehand against the null is expected to be at most 1 under the null, at every moment. By Ville's inequality a right server is accused
with probability at most ``ALPHA``, however long one looks. Knows no HTTP and no parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

ALPHA = 1e-6
"""Chance at most that a server whose draws follow the null is accused."""

Law = Mapping[int, float]
"""id -> probability, over the ids that are told; they sum to one."""


def tempered(logprobs: Mapping[int, float], temperature: float) -> dict[int, float]:
    """The law of the told ids at ``temperature``: p^(1/T), renormalised. {1: log .8, 2: log .2} at 0.5 -> {1: 16/17, 2: 1/17}."""
    top = max(logprobs.values())
    weights = {id: math.exp((value - top) / temperature) for id, value in logprobs.items()}
    total = sum(weights.values())
    return {id: weight / total for id, weight in weights.items()}


def guarded(probability: float) -> float:
    """An upper bound that rounding of 16-bit arithmetic and of batches does not pass; the test stays valid for every law below it."""
    return min(1.0, 1.02 * probability + 0.002)


def log_ratio(draws: Sequence[int], law: Law, null: Law) -> float:
    """log of the likelihood ratio of ``law`` against the guarded null; draws of other ids are left out."""
    return sum(math.log(max(law[id], 1e-300)) - math.log(guarded(null[id])) for id in draws if id in null)


def log_learning_ratio(draws: Sequence[int], null: Law) -> float:
    """As ``log_ratio`` for the Dirichlet(1/2) predictive, which learns whatever law the draws follow."""
    counts = dict.fromkeys(null, 0.5)
    total = 0.5 * len(counts)
    ratio = 0.0
    for id in draws:
        if id in counts:
            ratio += math.log(counts[id] / total) - math.log(guarded(null[id]))
            counts[id] += 1
            total += 1
    return ratio


def log_e_value(draws: Sequence[int], null: Law, alternatives: Sequence[Law]) -> float:
    """log of the average over the alternatives and the learning one: above log(1/ALPHA) the null is refused."""
    return log_average([log_ratio(draws, law, null) for law in alternatives] + [log_learning_ratio(draws, null)])


def refuses(draws: Sequence[int], null: Law, alternatives: Sequence[Law], *, alpha: float = ALPHA) -> bool:
    """Whether the draws refuse the null, at any moment of their coming; a right server's do with chance ``alpha`` at most."""
    limit = -math.log(alpha)
    return any(log_e_value(draws[:count], null, alternatives) > limit for count in range(1, len(draws) + 1))


UNTOLD = -1
"""Stands for all tokens that are not told."""


def log_ratios_of_places(places: Sequence[tuple[int, Law]], temperatures: Sequence[float]) -> list[float]:
    """log of the likelihood ratio of each alternative against the guarded laws as told, over draws that each have a law of their own.

    ``places`` holds (drawn id, id -> probability of those that are told). The alternatives are the same laws at other temperatures;
    what is not told is one more outcome, so that each of them sums to one.
    """
    return [sum(_place_ratio(id, law, temperature) for id, law in places) for temperature in temperatures]


def log_average(ratios: Sequence[float]) -> float:
    """log of the average of exp(ratio): the evidence of alternatives that were fixed beforehand."""
    top = max(ratios)
    return top + math.log(sum(math.exp(ratio - top) for ratio in ratios) / len(ratios))


def _place_ratio(id: int, law: Law, temperature: float) -> float:
    outcomes = {**law, UNTOLD: max(0.0, 1.0 - sum(law.values()))}
    drawn = id if id in law else UNTOLD
    acts = tempered({each: math.log(max(value, 1e-12)) for each, value in outcomes.items()}, temperature)
    return math.log(max(acts[drawn], 1e-300)) - math.log(guarded(outcomes[drawn]))


def tells_apart(draws: Sequence[int], null: Law, alternatives: Sequence[Law], factor: float = 1000.0) -> bool:
    """Whether the draws speak for the null against each alternative by ``factor``: only then is not refusing it a finding."""
    return all(log_ratio(draws, law, null) < -math.log(factor) for law in alternatives)


def draws_needed(null: Law, alternatives: Sequence[Law]) -> int:
    """About how many draws of the nearest alternative would refuse the null: log(1/ALPHA) by the divergence of a draw."""
    gains = [sum(p * (math.log(max(p, 1e-300)) - math.log(guarded(null[id]))) for id, p in law.items()) for law in alternatives]
    least = min(gains, default=0.0)
    return math.ceil(-math.log(ALPHA) / least) if least > 1e-4 else 100_000


# ---------------------------------------------------------------- the same draw twice
ROUNDING = 0.02
"""Chance at most that the rounding of a real GPU lets two runs of the same draw part at a given token."""

PARTS = (0.9, 0.3)
"""Shares of the pairs that part, of servers that do not draw the same again; seven tokens of ten do not yet part."""


def log_e_of_partings(places: Sequence[int | None]) -> float:
    """log of the evidence that pairs, which should draw the same, part by more than rounding.

    ``places`` holds for each pair the place (from 1) at which the two part, None where they do not. A right server's pair parts at a
    given place with chance ``ROUNDING`` at most, so that each alternative is a likelihood ratio expected to be at most 1.
    """
    return log_average([sum(_parting_ratio(place, share) for place in places) for share in PARTS])


def _parting_ratio(place: int | None, share: float) -> float:
    return math.log(1 - share) if place is None else math.log(share * 0.3 * 0.7 ** (place - 1) / ROUNDING)
