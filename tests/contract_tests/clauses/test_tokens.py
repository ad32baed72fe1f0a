"""The clauses of single tokens accuse no right server, whatever its vocabulary is made of, and find what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract_tests.clauses import CLAUSES, Violation, judge
from contract_tests.clauses.registry import Outcome, Skip
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Group, Observation


def reply(details: dict[str, Any]) -> Observation:
    case = Case.of({"inputs": "p", "parameters": {"details": True, "top_n_tokens": 1, "max_new_tokens": 1}})
    body = json.dumps({"generated_text": "t", "details": details}).encode()
    return Observation(Exchange(case, "http://x.test/", 200, (("content-type", "application/json"),), (Chunk(0.0, body),)))


def text_among_candidates(text: str, told: str) -> Outcome:
    """What is said of a token with ``text`` that is ``told`` otherwise among its candidates."""
    token = {"id": 3, "logprob": -1.0, "special": False}
    details = {"finish_reason": "length", "generated_tokens": 1, "prefill": [], "tokens": [{**token, "text": text}]}
    details["top_tokens"] = [[{**token, "text": told}]]
    return judge(CLAUSES["details.top_tokens.text"], reply(details))


@pytest.mark.parametrize("told", ["a", " a", "\u0120a", "a\ufffd", "a\ufffd\ufffd"])
def test_a_candidate_has_the_text_of_its_token_but_for_spaces_and_a_cut_character_at_its_end(told: str) -> None:
    assert text_among_candidates("a", told) is None


@pytest.mark.parametrize("told", ["b", "ab", "a\ufffdb", "\ufffda", "\ufffd", ""])
def test_a_candidate_of_another_text_is_found(told: str) -> None:
    assert isinstance(text_among_candidates("a", told), Violation)


def continued(**wrong: object) -> Outcome:
    """What is said of three tokens that were generated, then read in a prompt; there each has what ``wrong`` says as well."""
    tokens = [{"id": 3 + place, "logprob": -0.5 - place, "special": False, "text": f" w{place}"} for place in range(3)]
    prefill = [{"id": 1, "logprob": None, "text": "p"}, *({**token, **wrong} for token in tokens)]
    drawn, read = reply({"tokens": tokens, "prefill": []}), reply({"tokens": [], "prefill": prefill})
    return judge(CLAUSES["details.prefill.agrees"], Group("continued", (drawn, read)))


def test_prefill_tells_tokens_as_they_were_generated() -> None:
    assert continued() is None
    assert isinstance(continued(logprob=-0.1), Violation)
    assert isinstance(continued(id=9), Violation)


def test_a_text_that_is_read_as_other_tokens_is_not_judged() -> None:
    assert isinstance(continued(id=9, logprob=-0.1), Skip), "other tokens have other logprobs"
    assert isinstance(continued(id=9, text="w"), Skip), "two ids may be written alike but for a space"
