"""The first token greedy and under each sampling parameter, alone and together: what the reported logprobs say of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from contract_tests import strategies
from contract_tests.clauses.shared import first_candidates
from contract_tests.observation import Observation
from contract_tests.probes.run import Run, probe

PROMPTS_TRIED = 2
"""Prompts after which an endpoint whose logprobs tell nothing is not asked further."""


@probe("laws", "reported laws under each sampling parameter, alone and together")
def send_laws(run: Run) -> None:
    if run.lacks("do_sample", "details", "top_n_tokens"):
        return
    choose = run.random("laws")
    told = run.taken(max_new_tokens=1, details=True, top_n_tokens=5)
    still_open = set(RELATIONS)
    for inputs in choose.sample(strategies.PROMPTS, min(PROMPTS_TRIED, run.profile.prompts)):
        if not still_open:
            return
        greedy = run.ask({"inputs": inputs, "parameters": {**told, "do_sample": False}})
        top_k_one = run.ask({"inputs": inputs, "parameters": {**told, "do_sample": True, **run.taken(seed=1, top_k=1)}})
        asked = frozenset(still_open)
        chosen = [setting for setting in _settings(greedy) if setting[0] in asked and not run.lacks(*setting[1])]
        for relation, warpers in chosen[::2] if run.profile.prompts == 1 else chosen:
            seeded = run.taken(seed=choose.randrange(1, 2**63))
            drawn = run.ask({"inputs": inputs, "parameters": {**told, "do_sample": True, **seeded, **warpers}})
            if run.evidence.relate(relation, (greedy, drawn, top_k_one)):
                still_open.discard(relation)


RELATIONS = ("law-temperature", "law-top_k", "law-top_p", "law-together")
"""What is asked on one prompt after the other until it could be judged."""


def _settings(greedy: Observation) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is asked of one prompt; a mass for `top_p` lies midway between two cumulative sums, so that rounding decides nothing."""
    for temperature in (2.0, 0.5, 0.1):
        yield "law-temperature", {"temperature": temperature}
    for k in (2, 3, 4):
        yield "law-top_k", {"top_k": k}
    law = sorted((math.exp(value) for value in first_candidates(greedy).values()), reverse=True)
    for mass in _between(law)[1:3]:
        yield "law-top_p", {"top_p": mass}
    yield "law-together", {"temperature": 0.5, "top_k": 4}
    yield "law-together", {"temperature": 1.5, "top_k": 3}
    four = [value / sum(law[:4]) for value in law[:4]]
    for mass in _between(four)[1:2]:
        yield "law-together", {"top_k": 4, "top_p": mass}
        yield "law-together", {"top_k": 4, "top_p": mass, "temperature": 0.7}
        yield "law-together", {"top_k": 4, "typical_p": mass}
    for mass in _between(law)[1:2]:
        yield "law-together", {"temperature": 0.7, "top_p": mass}


def _between(probabilities: list[float]) -> list[float]:
    """For each token a mass that it, and no token before it, reaches: midway between two cumulative sums."""
    masses, total = [], 0.0
    for probability in probabilities:
        masses.append(round(total + probability / 2, 4))
        total += probability
    return [mass for mass in masses if 0 < mass < 1]
