"""The clauses of reported laws accuse no right server, and find wrong ones from one reply."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from contract_tests.clauses import CLAUSES, Violation, judge
from contract_tests.clauses.registry import Outcome
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Group, Observation


def first_token(law: dict[int, float], drawn: int | None = None, **parameters: Any) -> Observation:
    """A reply of one token: id -> logprob of what is told of its place."""
    candidates = [{"id": id, "text": f" t{id}", "logprob": value, "special": False} for id, value in law.items()]
    token = next(one for one in candidates if drawn in (None, one["id"]))
    details = {"finish_reason": "length", "generated_tokens": 1, "seed": 1, "prefill": [], "tokens": [token], "top_tokens": [candidates]}
    body = json.dumps({"generated_text": token["text"], "details": details}).encode()
    case = Case.of({"inputs": "p", "parameters": {"details": True, "top_n_tokens": 5, "max_new_tokens": 1, **parameters}})
    return Observation(Exchange(case, "http://x.test/", 200, (("content-type", "application/json"),), (Chunk(0.0, body),)))


def logs(*probabilities: float) -> dict[int, float]:
    return {place: math.log(p) for place, p in enumerate(probabilities, 1)}


RAW = logs(0.4, 0.3, 0.15, 0.1, 0.03)
GREEDY = first_token(RAW)
FINAL, BEFORE = first_token({1: 0.0}, top_k=1), first_token(RAW, top_k=1)
CLAUSE = {"temperature": "parameters.temperature.scales", "top_k": "parameters.top_k.keeps", "top_p": "parameters.top_p.keeps"}


def verdict(told: dict[int, float], convention: Observation = FINAL, drawn: int | None = None, **asked: float) -> Outcome:
    name = next(iter(asked)) if len(asked) == 1 else "together"
    id = CLAUSE.get(name, "parameters.together")
    return judge(CLAUSES[id], Group(f"law-{name}", (GREEDY, first_token(told, drawn, do_sample=True, **asked), convention)))


def test_temperature_that_divides_is_right() -> None:
    assert verdict({id: value / 2 - 0.9 for id, value in RAW.items()}, temperature=2.0) is None


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.25], ids=["ignored", "inverted", "squared"])
def test_a_wrong_temperature_is_found(factor: float) -> None:
    assert isinstance(verdict({id: value * factor for id, value in RAW.items()}, temperature=2.0), Violation)


def test_two_of_five_told_under_top_k_two_are_right() -> None:
    assert verdict(logs(4 / 7, 3 / 7), top_k=2) is None


@pytest.mark.parametrize("told", [logs(1.0), logs(0.47, 0.35, 0.18), logs(0.4, 0.3)], ids=["one less", "one more", "not renormalised"])
def test_a_wrong_top_k_is_found(told: dict[int, float]) -> None:
    assert isinstance(verdict(told, top_k=2), Violation)


def test_the_nucleus_told_is_right() -> None:
    assert verdict(logs(4 / 7, 3 / 7), top_p=0.55) is None


def test_a_nucleus_that_is_too_small_is_found() -> None:
    assert isinstance(verdict(logs(1.0), top_p=0.55), Violation)


def test_either_order_of_two_parameters_is_right() -> None:
    """The three likeliest, then a nucleus of half of them; or a nucleus of half, of which three would be kept."""
    assert verdict(logs(4 / 7, 3 / 7), top_k=3, top_p=0.6) is None


def test_a_parameter_that_is_dropped_beside_another_is_found() -> None:
    told = logs(*(p / 0.85 for p in (0.4, 0.3, 0.15)))

    assert isinstance(verdict(told, top_k=3, temperature=0.5), Violation)


@pytest.mark.parametrize("asked", [{"temperature": 2.0}, {"top_k": 2}, {"top_p": 0.55}, {"top_k": 3, "temperature": 0.5}], ids=str)
def test_logprobs_from_before_tell_nothing(asked: dict[str, float]) -> None:
    outcome = verdict(RAW, BEFORE, drawn=1, **asked)

    assert getattr(outcome, "inconclusive", False)


def test_a_draw_that_no_order_allows_is_found_under_either_convention() -> None:
    assert isinstance(verdict(RAW, BEFORE, drawn=3, top_k=2), Violation)


def test_a_removed_token_may_be_told_as_all_but_impossible() -> None:
    assert verdict({**logs(4 / 7, 3 / 7), 3: -1e4}, top_k=2) is None


# ---------------------------------------------------------------- many are kept
WIDE = [math.log(0.05 / (1 + rank / 10)) for rank in range(4000)]


def wide(*kept: int, vocabulary: int = len(WIDE)) -> Outcome:
    """What a server reports that keeps so many: of all, with the larger `top_k`, with the smaller."""
    replies = []
    for count in (vocabulary, *kept):
        total = math.log(sum(map(math.exp, WIDE[:count])))
        replies.append(first_token({rank: round(WIDE[rank] - total, 7) for rank in range(5)}))
    return judge(CLAUSES["parameters.top_k.keeps"], Group("law-wide", tuple(replies)))


def test_more_kept_by_a_larger_top_k_is_right() -> None:
    assert wide(1000, 100) is None


@pytest.mark.parametrize("cap", [10, 50, 100])
def test_a_top_k_that_is_capped_is_found(cap: int) -> None:
    assert isinstance(wide(cap, cap), Violation)


@pytest.mark.parametrize("vocabulary", [50, 102], ids=["of a small vocabulary all are kept", "all but two, which are unlikely"])
def test_a_larger_top_k_that_can_keep_no_more_accuses_nobody(vocabulary: int) -> None:
    assert not isinstance(wide(vocabulary, min(vocabulary, 100), vocabulary=vocabulary), Violation)


def test_logprobs_from_before_top_k_accuse_nobody() -> None:
    assert not isinstance(wide(len(WIDE), len(WIDE)), Violation)
