"""The distribution that sampling parameters leave of the next token, worked out from what an endpoint tells of the whole one.

The page names no order in which they act, and known servers differ, so there is a law for each order. Numbers only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations

from contract_tests.nucleus import LARGEST_VOCABULARY, kept_by_top_p

MARGIN = 0.003
"""How near a boundary may lie to a cumulative probability before rounding decides which side it is on."""

TIE = 0.01
"""Nats within which two candidates may change places by rounding."""


@dataclass(frozen=True, slots=True)
class Law:
    """Weights of the told tokens, the likeliest first, and bounds of the weight of all that are not told, in the same unit.

    {7: .5, 3: .3} with ``least`` = ``most`` = .2 is a whole distribution of which two tokens are told.
    """

    weights: Mapping[int, float]
    least: float = 0.0
    most: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether the told tokens are all that is left."""
        return self.most == 0

    def logprobs(self) -> dict[int, float]:
        """id -> log of its share among the told tokens: its logprob, where the law is whole."""
        total = sum(self.weights.values())
        return {id: math.log(weight / total) for id, weight in self.weights.items()}


def told(logprobs: Mapping[int, float]) -> Law:
    """The law of a next token of which ``logprobs`` are told."""
    weights = {id: math.exp(value) for id, value in sorted(logprobs.items(), key=lambda item: -item[1])}
    tail = max(0.0, 1.0 - sum(weights.values()))
    return Law(weights, tail, tail) if tail > MARGIN else Law(weights, 0.0, tail)


def temper(law: Law, temperature: float) -> Law | None:
    """Each weight to the power of 1 / temperature; no token of the tail weighs more than the last that is told."""
    power = 1.0 / temperature
    weights = {id: weight**power for id, weight in law.weights.items()}
    last = min(law.weights.values())
    if last <= 0 or min(weights.values()) <= 0:
        return None
    steep = (law.least * last ** (power - 1), law.most * last ** (power - 1))
    spread = tuple(LARGEST_VOCABULARY * (mass / LARGEST_VOCABULARY) ** power if mass else 0.0 for mass in (law.least, law.most))
    return Law(weights, spread[0], steep[1]) if power >= 1 else Law(weights, steep[0], spread[1])


def keep_top_k(law: Law, k: int) -> Law | None:
    """The k heaviest; None where the boundary is a tie, or behind what is told."""
    weights = list(law.weights.values())
    if k >= len(weights):
        return law if law.whole else None
    if math.log(weights[k - 1] / weights[k]) < TIE:
        return None
    return Law(dict(list(law.weights.items())[:k]))


def keep_top_p(law: Law, mass: float) -> Law | None:
    """The smallest set that reaches ``mass``; None where rounding or the tail decides which it is."""
    weights = list(law.weights.values())
    kept = set()
    for tail in (law.least, law.most):
        total = sum(weights) + tail
        for aim in (mass - MARGIN, mass + MARGIN):
            reached = sum(weights) / total >= aim
            kept.add(kept_by_top_p([weight / total for weight in weights], aim) if reached else len(weights) + 1)
    if len(kept) > 1:
        return None
    return _prefix(law, kept.pop())


def _prefix(law: Law, count: int) -> Law | None:
    weights = list(law.weights.values())
    if count > len(weights):
        return Law(law.weights, 0.0, law.most)  # reaches into the tail: all that are told stay, with some of it
    if count < len(weights) and math.log(weights[count - 1] / weights[count]) < TIE:
        return None
    if count == len(weights) and not law.whole:
        return None
    return Law(dict(list(law.weights.items())[:count]))


def keep_typical(law: Law, mass: float) -> Law | None:
    """The tokens nearest to the entropy that reach ``mass`` (Meister et al. 2022); None unless all tokens are told."""
    if not law.whole:
        return None
    surprisals = {id: -value for id, value in law.logprobs().items()}
    entropy = sum(math.exp(-value) * value for value in surprisals.values())
    nearest = sorted(surprisals, key=lambda id: abs(surprisals[id] - entropy))
    distances = [abs(surprisals[id] - entropy) for id in nearest]
    kept = {kept_by_top_p([math.exp(-surprisals[id]) for id in nearest], aim) for aim in (mass - MARGIN, mass + MARGIN)}
    if len(kept) > 1:
        return None
    count = kept.pop()
    if count < len(nearest) and distances[count] - distances[count - 1] < TIE:
        return None
    stay = set(nearest[:count])
    return Law({id: weight for id, weight in law.weights.items() if id in stay})


ACTIONS = {"temperature": temper, "top_k": keep_top_k, "top_p": keep_top_p, "typical_p": keep_typical}
"""What each sampling parameter does to a law."""


def laws(raw: Law, parameters: Mapping[str, float]) -> list[Law | None]:
    """The law that ``parameters`` leave, for each order in which they may act; None where what is told does not suffice."""
    return [_apply(raw, [(name, parameters[name]) for name in order]) for order in permutations(sorted(parameters))]


def _apply(law: Law | None, steps: Iterable[tuple[str, float]]) -> Law | None:
    for name, value in steps:
        if law is None:
            return None
        law = ACTIONS[name](law, value)  # type: ignore[arg-type]  # top_k takes an integer, the others a number
    return law


def agrees(reported: Mapping[int, float], law: Law, *, tolerance: float, most: int) -> bool:
    """Whether the reported logprobs (at most ``most`` of them) are those of ``law``, within ``tolerance`` nats."""
    expected = law.logprobs()
    shared = [id for id in expected if id in reported]
    if law.whole:
        due = list(expected)[:most]
        rest = [value for id, value in reported.items() if id not in expected and value > NOTHING]
        return not rest and all(id in reported and abs(reported[id] - expected[id]) <= tolerance for id in due)
    if len(shared) < 2:
        return False
    best = shared[0]
    return all(
        abs((reported[best] - reported[id]) - (expected[best] - expected[id]))
        <= tolerance + 0.01 * (expected[best] - expected[id])
        for id in shared
    )


NOTHING = -20.0
"""A logprob below which a reported candidate has been removed: some servers fill the list up with those."""
