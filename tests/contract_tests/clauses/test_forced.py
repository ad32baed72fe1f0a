"""Penalties over a forced text: no law that a server may have is accused, and each that forgets or counts otherwise is found."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from contract_tests.clauses import CLAUSES, Skip, Violation, judge
from contract_tests.clauses.registry import Outcome
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Group, Observation

FORCED = (1, 2, 2, 5, 2, 6, 2, 5, 2, 3)
"""Token 1 first and not again, 2 five times, 3 last; 4, which is told at the end beside them, never."""

SCORES = {1: 2.5, 2: -1.5, 3: 1.0, 4: 0.5, 7: -2.0}
Law = Callable[[float, int, float], float]
"""The score, which token, and the penalty -> the score with it."""


def observed(scores: dict[int, float], first: float = 0.0, **parameters: Any) -> Observation:
    """The forced tokens, of logprob 0 but for the ``first``, and behind them the likeliest by ``scores``."""
    total = math.log(sum(math.exp(score) for score in scores.values()))
    last = [(id, round(score - total, 4)) for id, score in sorted(scores.items(), key=lambda item: -item[1])]
    rows = [[(FORCED[0], first)], *([(id, 0.0)] for id in FORCED[1:]), last]
    top = [[{"id": id, "text": f" word{id}", "logprob": value, "special": False} for id, value in row] for row in rows]
    tokens = [row[0] for row in top]
    details = {"finish_reason": "length", "generated_tokens": len(tokens), "seed": None, "prefill": [], "tokens": tokens, "top_tokens": top}
    body = json.dumps({"generated_text": "".join(token["text"] for token in tokens), "details": details}).encode()
    case = Case.of({"inputs": "p", "parameters": {"details": True, "do_sample": False, "top_n_tokens": 5, **parameters}})
    return Observation(Exchange(case, "http://x.test/", 200, (("content-type", "application/json"),), (Chunk(0.0, body),)))


PLAIN, ONE_LEFT = observed({1: 0.0}, first=-0.7), observed({1: 0.0})
"""Greedy, and under `top_k` 1, where logprobs are final."""


def verdict(name: str, law: Law, values: tuple[float, ...], final: bool = True) -> Outcome:
    id = {"repetition_penalty": "divides", "frequency_penalty": "penalizes"}[name]
    penalized = [
        observed({one: law(score, one, value) if one in FORCED else score for one, score in SCORES.items()}, **{name: value})
        for value in values
    ]
    convention = (PLAIN, ONE_LEFT if final else PLAIN)
    return judge(CLAUSES[f"parameters.{name}.{id}"], Group(f"forced-{name}", (*convention, observed(SCORES), *penalized)))


def times(id: int) -> int:
    return FORCED.count(id)


def divided(score: float, penalty: float) -> float:
    return score / penalty if score > 0 else score * penalty


def test_each_word_divided_once_is_right() -> None:
    assert verdict("repetition_penalty", lambda score, _, p: divided(score, p), (1.5, 0.7)) is None


WRONG_REPETITION: dict[str, Law] = {
    "once for each time": lambda score, id, p: divided(score, p ** times(id)),
    "divides negative scores too": lambda score, _, p: score / p,
    "by as much for each": lambda score, _, p: score - math.log(p),
    "the last token only": lambda score, id, p: divided(score, p) if id == 3 else score,
    "all but the last token": lambda score, id, p: score if id == 3 else divided(score, p),
    "not the first tokens": lambda score, id, p: score if id == 1 else divided(score, p),
    "not below 1": lambda score, _, p: divided(score, p) if p > 1 else score,
    "nothing": lambda score, _, __: score,
    "never again": lambda score, _, __: score - 30.0,
}


@pytest.mark.parametrize("law", WRONG_REPETITION.values(), ids=WRONG_REPETITION)
def test_a_penalty_that_forgets_or_counts_otherwise_is_found(law: Law) -> None:
    assert isinstance(verdict("repetition_penalty", law, (1.5, 0.7)), Violation)


@pytest.mark.parametrize(("name", "values"), [("repetition_penalty", (1.5, 0.7)), ("frequency_penalty", (1.0, 2.0))])
def test_logprobs_from_before_the_penalty_accuse_nobody(name: str, values: tuple[float, ...]) -> None:
    outcome = verdict(name, WRONG_REPETITION["nothing"], values, final=False)

    assert isinstance(outcome, Skip)
    assert outcome.inconclusive


RIGHT_FREQUENCY: dict[str, Law] = {
    "for each time": lambda score, id, f: score - f * times(id),
    "for its share of the text": lambda score, id, f: score - f * times(id) / len(FORCED),
    "less and less": lambda score, id, f: score - f * math.log(1 + times(id)),
    "as text-generation-inference on some models": lambda score, id, f: score - times(id) * (score / f if score > 0 else score * f),
}


@pytest.mark.parametrize("law", RIGHT_FREQUENCY.values(), ids=RIGHT_FREQUENCY)
def test_a_word_that_loses_more_the_more_often_is_right(law: Law) -> None:
    assert not isinstance(verdict("frequency_penalty", law, (1.0, 2.0)), Violation)


THREE = (0.7, 1.4, 2.0)
"""The first half of the second; no two of them round to one."""


@pytest.mark.parametrize("law", RIGHT_FREQUENCY.values(), ids=RIGHT_FREQUENCY)
def test_a_word_that_loses_more_by_a_larger_penalty_is_right(law: Law) -> None:
    assert not isinstance(verdict("frequency_penalty", law, THREE), Violation)


@pytest.mark.parametrize("taken", [round, lambda f: min(f, 1.0)], ids=["rounded", "at most 1"])
def test_penalties_that_act_as_one_are_found(taken: Callable[[float], float]) -> None:
    assert isinstance(verdict("frequency_penalty", lambda score, id, f: score - taken(f) * times(id) / 4, THREE), Violation)


WRONG_FREQUENCY: dict[str, Law] = {
    "presence": lambda score, _, f: score - f,
    "the last token only": lambda score, id, f: score - f if id == 3 else score,
    "nothing": lambda score, _, __: score,
}


@pytest.mark.parametrize("law", WRONG_FREQUENCY.values(), ids=WRONG_FREQUENCY)
def test_a_word_that_loses_the_same_however_often_is_found(law: Law) -> None:
    assert isinstance(verdict("frequency_penalty", law, (1.0, 2.0)), Violation)
