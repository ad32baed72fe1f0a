"""A few tokens greedy and under each sampling parameter, alone and together: what the reported logprobs say of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, permutations, product
from typing import Any

from contract_tests import strategies
from contract_tests.clauses.laws import LARGER, SMALLER
from contract_tests.clauses.shared import first_candidates
from contract_tests.laws import ACTIONS, tells
from contract_tests.laws import told as read_law
from contract_tests.observation import Observation
from contract_tests.probes.run import Run, probe

PLACES = 8
"""Tokens of each reply: a parameter that acts on the first tokens only shows later, where greedy and drawn tokens are still the same."""

PROMPTS_LOOKED_AT = 4
"""Prompts of which those are chosen where the endpoint tells most of the first token's law."""

PROMPTS_TRIED = 2
"""Prompts after which an endpoint whose logprobs tell nothing is not asked further."""


@probe("laws", "reported laws under each sampling parameter, alone and together")
def send_laws(run: Run) -> None:
    if run.lacks("do_sample", "details", "top_n_tokens"):
        return
    choose = run.random("laws")
    told = run.taken(max_new_tokens=PLACES, details=True, top_n_tokens=5)
    sampled = {**told, "do_sample": True}
    prompts = choose.sample(strategies.PROMPTS, min(PROMPTS_LOOKED_AT, 2 * run.profile.prompts - 1))
    looked_at = [run.ask({"inputs": inputs, "parameters": {**told, "do_sample": False}}) for inputs in prompts]
    still_open, together = set(RELATIONS), set(permutations(ACTIONS, 2))
    if run.profile.prompts > 1 and not run.lacks("grammar"):
        together.clear()  # shown where all of a law is told (``together``)
    for greedy in sorted(looked_at, key=_untold)[:PROMPTS_TRIED]:
        settings = [one for one in _settings(greedy, together) if one[0] in still_open | {TOGETHER} and not run.lacks(*one[1])]
        if not settings:
            return
        inputs = greedy.asked.inputs
        _send_wide(run, inputs, still_open)
        ends = [{**sampled, **run.taken(seed=1), **end} for end in ENDS[: run.profile.prompts] if not run.lacks(*end)]
        witnesses = [run.ask({"inputs": inputs, "parameters": parameters}) for parameters in ends]
        for relation, warpers in settings[::2] if run.profile.prompts == 1 else settings:
            seeded = run.taken(seed=choose.randrange(1, 2**63))
            drawn = run.ask({"inputs": inputs, "parameters": {**sampled, **seeded, **warpers}})
            if run.evidence.relate(relation, (greedy, drawn, *witnesses)):
                still_open.discard(relation)


ENDS = ({"top_k": 1}, {"top_p": 0.01}, {"typical_p": 0.01})
"""Parameters at the end where they leave one token: what logprob it has tells whether they act before it is reported."""

WIDE = "law-wide"

RELATIONS = ("law-temperature", "law-top_k", "law-many", "law-top_p", "law-typical_p", WIDE)
"""What is asked on one prompt after the other until it could be judged."""

TOGETHER = "law-together"


def _send_wide(run: Run, inputs: str, still_open: set[str]) -> None:
    """The first token with all candidates, with very many and with many, made nearly as likely as each other."""
    if WIDE not in still_open or run.profile.prompts == 1 or run.lacks("temperature", "top_k"):
        return
    flat = run.taken(max_new_tokens=1, details=True, top_n_tokens=5, do_sample=True, seed=1, temperature=3.0)
    members = [run.ask({"inputs": inputs, "parameters": {**flat, **more}}) for more in ({}, {"top_k": LARGER}, {"top_k": SMALLER})]
    if run.evidence.relate(WIDE, members):
        still_open.discard(WIDE)


def _untold(greedy: Observation) -> float:
    """How little is told of the first token's law; a token that is all but certain says least."""
    law = [math.exp(value) for value in first_candidates(greedy).values()]
    return 1.0 - sum(law) if law and max(law) < CERTAIN else 1.0


CERTAIN = 0.9


def _settings(greedy: Observation, together: set[tuple[str, str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is asked of one prompt; a mass for `top_p` lies midway between two cumulative sums, so that rounding decides nothing.

    ``together`` holds (dropped, beside): which parameter beside which other one is still to be told apart from its absence.
    """
    for temperature in (2.0, 0.2):
        yield "law-temperature", {"temperature": temperature}
    for k in (2, 3, 4):
        yield "law-top_k", {"top_k": k}
    # the likeliest of many, which a high temperature makes nearly as likely as each other
    yield "law-many", {"top_k": 12, "temperature": 3.0}
    law = sorted((math.exp(value) for value in first_candidates(greedy).values()), reverse=True)
    for mass in _between(law)[1:3]:
        yield "law-top_p", {"top_p": mass}
    raw = read_law(first_candidates(greedy))
    telling = [mass for mass in sorted(MASSES) if tells(raw, {"typical_p": mass}, "typical_p")]
    for mass in dict.fromkeys((*telling[:1], *telling[-1:])):
        yield "law-typical_p", {"typical_p": mass}
    for names in combinations(ACTIONS, 2):
        for setting in _combined(names, law):
            told = {
                (name, other) for name, other in permutations(names) if (name, other) in together and tells(raw, setting, name)
            }
            if told:
                together -= told
                yield TOGETHER, setting


MASSES = (0.2, 0.3, 0.1, 0.5, 0.7, 0.9, 0.05)


def _combined(names: tuple[str, ...], law: list[float]) -> Iterator[dict[str, Any]]:
    """Values of ``names`` to choose from."""
    values = {"temperature": (0.5, 1.5, 0.7), "top_k": (4, 3, 2), "top_p": (*_between(law)[1:4], *MASSES), "typical_p": MASSES}
    for chosen in product(*(values[name] for name in names)):
        yield dict(zip(names, chosen, strict=True))


def _between(probabilities: list[float]) -> list[float]:
    """For each token a mass that it, and no token before it, reaches: midway between two cumulative sums."""
    masses, total = [], 0.0
    for probability in probabilities:
        masses.append(round(total + probability / 2, 4))
        total += probability
    return [mass for mass in masses if 0 < mass < 1]
