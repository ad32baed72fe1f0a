"""The distribution that sampling parameters leave of the next token, worked out from what an endpoint tells of the whole one.

The page names no order in which they act, and known servers differ, so there is a law for each order. Numbers only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations, permutations

from contract_tests.nucleus import LARGEST_VOCABULARY, TIE, kept_by_top_p, surely_not_typical, surely_typical

MARGIN = 0.003
"""How near a boundary may lie to a cumulative probability before rounding decides which side it is on."""


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """Weights of the told tokens, the likeliest first, and bounds of the weight of all that are not told, in the same unit.

    {7: .5, 3: .3} with ``least`` = ``most`` = .2 is a whole distribution of which two tokens are told.
    ``out`` are tokens that were told and are surely gone; with ``certain`` False, any of ``weights`` may be gone as well.
    """

    weights: Mapping[int, float]
    least: float = 0.0
    most: float = 0.0
    out: frozenset[int] = frozenset()
    certain: bool = True
    untold: int = LARGEST_VOCABULARY
    """how many tokens there are at most that are not told"""

    @property
    def whole(self) -> bool:
        """Whether the told tokens are all that is left."""
        return self.certain and self.most == 0

    def logprobs(self) -> dict[int, float]:
        """id -> log of its share among the told tokens: its logprob, where the law is whole."""
        total = sum(self.weights.values())
        return {id: math.log(weight / total) for id, weight in self.weights.items()}

    def only(self, ids: Iterable[int]) -> Law:
        """These tokens and nothing else."""
        stay = set(ids)
        return Law({id: weight for id, weight in self.weights.items() if id in stay}, out=self.out | (self.weights.keys() - stay))

    def at_most(self, ids: Iterable[int]) -> Law:
        """No told token but these, and it is not known which of them."""
        left = self.only(ids)
        return replace(left, least=0.0, most=self.most, certain=False)


LEAST = -600.0
"""A logprob below which a candidate is as good as not told: its probability is too small for a number."""


def told(logprobs: Mapping[int, float]) -> Law:
    """The law of a next token of which ``logprobs`` are told."""
    weights = {id: math.exp(value) for id, value in sorted(logprobs.items(), key=lambda item: -item[1]) if value > LEAST}
    tail = max(0.0, 1.0 - sum(weights.values()))
    return Law(weights, tail, tail) if tail > MARGIN else Law(weights, 0.0, tail)


def temper(law: Law, temperature: float) -> Law | None:
    """Each weight to the power of 1 / temperature; no token of the tail weighs more than the last that is told."""
    power = 1.0 / temperature
    weights = {id: weight**power for id, weight in law.weights.items()}
    if not weights or min(law.weights.values()) <= 0 or min(weights.values()) <= 0:
        return None
    last = min(law.weights.values())
    steep = (law.least * last ** (power - 1), law.most * last ** (power - 1))
    spread = tuple(law.untold * (mass / law.untold) ** power if mass else 0.0 for mass in (law.least, law.most))
    least, most = (spread[0], steep[1]) if power >= 1 else (steep[0], spread[1])
    return replace(law, weights=weights, least=least, most=most)


def keep_top_k(law: Law, k: int) -> Law:
    """The k heaviest, and what may tie with the last of them."""
    weights = list(law.weights.items())
    if not law.certain:
        return law
    if k >= len(weights):
        # reaches into the tail: all that are told stay, with some of it, and as many again that tie with the last of those
        untold = min(law.untold, 2 * k - len(weights))
        most = min(law.most, untold * min(law.weights.values(), default=0.0))
        return law if law.whole else replace(law, least=0.0, most=most, untold=untold)
    near = _ties(weights, k)
    return law.at_most(near) if len(near) > k else law.only(near)


def keep_top_p(law: Law, mass: float) -> Law:
    """The smallest set that reaches ``mass``, as far as rounding and the tail let it be known."""
    if not law.certain:
        return law
    weights = list(law.weights.items())
    kept = set()
    for tail in (law.least, law.most):
        total = sum(law.weights.values()) + tail
        for aim in (mass - MARGIN, mass + MARGIN):
            reached = sum(law.weights.values()) / total >= aim
            kept.add(kept_by_top_p([weight / total for _, weight in weights], aim) if reached else len(weights) + 1)
    count = max(kept)
    if count > len(weights):
        return replace(law, least=0.0, certain=min(kept) > len(weights))
    near = _ties(weights, count)
    # the last that is told may tie with one that is not
    known = len(kept) == 1 and len(near) == count and (count < len(weights) or law.whole)
    return law.only(near) if known else law.at_most(near)


def _ties(weights: list[tuple[int, float]], count: int) -> list[int]:
    """The first ``count`` tokens and those behind them that may change places with the last."""
    floor = weights[count - 1][1] * math.exp(-TIE)
    return [id for place, (id, weight) in enumerate(weights) if place < count or weight >= floor]


def keep_typical(law: Law, mass: float) -> Law:
    """The tokens nearest to the entropy that reach ``mass`` (Meister et al. 2022), as far as rounding and the tail let it be known.

    Surprisals and entropy both count from log Z, Z the unknown total, so that Z only matters to how much of it the nearer ones carry.
    """
    if not law.certain:
        return law
    ids, surprisals = list(law.weights), [-math.log(weight) for weight in law.weights.values()]
    seen = sum(weight * value for weight, value in zip(law.weights.values(), surprisals, strict=True))
    total = sum(law.weights.values())
    spread = law.most * math.log(LARGEST_VOCABULARY / law.most) if law.most else 0.0
    entropies = (seen + law.least * max(surprisals)) / (total + law.most), (seen + spread) / (total + law.least)
    aim = (mass + MARGIN) * (total + law.most)
    out = {id for place, id in enumerate(ids) if surely_not_typical(surprisals, aim, place, entropies)}
    reach = (mass - MARGIN) * (total + law.least)
    kept = {
        id for place, id in enumerate(ids) if id not in out and surely_typical(surprisals, reach, place, entropies, law.most)
    }
    # a tail behind a last token that is out, and lies above the entropy, is out as well
    known = out | kept == set(ids) and (law.most == 0 or (ids[-1] in out and surprisals[-1] > entropies[1]))
    return law.only(kept) if known else law.at_most(set(ids) - out)


ACTIONS = {"temperature": temper, "top_k": keep_top_k, "top_p": keep_top_p, "typical_p": keep_typical}
"""What each sampling parameter does to a law."""


def laws(raw: Law, parameters: Mapping[str, float]) -> list[Law | None]:
    """What ``parameters`` leave, for each order in which they may act; None where that is nothing, or too small for a number."""
    if not raw.weights:
        return [None]
    return [*_in_each_order(raw, {name: parameters[name] for name in sorted(parameters)})]


def _in_each_order(law: Law | None, parameters: Mapping[str, float]) -> Iterator[Law | None]:
    """What is left for each order, in the order of ``itertools.permutations``; orders that begin alike share their beginning."""
    if not parameters:
        yield law
    for name, value in parameters.items():
        yield from _in_each_order(_apply(law, [(name, value)]), _without(parameters, name))


def _apply(law: Law | None, steps: Iterable[tuple[str, float]]) -> Law | None:
    for name, value in steps:
        if law is None:
            return None
        law = _step(law, name, value)
    return law


@lru_cache(maxsize=4096)
def _step(law: Law, name: str, value: float) -> Law | None:
    """What one parameter leaves; remembered for that very ``law``, since those who look for telling values try many that begin alike."""
    return ACTIONS[name](law, value)  # type: ignore[arg-type]  # top_k takes an integer, the others a number


MOVE = "move"


def moved_laws(bare: Law, moved: Law, parameters: Mapping[str, float]) -> list[Law | None]:
    """As ``laws``, beside something that took ``bare`` to ``moved`` by itself, as a penalty does, wherever it acts among them.

    What adds to logits adds as much behind a temperature as before it; what divides them moves them by as much less as they became.
    """
    found = laws(moved, parameters)
    if not bare.weights:
        return found
    shift = {id: math.log(moved.weights[id] / weight) for id, weight in bare.weights.items() if id in moved.weights}
    for order in permutations([*sorted(parameters), MOVE]):
        for divides in (False, True) if order[0] != MOVE else ():
            place = order.index(MOVE)
            temperature = parameters["temperature"] if divides and "temperature" in order[:place] else 1.0
            before, behind = ([(name, parameters[name]) for name in part] for part in (order[:place], order[place + 1 :]))
            law = _apply(bare, before)
            found.append(law and _apply(_shifted(law, shift, temperature), behind))
    return found


def _shifted(law: Law, shift: Mapping[int, float], temperature: float) -> Law:
    """Each weight as much larger as ``shift`` (in nats) says at this temperature; of a token that it does not tell, nothing is known."""
    weights = {id: weight * math.exp(shift[id] / temperature) for id, weight in law.weights.items() if id in shift}
    ranked = dict(sorted(weights.items(), key=lambda item: -item[1]))
    return replace(law, weights=ranked, certain=law.certain and len(weights) == len(law.weights))


def agrees(reported: Mapping[int, float], law: Law, *, tolerance: float, most: int) -> bool:
    """Whether the reported logprobs (at most ``most`` of them) may be those of ``law``, within ``tolerance`` nats."""
    expected = law.logprobs()
    left = {id: value for id, value in reported.items() if value > NOTHING}
    if law.whole:
        due = list(expected)[:most]
        return left.keys() <= expected.keys() and all(
            id in reported and abs(reported[id] - expected[id]) <= tolerance for id in due
        )
    if not law.out.isdisjoint(left):
        return False
    shared = [id for id in expected if id in (reported if law.certain else left)]
    if law.certain and (len(shared) < 2 or _weighs_otherwise(reported, law, tolerance)):
        return False
    return all(
        abs((reported[shared[0]] - reported[id]) - (expected[shared[0]] - expected[id]))
        <= tolerance + 0.01 * (expected[shared[0]] - expected[id])
        for id in shared
    )


def _weighs_otherwise(reported: Mapping[int, float], law: Law, tolerance: float) -> bool:
    """Whether the likeliest has another share of the whole than any tail within its bounds leaves it."""
    id, weight = next(iter(law.weights.items()))
    total = sum(law.weights.values())
    low, high = (math.log(weight / (total + tail)) for tail in (law.most, law.least))
    return id in reported and not low - tolerance <= reported[id] <= high + tolerance


NOTHING = -20.0
"""A logprob below which a reported candidate has been removed: some servers fill the list up with those."""


CLEAR = 0.2
"""Nats by which two laws must differ, so that no rounding makes one look like the other."""


def usual(raw: Law, parameters: Mapping[str, float]) -> Law | None:
    """What ``parameters`` leave in the order of ``ACTIONS``, in which most servers apply them."""
    return _apply(raw, [(name, parameters[name]) for name in ACTIONS if name in parameters]) if raw.weights else None


def tells(raw: Law, parameters: Mapping[str, float], name: str) -> bool:
    """Whether most servers would leave, without the one of that ``name``, what these parameters leave in no order.

    Of .4, .3, .2 and .1 `top_k` 2 tells nothing beside `top_p` .6, which keeps the same two.
    """
    return tells_from(raw, parameters, _without(parameters, name))


def tells_from(raw: Law, parameters: Mapping[str, float], others: Mapping[str, float]) -> bool:
    """As ``tells``, of a server that takes ``parameters`` for these ``others``."""
    return _is_none_of(laws(raw, parameters), usual(raw, others))


def _without(parameters: Mapping[str, float], name: str) -> dict[str, float]:
    return {other: value for other, value in parameters.items() if other != name}


def _is_none_of(possible: Iterable[Law | None], left: Law | None) -> bool:
    """Whether ``left`` is clearly none of these laws."""
    return left is not None and not any(
        law is None or agrees(left.logprobs(), law, tolerance=CLEAR, most=len(law.weights)) for law in possible
    )


def losses(bare: Law, moved: Law, parameters: Mapping[str, float]) -> Iterator[tuple[frozenset[str], Law]]:
    """What some of ``parameters`` and ``MOVE`` leave if the others are lost, with what those are; see ``moved_laws``."""
    for count in range(len(parameters) + 1):
        for names in combinations(parameters, count):
            kept = {name: parameters[name] for name in names}
            lost = frozenset(parameters.keys() - kept.keys())
            if lost:
                yield from ((lost, law) for law in moved_laws(bare, moved, kept) if law is not None)
            yield from ((lost | {MOVE}, law) for law in laws(bare, kept) if law is not None)


def tells_each(bare: Law, moved: Law, parameters: Mapping[str, float]) -> bool:
    """As ``tells``, of each of ``parameters`` and of what moved the law."""
    possible = moved_laws(bare, moved, parameters)
    without = [usual(bare, parameters), *(usual(moved, _without(parameters, name)) for name in parameters)]
    return all(law is None or law.certain for law in possible) and all(_is_none_of(possible, left) for left in without)
