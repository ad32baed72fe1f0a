"""Clauses of `best_of`: the best of several sequences, and the others beside it."""

from __future__ import annotations

import math

from contract_tests.clauses.membership import MOVED_BEHIND
from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import NOT_MINE, ids, logprobs_of
from contract_tests.laws import ACTIONS
from contract_tests.observation import Observation
from contract_tests.statistics import ALPHA
from contract_tests.values import MISSING, objects, shorten


@clause("parameters.best_of.sequences")
def best_of_tells_the_others(seen: Observation) -> Outcome:
    best_of = seen.asked.get("best_of")
    if not (seen.generated and best_of and best_of > 1 and seen.details is not None):
        return NOT_MINE
    others = seen.details.get("best_of_sequences")
    if isinstance(others, list) and len(others) == best_of - 1:
        return None
    return Violation(
        f"`best_of_sequences` with {best_of - 1} of {best_of} sequences", shorten(others if others is not None else MISSING)
    )


@clause("parameters.best_of.best")
def best_of_returns_the_best(seen: Observation) -> Outcome:
    others = [logprobs for other in objects(seen.detail("best_of_sequences")) if (logprobs := logprobs_of(other.get("tokens")))]
    best = logprobs_of(seen.tokens)
    if not others or not best:
        return NOT_MINE
    for logprobs in others:
        by_sum, by_mean = sum(logprobs) - sum(best), sum(logprobs) / len(logprobs) - sum(best) / len(best)
        if by_sum > 0.01 and by_mean > 0.01:
            return Violation(
                "the sequence with the highest token logprobs is the one returned",
                f"returned: {sum(best):.4f} in {len(best)} tokens; better: {sum(logprobs):.4f} in {len(logprobs)} tokens",
            )
    return None


@clause("parameters.best_of.independent")
def best_of_sequences_are_draws_of_their_own(seen: Observation) -> Outcome:
    """All the same by chance p^(n-1), p the chance of that text, which its logprobs tell where nothing acts behind what is reported."""
    others = objects(seen.detail("best_of_sequences"))
    moved = any(seen.asked.get(name) is not None for name in (*ACTIONS, *MOVED_BEHIND))
    if not (seen.generated and others and seen.asked.samples) or moved:
        return NOT_MINE
    drawn = [[token.get("id") for token in objects(other.get("tokens"))] for other in others]
    if any(one != ids(seen) for one in drawn):
        return None
    chance = math.exp(seen.path * len(others)) if seen.path is not None else 1.0
    if chance > ALPHA:
        return Skip(f"the text is too likely: drawn {len(others) + 1} times with chance {chance:.1e}", inconclusive=True)
    return Violation(
        f"sequences that differ (chance of none that does: {chance:.1e})", f"{len(others) + 1} times {shorten(seen.new_text)}"
    )
