"""Clauses of what is sent together: nothing is lost beside something else. No statistics.

All of it is asked for the first token under a grammar of a few letters, so that an endpoint tells the whole law of that token.
What is reported of everything together is held against what is reported of each thing by itself, and of all but one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import chain

import regex

from contract_tests.clauses.laws import (
    asked_of,
    behind_what_is_reported,
    fits,
    in_words,
    judge_place,
    parts_of,
    rounded,
)
from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import LOGPROB_TOLERANCE, by_id, same_contexts
from contract_tests.laws import CLEAR, MARGIN, MOVE, Law, losses, moved_laws, told
from contract_tests.observation import Group, Observation
from contract_tests.values import Json, is_number, objects

MOVERS = ("repetition_penalty", "frequency_penalty", "watermark")
"""What moves logits by amounts that only the endpoint itself can tell."""

NOT_WHOLE = Skip("the endpoint does not tell the whole law that a grammar of a few letters leaves", inconclusive=True)


def whole_law(seen: Observation) -> Law | None:
    """The law of the first token under a regex grammar, where all of it is told; None also where it is told from before the grammar."""
    grammar, candidates = seen.asked.get("grammar"), (seen.top_tokens or [[]])[0]
    pattern = grammar.get("value") if isinstance(grammar, dict) else None
    law = told(by_id(candidates))
    if not isinstance(pattern, str) or not seen.generated or len(law.weights) < FEWEST or law.most > MARGIN:
        return None
    texts = {str(one.get("text")).strip() for one in candidates if _keeps(pattern, one)}
    if not len(candidates) == len(law.weights) == len(texts):
        return None
    # what is left can only be another spelling of the same letters
    return replace(law, least=0.0, most=0.0) if law.most < NOTHING_MORE and len(texts) == LETTERS else law


LETTERS = 5
"""Letters that the grammar leaves, as many as an endpoint tells candidates."""

NOTHING_MORE = 2e-6
"""What probabilities lack that are told to six decimals; no temperature in use makes more of it than rounding."""

FEWEST = 3
"""Candidates that a law must have for anything to be told of it."""


def _keeps(pattern: str, candidate: Json) -> bool:
    text = candidate.get("text")
    return isinstance(text, str) and regex.fullmatch(pattern, text.strip()) is not None


@clause("parameters.typical_p.keeps", of="whole-typical_p")
@clause("parameters.together", of="law-whole")
def whole_law_is_the_one_asked_for(group: Group) -> Outcome:
    """Greedy under a grammar, then drawn with sampling parameters; then without a grammar greedy, and witnesses of the convention."""
    greedy, drawn, *convention = group.members
    law, place = whole_law(greedy), next(same_contexts(greedy, drawn), None)
    if law is None or place is None:
        return NOT_WHOLE
    return judge_place(place, law, drawn, behind_what_is_reported(convention[0], convention[1:]))


@clause("parameters.together", of="law-moved")
def nothing_is_lost_beside_what_moves_logits(group: Group) -> Outcome:
    """Greedy, greedy with a mover, drawn with it and sampling parameters; the others as for ``law-whole``.

    Accused is only what is reported as if something that was asked for had not been, and as no order of all of it leaves it.
    """
    bare, moved, drawn, *convention = group.members
    raw, base = whole_law(bare), whole_law(moved)
    if raw is None or base is None:
        return NOT_WHOLE
    asked, reported = asked_of(drawn), by_id((drawn.top_tokens or [[]])[0])
    possible = [law for law in moved_laws(raw, base, asked) if law is not None]
    fitting = [law for law in possible if fits(reported, law, asked, drawn)]
    if any(law.certain for law in fitting):
        return None
    optional = behind_what_is_reported(convention[0], convention[1:])
    left_out = chain.from_iterable(moved_laws(raw, base, part) for part in parts_of(asked, optional))
    if fitting or not reported or any(law is not None and fits(reported, law, asked, drawn) for law in left_out):
        return Skip("what the endpoint tells of the distribution does not say what these parameters leave", inconclusive=True)
    for lost, law in losses(raw, base, asked):
        if fits(reported, law, asked, drawn):
            without = " and ".join(_mover(moved) if name == MOVE else f"`{name}`" for name in sorted(lost))
            together = f"{_mover(moved)}, {in_words(asked)}: {rounded(possible[0].logprobs())}"
            return Violation(together, f"{rounded(reported)}, as without {without}")
    return Skip("what the endpoint tells under these parameters is what no order of them gives", inconclusive=True)


def _mover(seen: Observation) -> str:
    given = {name: seen.asked.get(name) for name in MOVERS}
    return ", ".join(f"`{name}` {value}" for name, value in given.items() if value is not None)


@clause("parameters.together", of="law-movers")
def movers_move_together(group: Group) -> Outcome:
    """Greedy, with one mover, with another, with both: what moves logits by itself moves them beside another."""
    bare, first, second, together = group.members
    raw, one, other, both = (whole_law(member) for member in group.members)
    if raw is None or one is None or other is None or both is None:
        return NOT_WHOLE
    occurred = {token.get("id") for token in objects(bare.detail("prefill"))}
    judged = False
    for mover, law, rest in ((first, one, other), (second, other, one)):
        divisor = mover.asked.get("repetition_penalty")
        if _apart(raw, law) <= CLEAR or (is_number(divisor) and not divides_surely(rest, occurred, divisor)):
            continue
        judged = True
        if _apart(rest, both) <= LOGPROB_TOLERANCE:
            return Violation(
                f"{_mover(together)}: candidates that both move", f"{rounded(both.logprobs())}, as without {_mover(mover)}"
            )
    return None if judged else Skip("what these parameters do by themselves is too little to tell", inconclusive=True)


@clause("parameters.together", of="law-mild")
def other_values_move_as_well(group: Group) -> Outcome:
    """Greedy, with a penalty, and with other values of it beside the same: where one value moves the logits, so do they."""
    bare, moved, *others = group.members
    raw, law = whole_law(bare), whole_law(moved)
    if raw is None or law is None:
        return NOT_WHOLE
    if _apart(raw, law) <= CLEAR:
        return Skip("what this penalty does by itself is too little to tell", inconclusive=True)
    occurred = {token.get("id") for token in objects(bare.detail("prefill"))}
    known = [(other, left) for other in others if (left := whole_law(other)) is not None]
    for other, left in known:
        divisor = other.asked.get("repetition_penalty")
        if _apart(raw, left) <= UNMOVED and (not is_number(divisor) or divides_surely(raw, occurred, divisor)):
            return Violation(f"{_mover(other)}: other logprobs than without, as with {_mover(moved)}", rounded(left.logprobs()))
    return None if known else NOT_WHOLE


UNMOVED = 0.002
"""Nats by which logprobs differ that were told to three decimals."""


def _apart(one: Law, other: Law) -> float:
    """How far the logprob of a token differs at most, in nats."""
    left, right = one.logprobs(), other.logprobs()
    return max((abs(left[id] - right[id]) for id in left.keys() & right.keys()), default=0.0)


def divides_surely(law: Law, occurred: Collection[object], divisor: float) -> bool:
    """Whether dividing the positive scores of what occurred, and multiplying the negative ones, must show: scores are known but for a sum.

    Each of them loses against what did not occur, unless it is zero, and no two that lie apart are zero.
    Where all occurred: wherever zero lies, two that are far apart on the same side of it come nearer to each other, or part.
    """
    scores = sorted((value for id, value in law.logprobs().items() if id in occurred), reverse=True)
    if len(scores) < len(law.weights):
        return bool(scores) and scores[0] - scores[-1] > CLEAR * (divisor + 1) / abs(divisor - 1)
    spans = (max(side[0] - side[-1] for side in (scores[:place], scores[place:]) if side) for place in range(len(scores) + 1))
    return min(spans) * abs(1 - 1 / divisor) > CLEAR
