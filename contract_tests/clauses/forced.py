"""Clauses of the penalties over a text that a grammar forces: how often each of its words occurred is known, and one that did not is told.

Behind the same tokens a candidate that occurred moves against the one that did not, and that move is the penalty's alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import REPEATED_TOLERANCE, reports_final_logprobs, same_contexts
from contract_tests.laws import LEAST
from contract_tests.observation import Group, Observation
from contract_tests.values import is_number, shorten

UNTOLD = Skip("the endpoint does not tell the candidates behind a text that a grammar forces", inconclusive=True)
UNREPORTED = Skip("no reported logprob moves, which are from before the penalty", inconclusive=True)

MOVED = REPEATED_TOLERANCE
"""Nats by which a candidate must move before it is said to: two distances of two logprobs may be off as far."""

SPREAD = 1.0
"""Nats between the candidates, over which not all of them can have scores so near to zero that a penalty leaves them alone."""


@dataclass(frozen=True, slots=True)
class Move:
    """A candidate that was generated ``count`` times before, its logprob without the penalty, and how far it moves with it.

    ``lost``: it is no longer among the candidates that are told, and so moves at least as far down.
    """

    text: str
    count: int
    logprob: float
    nats: float
    lost: bool = False

    def __str__(self) -> str:
        return f"{shorten(self.text)}, which occurred {self.count} times, by {self.nats:.3f}{' or more' if self.lost else ''}"


def moves_of(base: Observation, penalized: Observation) -> Iterator[list[Move]]:
    """At each place behind the same tokens: the candidates that were generated before, against the likeliest one that never occurred."""
    counts = Counter[int]()
    told = base.top_tokens or []
    for place, token, _, before, after in same_contexts(base, penalized):
        texts = {one.get("id"): str(one.get("text")) for one in told[place - 1]}
        shared = [id for id in before.keys() & after.keys() if min(before[id], after[id]) > LEAST]
        new = [id for id in shared if not counts[id] and texts[id].strip() and texts[id].strip() not in base.asked.inputs]
        if new:
            by = max(new, key=lambda id: before[id])
            shift = before[by] - after[by]
            least = min(after.values())
            moves = [Move(texts[id], counts[id], before[id], after[id] - before[id] + shift) for id in shared if counts[id]]
            gone = before.keys() - after.keys() if len(after) >= len(before) else ()
            yield moves + [Move(texts[id], counts[id], before[id], least - before[id] + shift, True) for id in gone if counts[id]]
        counts[token] += 1


@clause("parameters.repetition_penalty.divides", of="forced-repetition_penalty")
def each_word_is_divided_once(group: Group) -> Outcome:
    """Plain, with `top_k` 1 for the convention; then the forced text without the penalty, and with some."""
    plain, top_k_one, base, *penalized = group.members
    if not group.all_generated:
        return Skip("a request under a grammar was not answered with text")
    told = [(one.asked.get("repetition_penalty"), moves) for one in penalized for moves in moves_of(base, one) if len(moves) > 1]
    if not told:
        return UNTOLD
    reported = any(abs(move.nats) > MOVED for _, moves in told for move in moves)
    if not reported and not reports_final_logprobs(top_k_one, plain):
        return UNREPORTED
    for penalty, moves in told:
        if is_number(penalty) and not _divided(moves, penalty) and (reported or _apart(moves)):
            return Violation(
                f"each candidate that was generated before moves as its score divided or multiplied by {penalty}, once",
                "; ".join(map(str, moves)),
            )
    return None


def _apart(moves: Iterable[Move]) -> bool:
    logprobs = [move.logprob for move in moves]
    return max(logprobs) - min(logprobs) > SPREAD


def _divided(moves: list[Move], penalty: float) -> bool:
    """Whether some score of one candidate, and so of all, since they differ as the logprobs do, explains how far each moves."""
    exact = [move for move in moves if not move.lost]
    if not exact:
        return penalty > 1 or all(move.nats > -MOVED for move in moves)
    for one in exact:
        for score in (one.nats / (1 / penalty - 1), one.nats / (penalty - 1)):
            for step in range(-STEPS, STEPS + 1):
                offset = score + 0.05 * step - one.logprob
                if all(_explains(each, _penalty(each.logprob + offset, penalty)) for each in moves):
                    return True
    return False


def _explains(move: Move, nats: float) -> bool:
    error = MOVED + 0.03 * abs(move.nats)
    return nats <= move.nats + error if move.lost else abs(nats - move.nats) <= error


STEPS = 40
"""Steps of 0.05 nats to each side of the score that a move tells: as far as rounding of the move may have led astray."""


def _penalty(score: float, penalty: float) -> float:
    """How far a score moves: 6 by 2 is 3, -6 by 2 is -12."""
    return score / penalty - score if score > 0 else score * penalty - score


@clause("parameters.frequency_penalty.penalizes", of="forced-frequency_penalty")
def each_word_loses_the_more_the_more_often(group: Group) -> Outcome:
    """As above. Judged where twice the penalty moves twice as far, so that the move is no matter of the scores."""
    plain, top_k_one, base, single, double, *more = group.members
    if not group.all_generated:
        return Skip("a request under a grammar was not answered with text")
    told = [(one, two) for one, two in zip(moves_of(base, single), moves_of(base, double), strict=False) if len(two) > 1]
    told = [(one, two) for one, two in told if not any(move.lost for move in one + two)]
    if not told:
        return UNTOLD
    judged = False
    for near, far in told:
        if not any(abs(move.nats) > MOVED for move in far):
            still = max(move.count for move in far) > 1 and all(abs(move.nats) < STILL for move in far)
            if still and reports_final_logprobs(top_k_one, plain):
                return Violation("each candidate that was generated before loses", "; ".join(map(str, far)))
            continue
        if not _in_proportion(near, far) or max(abs(move.nats) for move in far) < 2 * MOVED:
            continue
        judged = True
        most, least = max(far, key=lambda move: move.count), min(far, key=lambda move: move.count)
        if most.count >= 2 * least.count and least.nats - most.nats < 0.1 * max(abs(most.nats), abs(least.nats)):
            return Violation("the more often a candidate was generated, the more it loses", f"{most}; {least}")
    same = next((pair for pair in pairwise((single, double, *more)) if _moves_alike(base, *pair)), None)
    if same:
        weaker, stronger = (one.asked.get("frequency_penalty") for one in same)
        return Violation(
            f"`frequency_penalty` {stronger} moves what was generated before farther than {weaker} does",
            "each candidate moves as far with the one as with the other",
        )
    return None if judged else UNREPORTED


def _moves_alike(base: Observation, weaker: Observation, stronger: Observation) -> bool:
    """Whether candidates that one penalty moves are moved exactly as far by a larger one."""
    near, far = ([move for moves in moves_of(base, one) for move in moves if not move.lost] for one in (weaker, stronger))
    told = {(move.text, move.logprob): move.nats for move in near}
    shared = [(told[move.text, move.logprob], move.nats) for move in far if (move.text, move.logprob) in told]
    return any(abs(nats) > MOVED for _, nats in shared) and all(abs(one - other) < STILL for one, other in shared)


STILL = 0.001
"""Nats by which a candidate moves that a penalty passes over."""


def _in_proportion(near: list[Move], far: list[Move]) -> bool:
    """Whether the one penalty, half of the other, moves each candidate half as far."""
    half = {move.text: move.nats for move in near}
    return all(move.text in half and abs(move.nats - 2 * half[move.text]) <= 2 * MOVED + 0.1 * abs(move.nats) for move in far)
