"""Anytime-valid tests of draws against a stated law: an e-value, which may be looked at after every draw.

A test supermartingale (Ville 1939; Ramdas et al. 2023, arXiv:2210.01948): the average of likelihood ratios of alternatives fixed
beforehand against the null is expected to be at most 1 under the null, at every moment. By Ville's inequality a right server is accused
with probability at most ``ALPHA``, however long one looks. Knows no HTTP and no parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ALPHA = 1e-6
"""Chance at most that a server whose draws follow the null is accused."""

Law = Mapping[int, float]
"""id -> probability, over the ids that are told; they sum to one."""


Reading = Callable[[float], float]
"""As which temperature a wrong server takes the one that is asked for."""


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


@dataclass(frozen=True, slots=True)
class Batch:
    """Tokens drawn at one temperature, and the logprobs of those that are told of their law before it acts."""

    draws: list[int]
    logprobs: Mapping[int, float]
    temperature: float

    @property
    def null(self) -> dict[int, float]:
        return tempered(self.logprobs, self.temperature)


def log_e_value(batches: Sequence[Batch], readings: Sequence[Reading]) -> float:
    """log of the average over the readings and the learning one: above log(1/ALPHA) the nulls are refused.

    ``batches`` are draws at several temperatures, each of its own law; a reading says as which temperature a server takes each.
    """
    learning = sum(log_learning_ratio(batch.draws, batch.null) for batch in batches)
    return log_average([log_ratio_as(batches, reading) for reading in readings] + [learning])


def log_ratio_as(batches: Sequence[Batch], reading: Reading) -> float:
    """log of the likelihood ratio of a server that draws each batch at the temperature that ``reading`` makes of its own."""
    return sum(log_ratio(batch.draws, tempered(batch.logprobs, reading(batch.temperature)), batch.null) for batch in batches)


UNTOLD = -1
"""Stands for all tokens that are not told."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A token that was drawn at a place of a reply (from 1), the probabilities of those that are told of it, and what was asked for."""

    id: int
    law: Law
    place: int = 1
    temperature: float = 1.0

    @property
    def outcomes(self) -> dict[int, float]:
        """What is not told is one more outcome, so that they sum to one."""
        return {**self.law, UNTOLD: max(0.0, 1.0 - sum(self.law.values()))}

    @property
    def outcome(self) -> int:
        return self.id if self.id in self.law else UNTOLD


SPANS = ((1, 1), (1, 10**9), (2, 10**9), (9, 10**9))
"""Places, first and last, at which a wrong server may draw otherwise and nowhere else."""

SCALES = (2.0, math.log2(math.e))
"""How many times too large a wrong server may tell its logprobs: twice, or to the base of 2. Then what it does not tell seems likely."""

SHARES = (0.2, 0.6)
"""How often a wrong server may take the likeliest token in place of a draw."""


def log_ratios_of_places(places: Sequence[Drawn], readings: Sequence[Reading]) -> list[float]:
    """log of the likelihood ratio of each alternative against the guarded laws as told, over draws that each have a law of their own.

    The alternatives, each within each of ``SPANS``: the laws of other temperatures, those of logprobs told too large, or the likeliest
    token now and then; and one that learns by how much the first, second and so on of the ranking are favoured.
    """
    ratios = [[_place_ratio(drawn, _warmed(drawn, reading)) for drawn in places] for reading in readings]
    ratios += [_ratios_as_scaled(places, times) for times in SCALES]
    ratios += [[_place_ratio(drawn, _often_greedy(drawn.outcomes, share)) for drawn in places] for share in SHARES]
    within = [
        sum(ratio for ratio, drawn in zip(each, places, strict=True) if first <= drawn.place <= last)
        for each in ratios
        for first, last in SPANS
    ]
    return [*within, _learning_ranks(places)]


def log_ratios_of_readings(places: Sequence[Drawn], readings: Sequence[Reading]) -> list[float]:
    """The ratio of each reading, and of each scale, over all places: what must be small before draws are said to be as told."""
    read = [sum(_place_ratio(drawn, _warmed(drawn, reading)) for drawn in places) for reading in readings]
    return read + [sum(_ratios_as_scaled(places, times)) for times in SCALES]


def _ratios_as_scaled(places: Sequence[Drawn], times: float) -> list[float]:
    return [_place_ratio(drawn, _scaled(drawn, times)) for drawn in places]


def _scaled(drawn: Drawn, times: float) -> Law:
    """The law, if its logprobs were told ``times`` too large: what is not told is what those then leave."""
    weights = {id: p ** (1 / times) for id, p in drawn.law.items()}
    total = max(1.0, sum(weights.values()))
    return {**{id: weight / total for id, weight in weights.items()}, UNTOLD: 1.0 - sum(weights.values()) / total}


def _warmed(drawn: Drawn, reading: Reading) -> Law:
    """The law at another temperature; what is not told as if of tokens a fourth as likely as the last that is told."""
    power = drawn.temperature / reading(drawn.temperature)
    outcomes = drawn.outcomes
    told = {id: p for id, p in outcomes.items() if id != UNTOLD}
    top, least = max(told.values()), min(told.values())
    weights = {id: (max(p, 1e-300) / top) ** power for id, p in told.items()}
    weights[UNTOLD] = outcomes[UNTOLD] / top * (max(least, 1e-300) / 4 / top) ** (power - 1)
    total = sum(weights.values())
    return {id: weight / total for id, weight in weights.items()}


def _often_greedy(outcomes: Law, share: float) -> Law:
    likeliest = max((id for id in outcomes if id != UNTOLD), key=lambda id: outcomes[id])
    return {id: (1 - share) * p + share * (id == likeliest) for id, p in outcomes.items()}


def _learning_ranks(places: Sequence[Drawn]) -> float:
    """Each place is foretold by how often each rank came before, against how often it was to come."""
    seen: dict[int, float] = {}
    due: dict[int, float] = {}
    ratio = 0.0
    for drawn in places:
        outcomes = drawn.outcomes
        ranked = sorted(drawn.law, key=lambda id: -drawn.law[id])
        ranks = {id: rank for rank, id in enumerate(ranked)} | {UNTOLD: UNTOLD}
        weights = {
            id: p * (seen.get(ranks[id], 0.0) + CAUTION) / (due.get(ranks[id], 0.0) + CAUTION) for id, p in outcomes.items()
        }
        total = sum(weights.values())
        ratio += _place_ratio(drawn, {id: weight / total for id, weight in weights.items()})
        seen[ranks[drawn.outcome]] = seen.get(ranks[drawn.outcome], 0.0) + 1
        for id, p in outcomes.items():
            due[ranks[id]] = due.get(ranks[id], 0.0) + p
    return ratio


CAUTION = 3.0
"""Draws of a rank that are thought to have come as told before the first."""


def log_average(ratios: Sequence[float]) -> float:
    """log of the average of exp(ratio): the evidence of alternatives that were fixed beforehand."""
    top = max(ratios)
    return top + math.log(sum(math.exp(ratio - top) for ratio in ratios) / len(ratios))


def _place_ratio(drawn: Drawn, acts: Law) -> float:
    return math.log(max(acts[drawn.outcome], 1e-300)) - math.log(guarded(drawn.outcomes[drawn.outcome]))


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


ENOUGH = -math.log(ALPHA / 8)
"""Evidence at which pairs part too often: one clause judges up to eight series of them, among which ``ALPHA`` is divided."""


def log_e_of_partings(places: Sequence[int | None]) -> float:
    """log of the evidence that pairs, which should draw the same, part by more than rounding.

    ``places`` holds for each pair the place (from 1) at which the two part, None where they do not. A right server's pair parts at a
    given place with chance ``ROUNDING`` at most, so that each alternative is a likelihood ratio expected to be at most 1.
    """
    return log_average([sum(_parting_ratio(place, share) for place in places) for share in PARTS])


def _parting_ratio(place: int | None, share: float) -> float:
    return math.log(1 - share) if place is None else math.log(share * 0.3 * 0.7 ** (place - 1) / ROUNDING)
