"""The clauses of `stop` accuse no server that stops where a token ends, nor one that stops inside it, and find one that goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from contract_tests.clauses import CLAUSES, Skip, Violation, judge
from contract_tests.clauses.registry import Outcome
from contract_tests.exchange import Case, Chunk, Exchange
from contract_tests.observation import Group, Observation
from contract_tests.probes.pairs import _stops

TEXTS = ["a", " being", " in", " the", " rain", " for", " an", " hour", " or", " two", " and", " more"]


def reply(texts: list[str], *, told: bool = True, **asked: Any) -> Observation:
    """A reply of these tokens, told of in its details or not."""
    body: dict[str, Any] = {"generated_text": "".join(texts)}
    if told:
        tokens = [{"id": n, "text": text, "logprob": -1.0, "special": False} for n, text in enumerate(texts)]
        ending = {"finish_reason": "length", "generated_tokens": len(texts), "seed": None}
        body["details"] = {**ending, "prefill": [], "tokens": tokens}
    case = Case.of({"inputs": "p", "parameters": {"details": told, "max_new_tokens": 20, **asked}})
    chunk = Chunk(0.0, json.dumps(body).encode())
    return Observation(Exchange(case, "http://x.test/", 200, (("content-type", "application/json"),), (chunk,)))


def stopped(at: str, text: str, *, told: bool = True) -> Outcome:
    """What is said of a server that makes ``text`` of TEXTS when it is to stop at ``at``."""
    pair = Group("stop", (reply(TEXTS, told=told), reply([text], told=told, stop=[at])))
    return judge(CLAUSES["parameters.stop.stops"], pair)


@pytest.mark.parametrize("text", ["a be", "a bein", "a being", "a being in", "a being "])
def test_a_server_may_stop_inside_a_token_or_where_a_token_ends_and_leave_the_sequence_out(text: str) -> None:
    assert stopped("in", text) is None


@pytest.mark.parametrize("text", ["".join(TEXTS), "a being in the rain", "a", ""])
def test_a_server_that_goes_on_or_ends_before_is_found(text: str) -> None:
    assert isinstance(stopped("in", text), Violation)


def test_nothing_is_due_where_no_token_ends_with_the_sequence() -> None:
    assert isinstance(stopped("bei", "".join(TEXTS)), Skip)


def test_where_no_token_is_told_each_place_may_end_one() -> None:
    assert stopped("in", "a being in", told=False) is None
    assert isinstance(stopped("in", "".join(TEXTS), told=False), Violation)


def test_where_no_token_is_told_a_server_that_goes_on_a_little_behind_a_later_place_is_found() -> None:
    assert isinstance(stopped("in", "a being in the rain for", told=False), Violation)


def test_a_newline_may_end_the_token_behind_the_sequence() -> None:
    """The `$` of text-generation-inference's expression; not the first place, nor the one where a token ends with it alone."""
    texts = ["a", " being", " in\n", " the", " inn", " in", " two"]
    for text in ("a being in\n", "a being in\n the inn in"):
        pair = Group("stop", (reply(texts), reply([text], stop=["in"])))
        assert judge(CLAUSES["parameters.stop.stops"], pair) is None


def test_a_reply_that_lost_its_text_is_asked_for_no_stop_sequence() -> None:
    lost = reply(TEXTS)
    lost.document["generated_text"] = ""

    assert _stops(lost) == []


def test_a_sequence_that_does_not_occur_changes_nothing() -> None:
    assert stopped("never", "".join(TEXTS), told=False) is None
    assert isinstance(stopped("never", "a being", told=False), Violation)


@pytest.mark.parametrize("texts", [["\ufffd", *TEXTS[:3], "\ufffd", *TEXTS[3:]], ["a\ufffd", "b\ufffd"], ["\ufffd"]], ids=repr)
def test_no_sequence_holds_a_cut_character(texts: list[str]) -> None:
    assert not any("\ufffd" in member or not member for stop in _stops(reply(texts)) for member in stop)
