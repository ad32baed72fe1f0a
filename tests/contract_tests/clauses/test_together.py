"""The clauses of what is sent together accuse no right server, in whatever order it applies things, and find what is lost."""

from __future__ import annotations

import json
import math
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract_tests.clauses import CLAUSES, Violation, judge
from contract_tests.clauses.registry import Outcome
from contract_tests.clauses.together import divides_surely, whole_law
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.laws import Law
from contract_tests.observation import Group, Observation

LETTERS = "ABCDE"
Scores = dict[int, float]


def letter(logprobs: Scores, texts: str = LETTERS, prefill: tuple[int, ...] = (), **parameters: Any) -> Observation:
    """A reply of one letter: id -> logprob of what is told of its place, the likeliest first."""
    ranked = sorted(logprobs.items(), key=lambda item: -item[1])
    candidates = [{"id": id, "text": texts[id], "logprob": round(value, 6), "special": False} for id, value in ranked]
    details = {
        "finish_reason": "length",
        "generated_tokens": 1,
        "prefill": [{"id": id, "text": texts[id], "logprob": -1.0} for id in prefill],
        "tokens": candidates[:1],
        "top_tokens": [candidates],
    }
    body = json.dumps({"generated_text": candidates[0]["text"], "details": details}).encode()
    told = {"details": True, "top_n_tokens": 5, "grammar": {"type": "regex", "value": "[A-E]"}, **parameters}
    case = Case.of({"inputs": "p", "parameters": told})
    return Observation(Exchange(case, "http://x.test/", 200, (("content-type", "application/json"),), (Chunk(0.0, body),)))


def normal(scores: Scores) -> Scores:
    total = sum(math.exp(value) for value in scores.values())
    return {id: value - math.log(total) for id, value in scores.items()}


def penalised(scores: Scores, parameters: dict[str, float], occurred: tuple[int, ...]) -> Scores:
    divisor, added = parameters.get("repetition_penalty", 1.0), parameters.get("frequency_penalty", 0.0)
    divided = {
        id: (value / divisor if value > 0 else value * divisor) if id in occurred else value for id, value in scores.items()
    }
    return {id: value - added * occurred.count(id) / 4 for id, value in divided.items()}


def served(scores: Scores, parameters: dict[str, float], occurred: tuple[int, ...], order: tuple[str, ...]) -> Scores:
    """What a server reports that applies its parameters in this order; "move" stands for the penalties."""
    for name in order:
        if name == "move":
            scores = penalised(scores, parameters, occurred)
        elif name == "temperature" and name in parameters:
            scores = {id: value / parameters[name] for id, value in scores.items()}
        elif name == "top_k" and name in parameters:
            scores = dict(sorted(scores.items(), key=lambda item: -item[1])[: int(parameters[name])])
    return normal(scores)


USUAL = ("move", "temperature", "top_k")
SCORES = {0: 2.0, 1: 1.2, 2: 0.3, 3: -0.6, 4: -1.5}
OCCURRED = (0, 0, 0, 1, 2)
CONVENTION = (letter(normal(SCORES)), letter({0: 0.0}, top_k=1))


def moved(
    asked: dict[str, float], lost: tuple[str, ...] = (), order: tuple[str, ...] = USUAL, scores: Scores = SCORES
) -> Outcome:
    """Of a server that takes no notice of the ``lost`` ones beside others."""
    mover = {name: value for name, value in asked.items() if name.endswith("penalty")}
    kept = {name: value for name, value in asked.items() if name not in lost}
    members = (
        letter(normal(scores)),
        letter(served(scores, mover, OCCURRED, order), **mover),
        letter(served(scores, kept, OCCURRED, order), do_sample=True, **asked),
        *CONVENTION,
    )
    return judge(CLAUSES["parameters.together"], Group("law-moved", members))


ASKED = ({"repetition_penalty": 2.0, "temperature": 2.0, "top_k": 3}, {"frequency_penalty": 2.0, "temperature": 2.0, "top_k": 3})


@pytest.mark.parametrize("order", list(permutations(USUAL)), ids=str)
@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: next(iter(asked)))
def test_any_order_is_right(asked: dict[str, float], order: tuple[str, ...]) -> None:
    assert moved(asked, order=order) is None


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: next(iter(asked)))
@pytest.mark.parametrize("lost", ["temperature", "top_k", "mover"])
def test_what_is_lost_is_found(asked: dict[str, float], lost: str) -> None:
    outcome = moved(asked, lost=(next(iter(asked)) if lost == "mover" else lost,))

    assert isinstance(outcome, Violation)


@given(
    st.lists(st.floats(-4, 4), min_size=5, max_size=5),
    st.sampled_from(ASKED),
    st.sampled_from(list(permutations(USUAL))),
    st.floats(0.3, 3),
    st.integers(1, 5),
)
def test_no_right_server_is_accused(
    scores: list[float], asked: dict[str, float], order: tuple[str, ...], temperature: float, k: int
) -> None:
    outcome = moved({**asked, "temperature": temperature, "top_k": k}, order=order, scores=dict(enumerate(scores)))

    assert not isinstance(outcome, Violation)


def test_logprobs_from_before_tell_nothing() -> None:
    members = (letter(normal(SCORES)), letter(normal(SCORES), frequency_penalty=2.0), letter(normal(SCORES), temperature=2.0))
    outcome = judge(
        CLAUSES["parameters.together"], Group("law-moved", (*members, CONVENTION[0], letter(normal(SCORES), top_k=1)))
    )

    assert getattr(outcome, "inconclusive", False)


def movers(lost: str = "", scores: Scores = SCORES) -> Outcome:
    asked = ({}, {"repetition_penalty": 2.0}, {"frequency_penalty": 2.0}, {"repetition_penalty": 2.0, "frequency_penalty": 2.0})
    members = []
    for parameters in asked:
        kept = {name: value for name, value in parameters.items() if name != lost or len(parameters) == 1}
        members.append(letter(served(scores, kept, OCCURRED, USUAL), prefill=OCCURRED, **parameters))
    return judge(CLAUSES["parameters.together"], Group("law-movers", tuple(members)))


def test_two_penalties_are_right() -> None:
    assert movers() is None


@pytest.mark.parametrize("lost", ["repetition_penalty", "frequency_penalty"])
def test_a_penalty_that_is_lost_beside_another_is_found(lost: str) -> None:
    assert isinstance(movers(lost), Violation)


@given(st.lists(st.floats(-4, 4), min_size=5, max_size=5))
def test_no_server_with_two_penalties_is_accused(scores: list[float]) -> None:
    assert not isinstance(movers(scores=dict(enumerate(scores))), Violation)


@given(st.lists(st.floats(-4, 4), min_size=3, max_size=5), st.integers(1, 5), st.floats(1.2, 3))
def test_what_must_show_when_divided_does(scores: list[float], count: int, divisor: float) -> None:
    known = dict(enumerate(scores))
    before = normal(known)
    after = normal(penalised(known, {"repetition_penalty": divisor}, tuple(range(count))))

    if divides_surely(Law({id: math.exp(value) for id, value in before.items()}), set(range(count)), divisor):
        gaps = [abs((after[a] - after[b]) - (before[a] - before[b])) for a, b in permutations(known, 2)]
        assert max(gaps) > 0.2 - 1e-9


@pytest.mark.parametrize("texts", ["ABCDX", "ABCDD"], ids=["outside the grammar", "twice"])
def test_a_law_from_before_the_grammar_is_not_the_whole(texts: str) -> None:
    assert whole_law(letter(normal(SCORES), texts)) is None


def test_a_law_of_which_some_is_untold_is_not_the_whole() -> None:
    assert whole_law(letter({id: value - 0.1 for id, value in normal(SCORES).items()})) is None
