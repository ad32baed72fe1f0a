"""The ranking: tokens by distance from the best one, ties by lowest id; as much of it as a step needs.

A vocabulary is long and a step looks at little of it, so sorting all of it is the last resort: ``nearest`` finds the first k by
the largest values of blocks, ``covering`` finds the tokens that carry a given weight. Whatever the way, what comes out is the
beginning of the same ranking, with the same numbers: the order of text-generation-inference (``logits_process.py``, a whole sort for
each warper), with ties told apart by id, which a sort there leaves open. Knows nothing of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mockserver.sampler.weights import ID_BITS, ONE, STEP_BITS, weigh, weigh_steps, weigh_vocabulary

_ID_MASK = (1 << ID_BITS) - 1
_GONE = int(np.iinfo(np.int32).min)
_SORT_BELOW = 400  # up to here one sort of packed keys is faster than a radix sort
_BLOCK = 64
_SHORT = 1 << 14
_SAMPLE = 1024
_FEW = 48
_PEAKED = 4 * ONE
_DISTANCE_OF_BEST, _WEIGHT_OF_BEST = np.array([0]), np.array([ONE])
for _shared in (_DISTANCE_OF_BEST, _WEIGHT_OF_BEST):
    _shared.flags.writeable = False


class Ranking(NamedTuple):
    """Tokens in order: ids, distances (2^-20 nat), weights and their running sums.

    ``total`` weighs everything that is left, tokens that were not looked at included.
    """

    ids: NDArray[np.int64]
    distances: NDArray[np.int64]
    weights: NDArray[np.int64]
    cumulative: NDArray[np.int64]
    total: int

    def first(self, count: int) -> Ranking:
        """The first ``count`` tokens and nothing else.

        >>> rank(np.array([7, 3]), np.array([1 << 20, 2 << 20]), 1.0).first(1).ids.tolist()
        [3]
        """
        cumulative = self.cumulative[:count]
        return Ranking(self.ids[:count], self.distances[:count], self.weights[:count], cumulative, int(cumulative[-1]))


def rank(ids: NDArray[np.int64], scores: NDArray[np.int64], temperature: float) -> Ranking:
    """All of these tokens in order; scores in 2^-20 nat. One sort of distance and id packed into one number.

    >>> rank(np.array([5, 6, 7]), np.array([9, 11, 11]), 1.0).ids.tolist()
    [6, 7, 5]
    """
    ids, distances = _unpack(np.sort(-scores << ID_BITS | ids))
    return weighed(ids, distances, weigh(distances, temperature))


def _unpack(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids and distances from the first, of sorted keys that hold a distance from anywhere and an id.

    >>> [array.tolist() for array in _unpack(np.array([-1 << ID_BITS | 3, 7 << ID_BITS | 2]))]
    [[3, 2], [0, 8]]
    """
    distances = keys >> ID_BITS
    distances -= distances[0]
    return keys & _ID_MASK, distances


def weighed(ids: NDArray[np.int64], distances: NDArray[np.int64], weights: NDArray[np.int64]) -> Ranking:
    """The ranking of tokens that are already in order.

    >>> weighed(np.array([4, 2]), np.array([0, 1 << 20]), np.array([30, 10])).cumulative.tolist()
    [30, 40]
    """
    cumulative = weights.cumsum()
    return Ranking(ids, distances, weights, cumulative, int(cumulative[-1]))


class Scores:
    """Scores of the allowed tokens: ``logits`` in 2^-10 nat, but for the few at ``moved``, whose scores are in 2^-20 nat.

    A place is an index into ``logits``; ``tokens`` gives its id when only some tokens are allowed (ascending), None when all are.
    """

    __slots__ = ("_logits", "_moved", "_moved_scores", "_temperature", "_tokens", "_unmoved")

    def __init__(
        self,
        logits: NDArray[np.int32],
        moved: NDArray[np.int64],
        moved_scores: NDArray[np.int64],
        temperature: float,
        tokens: NDArray[np.int64] | None = None,
    ) -> None:
        self._logits = logits
        self._moved = moved
        self._moved_scores = moved_scores
        self._temperature = temperature
        self._tokens = tokens
        self._unmoved = logits
        if moved.size:
            self._unmoved = logits.copy()
            self._unmoved[moved] = _GONE

    def all(self) -> Ranking:
        """Every token.

        >>> Scores(np.array([0, 2, 1], np.int32), np.array([1]), np.array([512]), 1.0).all().distances.tolist()
        [0, 512, 1024]
        """
        unmoved = np.ones(self._logits.size, np.bool_)
        unmoved[self._moved] = False
        return self._rank(unmoved.nonzero()[0], self._moved, self._moved_scores)

    def nearest(self, k: int) -> Ranking:
        """At least the nearest k and whatever ties with the last of them.

        >>> Scores(np.array([0, 2, 1], np.int32), np.array([], np.int64), np.array([], np.int64), 1.0).nearest(1).ids.tolist()
        [1]
        """
        near, floor = _largest(self._unmoved, k)
        return self._rank(near, *self._moved_from(floor)) if floor > _GONE else self.all()

    def covering(self, need: Callable[[int], int], at_least: int) -> Ranking:
        """The nearest tokens that together weigh ``need(total)``, and ``at_least`` so many of them.

        >>> scores = Scores(np.array([0, 9216, 1024], np.int32), np.array([], np.int64), np.array([], np.int64), 1.0)
        >>> scores.covering(lambda total: total // 2, 1).ids.tolist()
        [1]
        """
        first = int(self._unmoved.argmax())  # the lowest id on ties
        best = int(self._unmoved[first])
        total = self._total(best)
        needed = need(total)
        if needed <= ONE and not at_least and not self._moved.size:  # what the best token weighs alone
            return Ranking(self._name(np.array([first])), _DISTANCE_OF_BEST, _WEIGHT_OF_BEST, _WEIGHT_OF_BEST, total)
        for near, floor in self._beginnings(best, total, needed, at_least):
            if floor <= _GONE:
                break
            ranking = self._rank(near, *self._moved_from(floor))
            if ranking.total >= needed and ranking.ids.size >= at_least:
                return Ranking(ranking.ids, ranking.distances, ranking.weights, ranking.cumulative, total)
        return self.all()

    def _beginnings(self, best: int, total: int, needed: int, at_least: int) -> Iterator[tuple[NDArray[np.int64], int]]:
        """Places that may be enough, and the floor (2^-10 nat) that they reach; each time more of them, without end."""
        if ONE < needed <= _PEAKED and self._unmoved.size <= _SHORT:
            yield _largest(self._unmoved, max(at_least, _FEW))  # where the best tokens stand out, these nearly always are
        floor = best
        if needed > ONE:
            floor -= self._reach(best, total - needed)
        if at_least > 1:
            floor = min(floor, _largest(self._unmoved, at_least)[1])
        while True:
            yield (self._unmoved >= floor).nonzero()[0], floor
            floor -= max((best - floor) >> 3, 256)

    def _total(self, best: int) -> int:
        """The weight of all tokens; ``best`` is the best of those that have not moved."""
        best_score = best << STEP_BITS
        if not self._moved.size:
            return weigh_vocabulary(self._logits, best, 0, self._temperature)
        offset = max(int(self._moved_scores.max()) - best_score, 0)
        scores = np.concatenate((self._moved_scores, [_GONE << STEP_BITS]))
        moved = weigh(best_score + offset - scores, self._temperature)
        # each moved token is counted as gone among the unmoved ones, where it weighs next to nothing, if anything
        unmoved = weigh_vocabulary(self._unmoved, best, offset, self._temperature) - int(moved[-1]) * self._moved.size
        return unmoved + int(moved[:-1].sum())

    def _reach(self, best: int, may_miss: int) -> int:
        """How many steps below the best so that about ``may_miss`` of the weight lies beyond; a guess from a sample."""
        stride = self._unmoved.size // _SAMPLE + 1
        steps = np.subtract(best, self._unmoved[::stride], dtype=np.int64)
        steps = np.sort(np.minimum(steps, 0xFFFF).astype(np.uint16), kind="stable")[::-1].astype(np.int64)
        beyond = weigh(steps << STEP_BITS, self._temperature).cumsum() * stride
        missed = int(beyond.searchsorted(may_miss - (may_miss >> 2), "right"))  # a quarter less, for luck
        return int(steps[min(missed, steps.size - 1)])

    def _moved_from(self, floor: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places and scores of those moved ones that are at or above the floor (2^-10 nat)."""
        if not self._moved.size:
            return self._moved, self._moved_scores
        high = (self._moved_scores >= floor << STEP_BITS).nonzero()[0]
        return self._moved[high], self._moved_scores[high]

    def _rank(self, near: NDArray[np.int64], moved: NDArray[np.int64], moved_scores: NDArray[np.int64]) -> Ranking:
        """The ranking of these places; none of ``near`` has moved."""
        logits = self._logits[near]
        if near.size <= _SORT_BELOW:
            scores = logits.astype(np.int64)
            if not moved.size:
                ids, steps = _unpack(np.sort(-scores << ID_BITS | self._name(near)))
                return weighed(ids, steps << STEP_BITS, weigh_steps(steps, self._temperature))
            near, scores = np.concatenate((near, moved)), np.concatenate((scores << STEP_BITS, moved_scores))
            return rank(self._name(near), scores, self._temperature)
        best = int(logits.max())
        steps = np.subtract(best, logits, dtype=np.int64)
        order = _radix_order(steps)
        near, steps = near[order], steps[order]
        if not moved.size:
            weights = weigh_steps(steps, self._temperature)
            return weighed(self._name(near), steps << STEP_BITS, weights)
        near, distances = _merge(near, steps << STEP_BITS, moved, (best << STEP_BITS) - moved_scores)
        return weighed(self._name(near), distances, weigh(distances, self._temperature))

    def _name(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return places if self._tokens is None else self._tokens[places]


def _largest(values: NDArray[np.int32], k: int) -> tuple[NDArray[np.int64], int]:
    """The places of the k largest values, ascending, and of all others that reach a floor a little below; and that floor.

    The floor is the k-th largest of the largest values of blocks: k blocks reach it, so at least k values do, and not many more.
    A block is every n-th value. With fewer than k values the floor is the smallest int32.

    >>> _largest(np.array([3, 1, 2, 2, 0], np.int32), 2)
    (array([0, 2, 3]), 2)
    """
    if k >= values.size:
        return np.arange(values.size), _GONE
    rows = 1 << max(0, min(_BLOCK, values.size // (8 * k)).bit_length() - 1)
    columns = values.size // rows
    blocks, rest = values[: rows * columns].reshape(rows, columns), values[rows * columns :]
    largest = blocks.max(axis=0)
    if rest.size:
        largest = np.concatenate((largest, rest))
    floor = int(np.partition(largest, -k)[-k])
    if values.size <= _SHORT:
        return (values >= floor).nonzero()[0], floor
    high = (largest >= floor).nonzero()[0]  # only these blocks need be looked into
    block = high[: high.searchsorted(columns)]
    row, column = (blocks[:, block] >= floor).nonzero()
    return np.concatenate((row * columns + block[column], high[block.size :] + (rows - 1) * columns)), floor


def _radix_order(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order of numbers below 2^32, ties as they come: numpy sorts 16 bits by radix, so 16 bits at a time.

    >>> _radix_order(np.array([1 << 20, 5, 1 << 20, 3])).tolist()
    [3, 1, 0, 2]
    """
    order = steps.astype(np.uint16).argsort(kind="stable")
    if int(steps.max()) >> 16:
        order = order[(steps >> 16).astype(np.uint16)[order].argsort(kind="stable")]
    return order


def _merge(
    places: NDArray[np.int64], distances: NDArray[np.int64], moved: NDArray[np.int64], moved_distances: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A ranking with a few more tokens; these may be better than its best.

    >>> [array.tolist() for array in _merge(np.array([4, 2]), np.array([0, 7]), np.array([3]), np.array([-1]))]
    [[3, 4, 2], [0, 1, 8]]
    """
    keys = np.concatenate((distances << ID_BITS | places, moved_distances << ID_BITS | moved))
    keys.sort(kind="stable")  # which merges what is in order already
    return _unpack(keys)
