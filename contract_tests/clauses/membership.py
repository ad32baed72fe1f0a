"""Clauses of `top_k`, `top_p` and `typical_p`: each draw is allowed, or it is not. One draw outside is certain; no statistics."""

from __future__ import annotations

import math

from contract_tests.clauses.registry import Outcome, Skip, Violation, clause
from contract_tests.clauses.shared import LOGPROB_TOLERANCE, NEAR_TIE, NOT_MINE, first_candidates, first_id
from contract_tests.nucleus import entropy_bounds, kept_by_top_p, surely_not_typical
from contract_tests.observation import Group, Observation
from contract_tests.values import is_integer, is_number, numbers, shorten

MOVED_BEHIND = ("watermark", "repetition_penalty", "frequency_penalty", "grammar")
"""What changes who is among the likeliest, and may act behind the logprobs that are reported."""


@clause("parameters.top_k.keeps")
def draws_are_among_the_top_k(seen: Observation) -> Outcome:
    """Every step tells its own likeliest candidates, and the drawn token is one of the first `top_k` of them. Certain."""
    k = seen.asked.get("top_k")
    moved = any(seen.asked.get(name) is not None for name in MOVED_BEHIND)
    if not (seen.generated and is_integer(k) and seen.tokens and seen.top_tokens) or moved:
        return NOT_MINE
    judged = False
    for place, (token, candidates) in enumerate(zip(seen.tokens, seen.top_tokens, strict=False), 1):
        logprobs, own = numbers(candidate.get("logprob") for candidate in candidates), token.get("logprob")
        if logprobs is None or len(logprobs) < k or not is_number(own):
            continue
        judged = True
        numbered = [candidate.get("id") for candidate in candidates]
        floor = sorted(logprobs, reverse=True)[k - 1]
        listed = [value for number, value in zip(numbered, logprobs, strict=True) if number == token.get("id")]
        if (listed and listed[0] < floor - 1e-3) or (not listed and own < floor - LOGPROB_TOLERANCE):
            return Violation(f"token {place} among the {k} likeliest: {shorten(candidates[:k])}", shorten(token))
    return None if judged else Skip("fewer candidates are told than `top_k` keeps")


@clause("parameters.top_p.keeps", of="first-top_p")
def draws_are_in_the_nucleus(group: Group) -> Outcome:
    """The first member is greedy and tells the law of the first token; the others draw it with `top_p`. One draw outside is certain."""
    greedy, *drawn = group.members
    law = sorted(first_candidates(greedy).items(), key=lambda item: -item[1])
    mass = drawn[0].asked.get("top_p")
    if len(law) < 2 or not is_number(mass):
        return Skip("the endpoint does not tell two `top_tokens` with logprobs at the first token")
    kept = kept_by_top_p([math.exp(logprob) for _, logprob in law], mass)
    if kept >= len(law):
        return Skip("the nucleus is larger than what the endpoint tells of the distribution", inconclusive=True)
    allowed = [number for number, logprob in law if logprob >= law[kept - 1][1] - NEAR_TIE]
    return _all_drawn_from(allowed, drawn, f"`top_p` {mass} keeps {kept} tokens")


@clause("parameters.typical_p.keeps", of="first-typical_p")
def draws_are_typical(group: Group) -> Outcome:
    """As for `top_p`; judged only where both ends of the entropy that the unseen tail allows agree."""
    greedy, *drawn = group.members
    law = sorted(first_candidates(greedy).items(), key=lambda item: -item[1])
    mass = drawn[0].asked.get("typical_p")
    if len(law) < 2 or not is_number(mass):
        return Skip("the endpoint does not tell two `top_tokens` with logprobs at the first token")
    surprisals = [-logprob for _, logprob in law]
    bounds = entropy_bounds(surprisals)
    out = {number for place, (number, _) in enumerate(law) if surely_not_typical(surprisals, mass + 1e-3, place, bounds)}
    if not out:
        return Skip("every token that the endpoint tells of may be typical", inconclusive=True)
    for draw in drawn:
        if first_id(draw) in out:
            return Violation(
                f"a token of the typical set of mass {mass}, which {shorten(sorted(out))} are not in", shorten(draw.tokens)
            )
    return None


def _all_drawn_from(allowed: list[int], drawn: list[Observation], why: str) -> Outcome:
    for draw in drawn:
        token = (draw.tokens or [{}])[0]
        if draw.generated and token.get("id") not in allowed:
            return Violation(f"one of the tokens {shorten(allowed)}: {why}", shorten(token))
    return None
