"""The clauses of the documented headers, on made-up exchanges."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract_tests.clauses import CLAUSES, Skip, Violation, judge
from contract_tests.clauses.registry import Outcome
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Group, Observation

LOADING = {"error": "Model a/b is currently loading", "estimated_time": 20.0}


def seen(status: int, reply: Any, **case: Any) -> Observation:
    body = (Chunk(0.0, json.dumps(reply).encode()),)
    return Observation(
        Exchange(Case.of({"inputs": "x"}, **case), "http://x.test/", status, (("content-type", "application/json"),), body)
    )


def text(said: str, logprob: float = -5.0) -> Observation:
    token = {"id": 1, "text": said, "logprob": logprob, "special": False}
    details = {"finish_reason": "length", "generated_tokens": 1, "seed": 1, "prefill": [], "tokens": [token]}
    return seen(200, {"generated_text": said, "details": details})


def verdict(id: str, relation: str, *members: Observation) -> Outcome:
    return judge(CLAUSES[id], Group(relation, members))


def test_a_503_with_words_and_a_time_is_right() -> None:
    assert judge(CLAUSES["headers.wait-for-model.503"], seen(503, LOADING)) is None


def test_a_503_without_words_is_a_violation() -> None:
    assert isinstance(judge(CLAUSES["headers.wait-for-model.503"], seen(503, {"estimated_time": 20.0})), Violation)


@pytest.mark.parametrize(("after", "wrong"), [(text("a"), False), (seen(503, LOADING), True)], ids=["answered", "503 again"])
def test_waiting_must_bring_an_answer(after: Observation, wrong: bool) -> None:
    outcome = verdict("headers.wait-for-model.waits", "loading", seen(503, LOADING), after)

    assert wrong == isinstance(outcome, Violation)


def test_fresh_draws_that_differ_are_right() -> None:
    assert verdict("headers.use-cache.new-query", "fresh-draws", text("a"), text("a"), text("b")) is None


def test_fresh_draws_that_never_differ_are_a_violation_when_chance_cannot_be_why() -> None:
    assert isinstance(verdict("headers.use-cache.new-query", "fresh-draws", *[text("a", -8.0)] * 3), Violation)


def test_fresh_draws_of_a_likely_text_are_inconclusive() -> None:
    outcome = verdict("headers.use-cache.new-query", "fresh-draws", *[text("a", -0.5)] * 3)

    assert isinstance(outcome, Skip)
    assert outcome.inconclusive


REFUSED = seen(401, {"error": "Invalid or missing token"})


@pytest.mark.parametrize(
    ("none", "wrong", "kind"),
    [
        (REFUSED, REFUSED, type(None)),
        (REFUSED, text("a"), Violation),
        (REFUSED, seen(500, {"error": "x"}), Violation),
        (REFUSED, seen(401, {}), Violation),
        (text("a"), text("a"), Skip),
    ],
    ids=["refused", "accepted", "server error", "without words", "none is needed"],
)
def test_a_wrong_token(none: Observation, wrong: Observation, kind: type[object]) -> None:
    assert isinstance(verdict("headers.authorization.wrong", "authorization", none, wrong), kind)
